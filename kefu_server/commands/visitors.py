"""`kefu visitor`: what one visitor said, taken out or erased."""

import argparse
import sys

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Store
from kefu_core.desk.journal import CLI
from kefu_core.errors import KefuError, NotFound
from kefu_core.types import ParticipantId
from kefu_core.upkeep.erasing import ErasureReport, erase_visitor
from kefu_server.accounts import in_store, journal
from kefu_server.commands.exporting import add_output, export_to
from kefu_server.commands.parsing import Commands, add_command, add_group
from kefu_server.commands.selecting import add_zone, read_visitor, read_zone
from kefu_server.output import say
from kefu_server.progress import Progress
from kefu_server.settings import Settings


def add_visitors(commands: Commands) -> None:
    """Add `kefu visitor`."""
    visitor = add_group(commands, "visitor", "what one visitor said")
    parser = add_command(
        visitor, "export", _export, "write all that is stored of a visitor to a file"
    )
    parser.add_argument("visitor", metavar="ID", help="such as v12")
    add_output(parser)
    add_zone(parser)
    erase = add_command(
        visitor, "erase", _erase, "blank all conversations of a visitor, for ever"
    )
    erase.add_argument("visitor", metavar="ID", help="such as v12")
    erase.add_argument("--yes", action="store_true", help="do not ask")


def _export(options: argparse.Namespace, settings: Settings) -> int:
    visitor = read_visitor(options.visitor)
    zone = read_zone(options.zone)

    async def select(store: Store) -> ConversationFilter:
        await _name_and_extent(store, visitor)
        return ConversationFilter(visitors=await store.numbers_of(visitor))

    return export_to(options, settings, select, zone)


def _erase(options: argparse.Namespace, settings: Settings) -> int:
    visitor = read_visitor(options.visitor)
    name, conversations, messages = in_store(
        settings, lambda store: _name_and_extent(store, visitor)
    )
    if not options.yes:
        _confirm(
            f"{visitor} ({name or 'no name'}) has {conversations:,} conversations "
            f"with {messages:,} messages."
        )

    async def act(store: Store) -> ErasureReport:
        with Progress("messages", messages) as progress:
            report = await erase_visitor(store, visitor, on_progress=progress.show)
        told = {"messages": report.messages}
        await journal(store).write(CLI, "visitor.erase", visitor, told)
        return report

    report = in_store(settings, act)
    say(
        f"Erased {report.messages:,} texts and notes in {report.conversations:,} "
        f"conversations, and the name of {visitor}."
    )
    return 0


async def _name_and_extent(
    store: Store, visitor: ParticipantId
) -> tuple[str, int, int]:
    people = await store.people([visitor])
    numbers = await store.numbers_of(visitor)
    extent = await store.measure(ConversationFilter(visitors=numbers))
    if not people and not extent.conversations:
        raise NotFound(f"There is no visitor {visitor}.")
    name = people[0].name if people else ""
    return name, extent.conversations, extent.messages


def _confirm(text: str) -> None:
    """Ask on a terminal; elsewhere nobody could answer. Raises `KefuError`."""
    if not sys.stdin.isatty():
        raise KefuError("Nothing was erased: there is nobody to ask; say --yes.")
    say(text)
    sys.stdout.write("Erase all of it, for ever? Type yes: ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() != "yes":
        raise KefuError("Nothing was erased.")
