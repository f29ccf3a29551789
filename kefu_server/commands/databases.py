"""`kefu db`: the database."""

import argparse

from kefu_server import database
from kefu_server.commands.parsing import Commands, add_command, add_group
from kefu_server.output import complain, say
from kefu_server.settings import Settings


def add_databases(commands: Commands) -> None:
    """Add `kefu db`."""
    db = add_group(commands, "db", "the database")
    add_command(db, "upgrade", _upgrade, "create or upgrade the tables")
    add_command(db, "current", _current, "show the version of the tables")
    add_command(db, "check", _check, "check that the database can keep its promise")


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
