"""`incident`: its options, and what it shows."""

import argparse
from functools import partial
from pathlib import Path

from benchmarks.commands.scenes import add_scene_options, conclude, play, scene_options
from benchmarks.commands.shared import Commands, console
from benchmarks.incident import Incident, IncidentOptions, run_incident


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("incident", help="everything that goes wrong, at once")
    add_scene_options(parser, visitors=500, minutes=10.0)
    parser.set_defaults(run=_incident)


def _incident(arguments: argparse.Namespace) -> int:
    options = IncidentOptions(**scene_options(arguments))
    return play(partial(run_incident, options), show_incident, arguments)


def show_incident(outcome: Incident, path: Path | None) -> int:
    """Print what a run came to, and write it; return the exit status."""
    for key, value in outcome.found.items():
        console.print(f"{key:>22}  {value}", markup=False)
    conclude(outcome.found, outcome.verdict, outcome.failures, path)
    return 0 if outcome.passed else 1
