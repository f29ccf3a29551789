"""`idle`: its options, and what it shows."""

import argparse
from pathlib import Path

import msgspec

from benchmarks.commands.shared import Commands, fail, show
from benchmarks.idle import compare_idle
from benchmarks.mix import parse_mix
from benchmarks.mixed import BadRunError
from benchmarks.resting import run_resting
from benchmarks.target import TRANSPORTS
from kefu_server.servers import SERVERS


def add_parser(commands: Commands) -> None:
    """Add the command."""
    idle = commands.add_parser("idle", help="memory of a connection at rest")
    idle.add_argument("--transport", choices=TRANSPORTS, default="websocket")
    idle.add_argument(
        "--mix",
        type=parse_mix,
        metavar="websocket=60,longpoll=30,tcp=10",
        help="connections of these proportions on one server, without an echo",
    )
    idle.add_argument("--server", choices=SERVERS, default=SERVERS[0])
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
