"""`soak`: its options, and what it shows."""

import argparse
import secrets
from pathlib import Path

from rich.progress import Progress

from benchmarks.commands.shared import Commands, console, fail, write
from benchmarks.databases import SERVERS, ServerMissingError
from benchmarks.report import show_verdict
from benchmarks.soak import Soak, SoakOptions, run_soak
from benchmarks.story import RunError
from benchmarks.target import TargetError


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("soak", help="what grows while people come and go")
    parser.add_argument("--visitors", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--warm-up", type=float, default=10.0, metavar="MINUTES")
    parser.add_argument("--every", type=float, default=5.0, help="seconds, of samples")
    parser.add_argument("--database", choices=("sqlite", *SERVERS), default="sqlite")
    parser.add_argument(
        "--seed", type=int, help="drawn and printed where it is missing"
    )
    parser.add_argument(
        "--pace", type=float, default=20.0, help="seconds from message to message"
    )
    parser.add_argument(
        "--stay", type=float, default=300.0, help="seconds that a visitor stays"
    )
    parser.add_argument(
        "--faults", action="store_true", help="behind the network of `incident`"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.set_defaults(run=_soak)


def _soak(arguments: argparse.Namespace) -> int:
    seed = secrets.randbelow(10**6) if arguments.seed is None else arguments.seed
    console.print(f"Seed {seed}.")
    options = SoakOptions(
        visitors=arguments.visitors,
        seconds=arguments.minutes * 60,
        warm_up_s=arguments.warm_up * 60,
        every_s=arguments.every,
        database=arguments.database,
        seed=seed,
        pace_s=arguments.pace,
        stay_s=arguments.stay,
        has_faults=arguments.faults,
        command=arguments.line,
    )
    try:
        with Progress(console=console) as progress:
            outcome = run_soak(options, progress)
    except (RunError, TargetError, ServerMissingError) as error:
        return fail([str(error)], arguments)
    return show_soak(outcome, arguments.json)


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
    show_verdict(console, outcome.verdict)
    for failure in outcome.failures:
        console.print(failure, style="red", markup=False)
    # Not `failed`, which is of a run without figures: these stand.
    written = outcome.found | {"failures": outcome.failures}
    if outcome.verdict.life:
        written["life"] = outcome.verdict.life
    write(written, path)
    return 0 if outcome.passed else 1
