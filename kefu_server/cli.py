"""The `kefu` command.

Exit status: 0 done; 1 refused or failed, with one sentence that says why; 2 a wrong
command line or setting; 130 interrupted.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from kefu_core.errors import ConfigurationError, KefuError
from kefu_server import database
from kefu_server.commands.agents import add_agents
from kefu_server.commands.auditing import add_auditing
from kefu_server.commands.backing import add_backing
from kefu_server.commands.databases import add_databases
from kefu_server.commands.doctoring import add_doctoring
from kefu_server.commands.exporting import add_exporting
from kefu_server.commands.importing import add_importing
from kefu_server.commands.init import add_init
from kefu_server.commands.journal import add_journal
from kefu_server.commands.parsing import Command
from kefu_server.commands.serving import add_serving
from kefu_server.commands.sites import add_sites
from kefu_server.commands.tokens import add_tokens
from kefu_server.commands.translating import add_translating
from kefu_server.commands.visitors import add_visitors
from kefu_server.logs import configure_logging, escape
from kefu_server.output import complain
from kefu_server.settings import Settings, load_settings
from kefu_server.versions import installed_version


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    settings = Settings()
    try:
        if getattr(options, "reads_settings", True):
            settings = load_settings(options.config)
        configure_logging(settings.log_level, settings.log_format)
        return command(options, settings)
    except KefuError as error:
        complain(escape(database.hide_url(str(error), settings)))
        return 2 if isinstance(error, ConfigurationError) else 1
    except BrokenPipeError:
        # Whoever reads has enough, as `head` has. What is still in the buffer would
        # fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        # A full or read-only disk, met where nobody expected it.
        complain(escape(f"{error.filename or 'A file'}: {error.strerror or error}."))
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kefu", description="Live chat whose acknowledged messages are kept."
    )
    parser.add_argument(
        "--version", action="version", version=f"kefu {installed_version()}"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings (default: $KEFU_CONFIG, else kefu.toml where it exists)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        add_init,
        add_serving,
        add_agents,
        add_sites,
        add_tokens,
        add_visitors,
        add_translating,
        add_exporting,
        add_importing,
        add_auditing,
        add_backing,
        add_journal,
        add_doctoring,
        add_databases,
    ):
        add(commands)
    return parser
