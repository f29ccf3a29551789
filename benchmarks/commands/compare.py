"""`compare`: its options, and what it shows."""

import argparse
from collections.abc import Callable
from pathlib import Path

from rich.progress import Progress

from benchmarks.commands.shared import Commands, console, write
from benchmarks.compare.run import DATABASES, OTHERS, CompareOptions, run_compare
from benchmarks.compare.showing import show_comparison


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "compare", help="the same work on what people would pick instead"
    )
    parser.add_argument("--visitors", type=int, default=300)
    parser.add_argument("--agents", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each window")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--with",
        dest="others",
        type=_names(OTHERS),
        default=OTHERS,
        metavar="NAMES",
        help=f"with commas between, of {', '.join(OTHERS)} (default: all)",
    )
    parser.add_argument(
        "--databases",
        type=_names(DATABASES),
        default=DATABASES,
        metavar="NAMES",
        help=f"with commas between, of {', '.join(DATABASES)} (default: both)",
    )
    parser.add_argument("--idle", type=int, default=500, help="connections, 0: none")
    parser.add_argument(
        "--cuts", type=int, default=10, help="times a tenth is cut off, 0: never"
    )
    parser.add_argument(
        "--rate", type=float, default=200.0, help="messages a second at the cuts"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    """Compare; exit status 1 where kefu itself failed or lost a message."""
    compare = CompareOptions(
        visitors=options.visitors,
        agents=options.agents,
        seconds=options.seconds,
        rounds=options.rounds,
        targets=("kefu", *options.others),
        databases=options.databases,
        idle=options.idle,
        cuts=options.cuts,
        rate=options.rate,
        command=options.line,
    )
    with Progress(console=console) as progress:
        found = run_compare(compare, progress)
    show_comparison(console, found)
    write(found, options.json)
    lost = sum(cut.lost + cut.doubled for cut in found.cuts if cut.target == "kefu")
    is_broken = any(what.startswith("kefu ") for what in found.failed)
    return int(bool(lost) or is_broken)


def _names(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    """Return what reads names with commas between, of those that are known."""

    def parse(text: str) -> tuple[str, ...]:
        names = tuple(name for name in text.split(",") if name)
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(
                    f"{name!r} is none of {', '.join(known)}"
                )
        return names

    return parse
