"""`idle`: its options, and what it shows."""

import argparse
from pathlib import Path

from benchmarks.commands.shared import Commands, show
from benchmarks.idle import compare_idle
from benchmarks.target import TRANSPORTS
from kefu_server.servers import SERVERS


def add_parser(commands: Commands) -> None:
    """Add the command."""
    idle = commands.add_parser("idle", help="memory of a connection at rest")
    idle.add_argument("--transport", choices=TRANSPORTS, default="websocket")
    idle.add_argument("--server", choices=SERVERS, default=SERVERS[0])
    idle.add_argument("--connections", type=int, default=2_000)
    idle.add_argument("--json", type=Path, metavar="FILE")
    idle.set_defaults(run=_idle)


def _idle(options: argparse.Namespace) -> int:
    found = compare_idle(options.transport, options.connections, options.server)
    return show(found | {"command": options.line}, options.json, passed=True)
