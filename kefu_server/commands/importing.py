"""`kefu import`: conversations from a file."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from kefu_core.abc.store import Store
from kefu_core.errors import KefuError
from kefu_core.node import unix_ms
from kefu_core.upkeep.importing import ImportReport, import_archive
from kefu_server.accounts import in_store
from kefu_server.commands.parsing import Commands, add_command
from kefu_server.logs import escape
from kefu_server.output import complain, say
from kefu_server.progress import Progress
from kefu_server.settings import Settings


def add_importing(commands: Commands) -> None:
    """Add `kefu import`."""
    parser = add_command(
        commands,
        "import",
        _import,
        "take in an archive that `kefu export` wrote; may be run again",
    )
    parser.add_argument("file", metavar="FILE", help="the archive; - for a pipe")


def _import(options: argparse.Namespace, settings: Settings) -> int:
    async def act(store: Store) -> ImportReport:
        with _opened(options.file) as (file, size), Progress("bytes", size) as progress:
            return await import_archive(
                store, file, now_ms=unix_ms, on_progress=progress.show
            )

    report = in_store(settings, act)
    for fault in report.faults:
        complain(escape(str(fault)))
    more = report.fault_count - len(report.faults)
    if more:
        complain(f"… and {more:,} more")
    seen = f"{report.conversations:,} conversations with {report.messages:,} messages"
    if report.new_conversations or report.new_messages:
        say(
            f"Read {seen}: {report.new_conversations:,} conversations and "
            f"{report.new_messages:,} messages are new."
        )
    else:
        say(f"Read {seen}: nothing is new.")
    if report.left_out:
        say(f"{report.left_out:,} messages were left out.")
    return 1 if report.fault_count else 0


@contextmanager
def _opened(name: str) -> Iterator[tuple[BinaryIO, int]]:
    """Open what to read; its size is 0 where nobody knows."""
    if name == "-":
        yield sys.stdin.buffer, 0
        return
    path = Path(name)
    try:
        file = path.open("rb")
        size = path.stat().st_size
    except OSError as error:
        raise KefuError(f"{name} cannot be read: {error.strerror}.") from error
    with file:
        yield file, size
