"""`kefu db`: the database."""

import argparse
from contextlib import ExitStack

import anyio

from kefu_core.errors import KefuError
from kefu_core.store.copying import CopyReport, copy_installation
from kefu_server import database
from kefu_server.commands.parsing import Commands, add_command, add_group
from kefu_server.output import complain, say
from kefu_server.progress import Progress
from kefu_server.settings import Settings


def add_databases(commands: Commands) -> None:
    """Add `kefu db`."""
    db = add_group(commands, "db", "the database")
    add_command(db, "upgrade", _upgrade, "create or upgrade the tables")
    add_command(db, "current", _current, "show the version of the tables")
    copy = add_command(
        db, "copy", _copy, "copy a whole installation into another, empty database"
    )
    copy.add_argument(
        "--from",
        dest="source",
        metavar="URL",
        help="what to copy (default: the database of the settings); stop its server",
    )
    copy.add_argument("--to", dest="target", required=True, metavar="URL")
    add_command(db, "check", _check, "check that the database can keep its promise")


def _copy(options: argparse.Namespace, settings: Settings) -> int:
    source = options.source or settings.database
    try:
        report = _copied(source, options.target)
    except KefuError as error:
        text = str(error)
        for url in (source, options.target):
            text = text.replace(url, "***")
        raise type(error)(text) from error
    for table, rows in report.rows.items():
        say(f"{table}\t{rows:,} rows, the same on both sides")
    say("The copy is whole. Its clients will fetch everything again; search is made")
    say("anew when its server starts.")
    return 0


def _copied(source: str, target: str) -> CopyReport:
    async def run() -> CopyReport:
        with ExitStack() as stack:
            copying = stack.enter_context(Progress("rows copied", 0))
            comparing: Progress | None = None

            def on_compared(done: int, total: int) -> None:
                nonlocal comparing
                if comparing is None:
                    stack.close()
                    comparing = stack.enter_context(Progress("rows compared", total))
                comparing.show(done)

            return await copy_installation(
                source, target, on_copied=copying.show, on_compared=on_compared
            )

    return anyio.run(run)


def _upgrade(options: argparse.Namespace, settings: Settings) -> int:
    say(f"The tables are at version {database.upgrade(settings)}.")
    return 0


def _current(options: argparse.Namespace, settings: Settings) -> int:
    current = database.current(settings)
    say(current or "There are no tables yet; run: kefu db upgrade")
    return 0 if current else 1


def _check(options: argparse.Namespace, settings: Settings) -> int:
    problems = database.check(settings)
    for problem in problems:
        complain(problem)
    if not problems:
        say("The database keeps what it acknowledges.")
    return 1 if problems else 0
