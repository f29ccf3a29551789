"""`kefu agent`: accounts of those who answer."""

import argparse
import getpass
import secrets
import sys

from kefu_core.errors import KefuError
from kefu_server import accounts
from kefu_server.commands.parsing import Commands, add_command, add_group
from kefu_server.output import say
from kefu_server.settings import Settings

_ONCE_BYTES = 15


def add_agents(commands: Commands) -> None:
    """Add `kefu agent`."""
    agent = add_group(commands, "agent", "accounts of those who answer")
    add = add_command(agent, "add", _add, "create an account; asks for a password")
    add.add_argument("login")
    add.add_argument("--name", help="what visitors see (default: the login)")
    add.add_argument("--admin", action="store_true", help="may also manage kefu")
    add.add_argument(
        "--language",
        metavar="TAG",
        default="",
        help="what it reads and writes, such as pt-BR (default: what its sites say)",
    )
    add_command(agent, "list", _list, "list the accounts")
    password = add_command(
        agent, "password", _password, "set a new password and end all logins"
    )
    password.add_argument("login")
    password.add_argument(
        "--once",
        action="store_true",
        help="make a password and print it; it is good for choosing another only",
    )
    language = add_command(
        agent, "language", _language, "what an account reads and writes"
    )
    language.add_argument("login")
    language.add_argument(
        "tag",
        nargs="?",
        help="such as pt-BR, from now on; '' for what its sites say",
    )
    factor = add_command(
        agent, "factor", _factor, "whether an account has two-factor login"
    )
    factor.add_argument("login")
    factor.add_argument(
        "--off", action="store_true", help="ask for no code of an app any more"
    )
    deactivate = add_command(
        agent, "deactivate", _deactivate, "end all logins and let nobody log in"
    )
    deactivate.add_argument("login")
    activate = add_command(agent, "activate", _activate, "let log in again")
    activate.add_argument("login")


def _add(options: argparse.Namespace, settings: Settings) -> int:
    agent = accounts.add_agent(
        settings,
        options.login,
        options.name or options.login,
        _read_password(),
        is_admin=options.admin,
        language=options.language,
    )
    say(f"Added agent {agent.login} ({agent.role}).")
    return 0


def _list(options: argparse.Namespace, settings: Settings) -> int:
    for agent in accounts.list_agents(settings):
        state = "" if agent.is_active else " (inactive)"
        language = f"\t{agent.language}" if agent.language else ""
        say(f"{agent.login}\t{agent.role}\t{agent.name}{state}{language}")
    return 0


def _password(options: argparse.Namespace, settings: Settings) -> int:
    if options.once:
        password = secrets.token_urlsafe(_ONCE_BYTES)
        accounts.set_password(settings, options.login, password, is_one_time=True)
        say(password)
        return 0
    accounts.set_password(settings, options.login, _read_password())
    say(f"Changed the password of {options.login}; all logins of it have ended.")
    return 0


def _language(options: argparse.Namespace, settings: Settings) -> int:
    if options.tag is None:
        agent = accounts.in_store(
            settings, lambda store: accounts.find_in(store, options.login)
        )
    else:
        agent = accounts.set_language(settings, options.login, options.tag)
    say(f"{agent.login} reads and writes {agent.language or 'what its sites say'}.")
    return 0


def _factor(options: argparse.Namespace, settings: Settings) -> int:
    has_one = accounts.has_factor(settings, options.login)
    if has_one and options.off:
        accounts.switch_off_factor(settings, options.login)
        say(f"{options.login} logs in by the password alone from now on.")
    elif has_one:
        say(f"{options.login} logs in with a code of an app as well.")
    else:
        say(f"{options.login} has no two-factor login.")
    return 0


def _deactivate(options: argparse.Namespace, settings: Settings) -> int:
    agent = accounts.set_active(settings, options.login, is_active=False)
    say(f"Deactivated {agent.login}; all logins of it have ended.")
    return 0


def _activate(options: argparse.Namespace, settings: Settings) -> int:
    agent = accounts.set_active(settings, options.login, is_active=True)
    say(f"Activated {agent.login}; it logs in with its password.")
    return 0


def _read_password() -> str:
    """Return a password from the terminal, typed twice, or one line of a pipe.

    Never from the command line, which every user of the machine can read.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise KefuError("The two passwords differ; nothing was changed.")
    return password
