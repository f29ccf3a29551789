"""`kefu export`: conversations as a file."""

import argparse
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import tzinfo
from typing import BinaryIO

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Store
from kefu_core.desk.journal import CLI
from kefu_core.errors import KefuError
from kefu_core.node import unix_ms
from kefu_core.types import ConversationId
from kefu_server.accounts import in_store, journal
from kefu_server.commands.parsing import Commands, add_command
from kefu_server.commands.selecting import add_filter, add_zone, read_filter, read_zone
from kefu_server.export import ExportFormat, Selection, export, subject_of
from kefu_server.outfiles import opened_output
from kefu_server.output import say
from kefu_server.progress import Progress
from kefu_server.settings import Settings

Select = Callable[[Store], Awaitable[Selection]]


def add_exporting(commands: Commands) -> None:
    """Add `kefu export`."""
    parser = add_command(commands, "export", _export, "write conversations to a file")
    add_output(parser)
    parser.add_argument(
        "--conversation", metavar="ID", help="only this one; no other filter"
    )
    add_filter(parser)
    add_zone(parser)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add what to write and where."""
    parser.add_argument(
        "--format",
        choices=[str(format) for format in ExportFormat],
        default=str(ExportFormat.JSONL),
        help="jsonl: complete, `kefu import` reads it (the default); "
        "csv: for spreadsheets; html: for reading",
    )
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="where to write; - for a pipe"
    )
    parser.add_argument(
        "--language",
        choices=("zh-CN", "en"),
        default="zh-CN",
        help="of the few words that a page adds",
    )


def _export(options: argparse.Namespace, settings: Settings) -> int:
    zone = read_zone(options.zone)
    return export_to(
        options, settings, lambda store: _selection(store, options, zone), zone
    )


def export_to(
    options: argparse.Namespace,
    settings: Settings,
    select: Select,
    zone: tzinfo | None,
) -> int:
    """Write what `select` says to where the options say; returns the exit status."""

    async def act(store: Store) -> tuple[int, int]:
        selection = await select(store)
        told = {"format": options.format}
        await journal(store).write(CLI, "export", subject_of(selection), told)
        with opened_output(options.out) as file:
            return await write(
                store,
                selection,
                ExportFormat(options.format),
                zone,
                file,
                language=options.language,
            )

    try:
        conversations, messages = in_store(settings, act)
    except BrokenPipeError:
        # The reader has enough. Python must not complain again at its own end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if options.out != "-":
        say(
            f"Wrote {conversations:,} conversations with {messages:,} messages "
            f"to {options.out}."
        )
    return 0


async def write(
    store: Store,
    selection: Selection,
    format: ExportFormat,
    zone: tzinfo | None,
    file: BinaryIO,
    *,
    language: str = "zh-CN",
) -> tuple[int, int]:
    """Write an export to an open file; returns how much was written."""
    written = (0, 0)
    total = 0
    if isinstance(selection, ConversationFilter):
        total = (await store.measure(selection)).messages
    with Progress("messages", total) as progress:

        def on_progress(conversations: int, messages: int) -> None:
            nonlocal written
            written = conversations, messages
            progress.show(messages)

        chunks = export(
            store,
            selection,
            format,
            zone,
            now_ms=unix_ms,
            language=language,
            on_progress=on_progress,
        )
        async with aclosing(chunks):
            async for chunk in chunks:
                file.write(chunk)
    return written


async def _selection(
    store: Store, options: argparse.Namespace, zone: tzinfo | None
) -> Selection:
    wanted = await read_filter(store, options, zone)
    if options.conversation is None:
        return wanted
    if wanted != ConversationFilter():
        raise KefuError("Give --conversation or filters, not both.")
    number = options.conversation.lstrip("#")
    if not number.isdecimal():
        raise KefuError(f"{options.conversation!r} is not the id of a conversation.")
    return ConversationId(int(number))
