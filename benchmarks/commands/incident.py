"""`incident`: its options, and what it shows."""

import argparse
import secrets
from pathlib import Path

from rich.progress import Progress

from benchmarks.commands.shared import Commands, console, fail, write
from benchmarks.databases import SERVERS, ServerMissingError
from benchmarks.incident import Incident, IncidentOptions, run_incident
from benchmarks.report import show_verdict
from benchmarks.story import RunError
from benchmarks.target import TargetError


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("incident", help="everything that goes wrong, at once")
    parser.add_argument("--visitors", type=int, default=500)
    parser.add_argument("--agents", type=int, default=0, help="0: one for 16 visitors")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--hours", type=float, default=0.0, help="instead of minutes")
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
        "--keep", default="", metavar="DIR", help="keep its files there"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.set_defaults(run=_incident)


def _incident(arguments: argparse.Namespace) -> int:
    seed = secrets.randbelow(10**6) if arguments.seed is None else arguments.seed
    console.print(f"Seed {seed}.")
    options = IncidentOptions(
        visitors=arguments.visitors,
        agents=arguments.agents,
        seconds=arguments.hours * 3_600 or arguments.minutes * 60,
        database=arguments.database,
        seed=seed,
        pace_s=arguments.pace,
        stay_s=arguments.stay,
        keep=arguments.keep,
        command=arguments.line,
    )
    try:
        with Progress(console=console) as progress:
            outcome = run_incident(options, progress)
    except (RunError, TargetError, ServerMissingError) as error:
        return fail([str(error)], arguments)
    return show_incident(outcome, arguments.json)


def show_incident(outcome: Incident, path: Path | None) -> int:
    """Print what a run came to, and write it; return the exit status."""
    for key, value in outcome.found.items():
        console.print(f"{key:>22}  {value}", markup=False)
    show_verdict(console, outcome.verdict)
    for failure in outcome.failures:
        console.print(failure, style="red", markup=False)
    # Not `failed`, which is of a run without figures: these stand.
    written = outcome.found | {"failures": outcome.failures}
    if outcome.verdict.life:
        written["life"] = outcome.verdict.life
    write(written, path)
    return 0 if outcome.passed else 1
