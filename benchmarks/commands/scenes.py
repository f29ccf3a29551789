"""What `incident` and `soak` are both asked for, and how both end."""

import argparse
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from rich.progress import Progress

from benchmarks.commands.shared import console, fail, write
from benchmarks.databases import SERVERS, ServerMissingError
from benchmarks.judge import Verdict
from benchmarks.report import show_verdict
from benchmarks.story import RunError
from benchmarks.target import TargetError

_T = TypeVar("_T")


def add_scene_options(
    parser: argparse.ArgumentParser, *, visitors: int, minutes: float
) -> None:
    """Add the options of `SceneOptions`, with these for what is not said."""
    parser.add_argument("--visitors", type=int, default=visitors)
    parser.add_argument("--agents", type=int, default=0, help="0: one for 16 visitors")
    parser.add_argument("--minutes", type=float, default=minutes)
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


def scene_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of `SceneOptions` as they were asked for."""
    seed = secrets.randbelow(10**6) if arguments.seed is None else arguments.seed
    console.print(f"Seed {seed}.")
    return {
        "visitors": arguments.visitors,
        "agents": arguments.agents,
        "seconds": arguments.hours * 3_600 or arguments.minutes * 60,
        "database": arguments.database,
        "seed": seed,
        "pace_s": arguments.pace,
        "stay_s": arguments.stay,
        "keep": arguments.keep,
        "command": arguments.line,
    }


def play(
    run: Callable[[Progress], _T],
    show: Callable[[_T, Path | None], int],
    arguments: argparse.Namespace,
) -> int:
    """Run it and show what it came to; return the exit status."""
    try:
        with Progress(console=console) as progress:
            outcome = run(progress)
    except (RunError, TargetError, ServerMissingError) as error:
        return fail([str(error)], arguments)
    return show(outcome, arguments.json)


def conclude(
    found: dict[str, object], verdict: Verdict, failures: list[str], path: Path | None
) -> None:
    """Print the verdict and what else is wrong; write all of it."""
    show_verdict(console, verdict)
    for failure in failures:
        console.print(failure, style="red", markup=False)
    # Not `failed`, which is of a run without figures: these stand.
    written = found | {"failures": failures}
    if verdict.life:
        written["life"] = verdict.life
    write(written, path)
