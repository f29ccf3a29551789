"""`kefu init`: everything a new installation needs, by questions or by flags."""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import anyio

from kefu_core.errors import ConfigurationError, KefuError
from kefu_server import database
from kefu_server.commands.parsing import Commands, add_command
from kefu_server.output import complain, say
from kefu_server.settings import Settings
from kefu_server.setup.choices import Choices
from kefu_server.setup.files import PlannedFile, planned
from kefu_server.setup.flags import add_flags, choices_of
from kefu_server.setup.making import Made, make_all, settings_of
from kefu_server.setup.report import check_lines, file_lines, made_lines, sentence
from kefu_server.setup.terminal import Terminal
from kefu_server.setup.trial import examine, examine_places, worst
from kefu_server.setup.wizard import Wizard
from kefu_server.words import Words, language_of, languages, load_words


def add_init(commands: Commands) -> None:
    """Add `kefu init`."""
    parser = add_command(
        commands, "init", _init, "set everything up: settings, tables, site and admin"
    )
    # What is there already may be what is to be mended.
    parser.set_defaults(reads_settings=False)
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="where the settings go (as root: /etc/kefu/kefu.toml, else kefu.toml)",
    )
    parser.add_argument(
        "--language", choices=languages(), help="of this terminal (default: $LANG)"
    )
    parser.add_argument(
        "--non-interactive",
        action="store_true",
        help="ask nothing; what follows says it all",
    )
    add_flags(parser)


def _init(options: argparse.Namespace, settings: Settings) -> int:
    words = load_words(options.language or language_of())
    if options.non_interactive or options.dry_run:
        choices, password = choices_of(options, os.environ)
        return carry_out(options, choices, words, password)
    if not sys.stdin.isatty():
        raise ConfigurationError(words("init.no_terminal"))
    return _converse(options, words)


def _converse(options: argparse.Namespace, words: Words) -> int:
    terminal = Terminal(words)
    wizard = Wizard(terminal)
    try:
        choices = wizard.run(options.config)
    except (EOFError, KeyboardInterrupt):
        choices = None
        terminal.say()
    if choices is None:
        complain(words("init.nothing"))
        return 130
    settings = settings_of(choices)
    files = planned(choices, settings, words)
    made = _made(choices, settings, files)
    for line in made_lines(choices, settings, made, words, wizard.password):
        terminal.say(line)
    return 0


def carry_out(
    options: argparse.Namespace, choices: Choices, words: Words, password: str
) -> int:
    """Check everything, then write everything. Raises `KefuError`: nothing was."""
    settings = settings_of(choices)
    files = planned(choices, settings, words)
    checks = [*anyio.run(examine, choices, settings), *examine_places(files)]
    for check in checks:
        for line in check_lines(check, words):
            say(line)
    if bad := worst(checks, options.ignore):
        complain(words("init.stopped", why=sentence(bad, words)))
        return 1
    if options.dry_run:
        for line in file_lines(files, words):
            say(line)
        return 0
    made = _made(choices, settings, files)
    for line in made_lines(choices, settings, made, words, password):
        say(line)
    return 0


def _made(choices: Choices, settings: Settings, files: list[PlannedFile]) -> Made:
    try:
        return make_all(choices, settings, files, stamp())
    except KefuError as error:
        # The settings of this command are not those that `main` knows.
        raise type(error)(database.hide_url(str(error), settings)) from error


def stamp() -> str:
    """Return the time as backups have it in their names."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
