"""`report`: its options, and where it writes."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.commands.shared import Commands, console
from benchmarks.document import ReportError, load_runs, make_report


def add_parser(commands: Commands) -> None:
    """Add the command."""
    report = commands.add_parser("report", help="one page of HTML from files of --json")
    report.add_argument("files", type=Path, nargs="+", metavar="FILE")
    report.add_argument("--out", type=Path, required=True, metavar="report.html")
    report.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> int:
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    try:
        page = make_report(load_runs(options.files), made=made)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(page, "utf-8")
    except (ReportError, OSError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    console.print(f"Written to {options.out}.")
    return 0
