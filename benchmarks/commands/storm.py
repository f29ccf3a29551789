"""`storm`: its options, and what it shows."""

import argparse
from pathlib import Path

from rich.progress import Progress

from benchmarks.commands.shared import Commands, add_way, console, show
from benchmarks.report import show_verdict
from benchmarks.storm import StormOptions, run_storm


def add_parser(commands: Commands) -> None:
    """Add the command."""
    storm = commands.add_parser("storm", help="drop everybody at once, see them back")
    add_way(storm, mix="visitors connect in these proportions")
    storm.add_argument("--visitors", type=int, default=1_000)
    storm.add_argument("--agents", type=int, default=30)
    storm.add_argument("--rate", type=float, default=50.0)
    storm.add_argument(
        "--drop",
        choices=("cut", "kill"),
        default="cut",
        help="cut every connection (default), or kill the server and start it again",
    )
    storm.add_argument("--processes", type=int, default=0)
    storm.add_argument("--json", type=Path, metavar="FILE")
    storm.set_defaults(run=_storm)


def _storm(options: argparse.Namespace) -> int:
    storm = StormOptions(
        transport=options.transport,
        server=options.server,
        mix=options.mix,
        visitors=options.visitors,
        agents=options.agents,
        rate=options.rate,
        drop=options.drop,
        processes=options.processes,
    )
    with Progress(console=console) as progress:
        found, verdict = run_storm(storm, progress)
    show_verdict(console, verdict, kills=int(storm.drop == "kill"))
    shown = found | {"command": options.line}
    return show(shown, options.json, passed=verdict.passed)
