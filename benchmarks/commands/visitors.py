"""`visitors`: its options, and what it shows."""

import argparse
from pathlib import Path

from rich.progress import Progress

from benchmarks.commands.shared import Commands, console, show
from benchmarks.visitors import VisitorsOptions, run_visitors


def add_parser(commands: Commands) -> None:
    """Add the command."""
    visitors = commands.add_parser("visitors", help="a crowd on the sites' pages")
    visitors.add_argument("--visitors", type=int, default=1_000)
    visitors.add_argument("--page-s", type=float, default=5.0)
    visitors.add_argument("--agents", type=int, default=3)
    visitors.add_argument("--seconds", type=float, default=15.0)
    visitors.add_argument(
        "--chromium", default="", help="a browser that shows them: counts its frames"
    )
    visitors.add_argument("--json", type=Path, metavar="FILE")
    visitors.set_defaults(run=_visitors)


def _visitors(options: argparse.Namespace) -> int:
    visitors = VisitorsOptions(
        visitors=options.visitors,
        page_s=options.page_s,
        agents=options.agents,
        seconds=options.seconds,
        chromium=options.chromium,
    )
    with Progress(console=console) as progress:
        found = run_visitors(visitors, progress)
    return show(found | {"command": options.line}, options.json, passed=True)
