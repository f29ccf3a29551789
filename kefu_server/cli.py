"""The `kefu` command.

Exit status: 0 done; 1 refused or failed, with one sentence that says why; 2 a wrong
command line or setting; 130 interrupted.
"""

import argparse
import getpass
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from kefu_core.errors import ConfigurationError, KefuError
from kefu_server import accounts, database
from kefu_server.logs import configure_logging, escape
from kefu_server.output import complain, say
from kefu_server.settings import Settings, load_settings

Command = Callable[[argparse.Namespace, Settings], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    settings = Settings()
    try:
        settings = load_settings(options.config)
        configure_logging(settings.log_level)
        return command(options, settings)
    except KefuError as error:
        complain(escape(database.hide_url(str(error), settings)))
        return 2 if isinstance(error, ConfigurationError) else 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kefu", description="Live chat whose acknowledged messages are kept."
    )
    parser.add_argument("--version", action="version", version=f"kefu {_version()}")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings (default: $KEFU_CONFIG, else kefu.toml where it exists)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "serve", _serve, "run the server")
    demo = _add(commands, "demo", _demo, "run the server with a sample shop")
    demo.add_argument("--port", type=int, default=8080, help="port of the server")
    demo.add_argument("--shop-port", type=int, default=8081, help="port of the shop")
    demo.add_argument("--data-dir", type=Path, default=Path("demo-data"))
    _add_agent(commands)
    _add_site(commands)
    _add_db(commands)
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    command: Command,
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text.capitalize() + ".")
    parser.set_defaults(command=command)
    return parser


def _add_agent(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    agent = commands.add_parser("agent", help="accounts of those who answer")
    inner = agent.add_subparsers(required=True, metavar="COMMAND")
    add = _add(inner, "add", _agent_add, "create an account; asks for a password")
    add.add_argument("login")
    add.add_argument("--name", help="what visitors see (default: the login)")
    add.add_argument("--admin", action="store_true", help="may also manage kefu")
    _add(inner, "list", _agent_list, "list the accounts")
    password = _add(
        inner, "password", _agent_password, "set a new password and end all logins"
    )
    password.add_argument("login")
    deactivate = _add(
        inner, "deactivate", _agent_deactivate, "end all logins and let nobody log in"
    )
    deactivate.add_argument("login")
    activate = _add(inner, "activate", _agent_activate, "let log in again")
    activate.add_argument("login")


def _add_site(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    site = commands.add_parser("site", help="pages that embed the widget")
    inner = site.add_subparsers(required=True, metavar="COMMAND")
    add = _add(inner, "add", _site_add, "create a site; prints the line to embed")
    add.add_argument("name")
    add.add_argument(
        "--origin",
        action="append",
        required=True,
        metavar="ORIGIN",
        help="a page's origin such as https://shop.example; may be repeated",
    )
    add.add_argument("--locale", default="zh-CN", choices=("zh-CN", "en"))
    _add(inner, "list", _site_list, "list the sites")


def _add_db(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    db = commands.add_parser("db", help="the database")
    inner = db.add_subparsers(required=True, metavar="COMMAND")
    _add(inner, "upgrade", _db_upgrade, "create or upgrade the tables")
    _add(inner, "current", _db_current, "show the version of the tables")
    _add(inner, "check", _db_check, "check that the database can keep its promise")


# -- commands ------------------------------------------------------------------------


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    # Imported here: the other commands need neither hypercorn nor the hub.
    from kefu_server.serve import run

    run(settings)
    return 0


def _demo(options: argparse.Namespace, settings: Settings) -> int:
    from kefu_server.demo.run import run_demo

    run_demo(options.data_dir, options.port, options.shop_port)
    return 0


def _agent_add(options: argparse.Namespace, settings: Settings) -> int:
    agent = accounts.add_agent(
        settings,
        options.login,
        options.name or options.login,
        _read_password(),
        is_admin=options.admin,
    )
    say(f"Added agent {agent.login} ({agent.role}).")
    return 0


def _agent_list(options: argparse.Namespace, settings: Settings) -> int:
    for agent in accounts.list_agents(settings):
        state = "" if agent.is_active else " (inactive)"
        say(f"{agent.login}\t{agent.role}\t{agent.name}{state}")
    return 0


def _agent_password(options: argparse.Namespace, settings: Settings) -> int:
    accounts.set_password(settings, options.login, _read_password())
    say(f"Changed the password of {options.login}; all logins of it have ended.")
    return 0


def _agent_deactivate(options: argparse.Namespace, settings: Settings) -> int:
    agent = accounts.set_active(settings, options.login, is_active=False)
    say(f"Deactivated {agent.login}; all logins of it have ended.")
    return 0


def _agent_activate(options: argparse.Namespace, settings: Settings) -> int:
    agent = accounts.set_active(settings, options.login, is_active=True)
    say(f"Activated {agent.login}; it logs in with its password.")
    return 0


def _site_add(options: argparse.Namespace, settings: Settings) -> int:
    site = accounts.add_site(settings, options.name, options.origin, options.locale)
    say(f"Added site {site.name} with the key {site.embed_key}. Put this line into it:")
    say(accounts.embed_line(settings.origins[0], site.embed_key))
    return 0


def _site_list(options: argparse.Namespace, settings: Settings) -> int:
    for site in accounts.list_sites(settings):
        origins = " ".join(site.allowed_origins)
        say(f"{site.embed_key}\t{site.name}\t{site.locale}\t{origins}")
    return 0


def _db_upgrade(options: argparse.Namespace, settings: Settings) -> int:
    say(f"The tables are at version {database.upgrade(settings)}.")
    return 0


def _db_current(options: argparse.Namespace, settings: Settings) -> int:
    current = database.current(settings)
    say(current or "There are no tables yet; run: kefu db upgrade")
    return 0 if current else 1


def _db_check(options: argparse.Namespace, settings: Settings) -> int:
    problems = database.check(settings)
    for problem in problems:
        complain(problem)
    if not problems:
        say("The database keeps what it acknowledges.")
    return 1 if problems else 0


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


def _version() -> str:
    try:
        return version("kefu")
    except PackageNotFoundError:
        return "(not installed)"
