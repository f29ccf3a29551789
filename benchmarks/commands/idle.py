"""`idle`: its options, and what it shows."""

import argparse
from pathlib import Path

import msgspec

from benchmarks.commands.shared import Commands, add_way, fail, show
from benchmarks.idle import compare_idle
from benchmarks.mixed import BadRunError
from benchmarks.resting import run_resting


def add_parser(commands: Commands) -> None:
    """Add the command."""
    idle = commands.add_parser("idle", help="memory of a connection at rest")
    add_way(idle, mix="connections of these proportions on one server, without an echo")
    idle.add_argument("--connections", type=int, default=2_000)
    idle.add_argument("--json", type=Path, metavar="FILE")
    idle.set_defaults(run=_idle)


def _idle(options: argparse.Namespace) -> int:
    if options.mix:
        return _mixed(options)
    found = compare_idle(options.transport, options.connections, options.server)
    return show(found | {"command": options.line}, options.json, passed=True)


def _mixed(options: argparse.Namespace) -> int:
    try:
        found = run_resting(
            options.mix, options.connections, options.server, options.line
        )
    except BadRunError as bad:
        return fail(bad.reasons, options)
    return show(msgspec.to_builtins(found), options.json, passed=True)
