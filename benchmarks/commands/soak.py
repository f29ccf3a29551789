"""`soak`: its options, and what it shows."""

import argparse
from functools import partial
from pathlib import Path

from benchmarks.commands.scenes import add_scene_options, conclude, play, scene_options
from benchmarks.commands.shared import Commands, console
from benchmarks.soak import Soak, SoakOptions, run_soak


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("soak", help="what grows while people come and go")
    add_scene_options(parser, visitors=300, minutes=60.0)
    parser.add_argument("--warm-up", type=float, default=10.0, metavar="MINUTES")
    parser.add_argument("--every", type=float, default=5.0, help="seconds, of samples")
    parser.add_argument(
        "--faults", action="store_true", help="behind the network of `incident`"
    )
    parser.set_defaults(run=_soak)


def _soak(arguments: argparse.Namespace) -> int:
    options = SoakOptions(
        warm_up_s=arguments.warm_up * 60,
        every_s=arguments.every,
        has_faults=arguments.faults,
        **scene_options(arguments),
    )
    return play(partial(run_soak, options), show_soak, arguments)


def show_soak(outcome: Soak, path: Path | None) -> int:
    """Print what a run came to, and write it; return the exit status."""
    for key, value in outcome.found.items():
        if key not in ("samples", "growth"):
            console.print(f"{key:>16}  {value}", markup=False)
    for growth in outcome.growths:
        style = "red" if growth.is_leak else ""
        ends = f"{growth.slope.first:.1f} → {growth.slope.last:.1f}"
        text = f"{growth.figure:>22}  {ends}  {growth.text}"
        console.print(text, style=style, markup=False)
    conclude(outcome.found, outcome.verdict, outcome.failures, path)
    return 0 if outcome.passed else 1
