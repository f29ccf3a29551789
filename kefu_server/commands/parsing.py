"""How a command is declared."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from kefu_server.settings import Settings

Command = Callable[[argparse.Namespace, Settings], int]
"""Runs with the parsed line and the settings; returns the exit status."""

if TYPE_CHECKING:
    # Generic for the checker only: at run time it takes no parameters.
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = argparse._SubParsersAction


def add_command(
    commands: Commands,
    name: str,
    command: Command,
    text: str,
) -> argparse.ArgumentParser:
    """Add a command that does something; returns its parser, for its arguments."""
    parser = commands.add_parser(name, help=text, description=text.capitalize() + ".")
    parser.set_defaults(command=command)
    return parser


def add_group(
    commands: Commands,
    name: str,
    text: str,
) -> Commands:
    """Add a word that others follow, such as `kefu agent`."""
    parser = commands.add_parser(name, help=text)
    return parser.add_subparsers(required=True, metavar="COMMAND")
