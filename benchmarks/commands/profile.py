"""`profile`: its options, and what it shows."""

import argparse
from pathlib import Path

from rich.progress import Progress
from rich.table import Table

from benchmarks.chat import ChatOptions
from benchmarks.commands.shared import (
    Commands,
    add_talk,
    add_way,
    console,
    talk_of,
    write,
)
from benchmarks.layers import Share
from benchmarks.profile import ProfileOptions, run_profile
from benchmarks.report import show_verdict


def add_parser(commands: Commands) -> None:
    """Add the command."""
    text = "where the microseconds of one message go"
    profile = commands.add_parser("profile", help=text)
    add_way(profile)
    add_talk(profile)
    profile.add_argument(
        "--profiler",
        choices=("auto", "py-spy", "cProfile"),
        default="auto",
        help="auto (default): py-spy where it is installed",
    )
    profile.add_argument("--svg", type=Path, metavar="FILE", help="the flame graph")
    profile.add_argument("--json", type=Path, metavar="FILE")
    profile.set_defaults(run=_profile)


def _profile(options: argparse.Namespace) -> int:
    asked = ProfileOptions(
        profiler=options.profiler,
        flame=str(options.svg or ""),
        chat=ChatOptions(transport=options.transport, **talk_of(options)),
    )
    with Progress(console=console) as progress:
        result, verdict = run_profile(asked, progress)
    cost = f"{result.server_cpu_us_per_message:.0f} µs of CPU a delivered message"
    console.print(_table(f"{cost}, {result.samples} samples", result.layers))
    console.print(_table("Functions", result.functions))
    show_verdict(console, verdict)
    write(result, options.json)
    if options.svg:
        console.print(f"Drawn: {options.svg}")
    return 0 if verdict.passed else 1


def _table(title: str, shares: list[Share]) -> Table:
    table = Table(title=title)
    table.add_column("")
    table.add_column("µs", justify="right")
    table.add_column("share", justify="right")
    for each in shares:
        table.add_row(each.name, f"{each.us:.1f}", f"{each.share:.1%}")
    return table
