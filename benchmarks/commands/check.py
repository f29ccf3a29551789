"""`check`: its options, and what it shows."""

import argparse
from pathlib import Path

from benchmarks.commands.shared import Commands, console
from benchmarks.history import Record, read_history
from benchmarks.judge import judge
from benchmarks.report import show_verdict
from benchmarks.rows import load_rows


def add_parser(commands: Commands) -> None:
    """Add the command."""
    check = commands.add_parser("check", help="judge recorded histories")
    check.add_argument("histories", type=Path, nargs="+", metavar="HISTORY")
    check.add_argument("--db", required=True, metavar="URL", help="SQLAlchemy URL")
    check.add_argument("--kills", type=int, default=0, help="for the bound per kill")
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    records: list[Record] = []
    for path in options.histories:
        records += read_history(path)
    verdict = judge(records, load_rows(options.db))
    show_verdict(console, verdict, kills=options.kills)
    return 0 if verdict.passed else 1
