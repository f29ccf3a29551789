"""Writes a backup of an installation that may be serving.

First the database, at one moment; then the files that its rows name. A file never
changes and its row is written before its bytes are acknowledged, so whatever was
acknowledged before the moment is there. A file that was cleared away in between is
noted as gone.
"""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from kefu_core.abc.files import FileMissing, FileStorage
from kefu_core.errors import KefuError
from kefu_core.node import unix_ms
from kefu_core.records import AttachmentStatus
from kefu_core.store.dumping import open_dump
from kefu_server.backups.archive import (
    FILES,
    FORMAT,
    SECRET,
    SETTINGS,
    TRANSLATION,
    VERSION,
    Manifest,
    Writer,
)
from kefu_server.backups.settings_text import settings_text
from kefu_server.settings import Settings, load_secret
from kefu_server.storing import open_files

ATTACHMENT = "attachment"
"""The table whose rows name files."""
KEPT = {AttachmentStatus.PENDING.value, AttachmentStatus.LINKED.value}

OnDone = Callable[[int], None]
"""Is told how many rows and files are done."""


class BackupReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    rows: dict[str, int]
    files: int
    file_bytes: int
    gone: list[str]
    """Keys that rows name and the storage has not."""
    changed: list[str]
    """Keys whose bytes are not those that were sent; they are in it as they are."""


async def write_backup(
    settings: Settings,
    file: BinaryIO,
    *,
    kefu: str,
    with_secrets: bool,
    with_files: bool,
    on_done: OnDone | None = None,
) -> BackupReport:
    """Write a whole backup to an open file.

    Raises:
        KefuError: A part of it cannot be read; what was written is no backup.
    """
    writer = Writer(file)
    text = settings_text(settings, with_secrets=with_secrets)
    writer.add(SETTINGS, text.encode())
    if with_secrets:
        _add_secrets(writer, settings)
    began_at = unix_ms()
    wanted: dict[str, str] = {}
    done = 0
    async with open_dump(settings.database) as dump:
        async with aclosing(dump.rows()) as pages:
            async for table, columns, rows in pages:
                writer.add_rows(table, columns, rows)
                if table == ATTACHMENT and with_files:
                    wanted |= _keys(columns, rows)
                done += len(rows)
                if on_done is not None:
                    on_done(done)
        writer.end_rows()
    gone: list[str] = []
    changed: list[str] = []
    storage = open_files(settings)
    for key, digest in wanted.items():
        found = await _add_file(writer, storage, key)
        if found is None:
            gone.append(key)
        elif digest and found != digest:
            changed.append(key)
        done += 1
        if on_done is not None:
            on_done(done)
    manifest = Manifest(
        format=FORMAT,
        version=VERSION,
        kefu=kefu,
        revision=dump.revision,
        engine=dump.engine,
        epoch=dump.epoch,
        began_at=began_at,
        has_secrets=with_secrets,
        has_files=with_files,
        tables=writer.tables,
        gone=gone,
        members=dict(writer.members),
    )
    writer.close(manifest)
    sizes = [m.size for name, m in manifest.members.items() if name.startswith(FILES)]
    return BackupReport(
        rows={name: table.rows for name, table in writer.tables.items()},
        files=len(sizes),
        file_bytes=sum(sizes),
        gone=gone,
        changed=changed,
    )


def _add_secrets(writer: Writer, settings: Settings) -> None:
    writer.add(SECRET, load_secret(settings))
    if settings.translation.file:
        path = Path(settings.translation.file)
        try:
            writer.add(TRANSLATION, path.read_bytes())
        except OSError as error:
            raise KefuError(f"{path} cannot be read: {error.strerror}.") from error


def _keys(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, str]:
    """Return the keys that rows name, each with the digest that it must have."""
    found: dict[str, str] = {}
    for values in rows:
        row = dict(zip(columns, values, strict=True))
        if row["status"] in KEPT:
            found[row["storage_key"]] = row["sha256"]
            if row["thumbnail_key"]:
                found[row["thumbnail_key"]] = ""
    return found


async def _add_file(writer: Writer, storage: FileStorage, key: str) -> str | None:
    """Write one file; returns its digest, None where there is none."""
    try:
        async with aclosing(storage.read(key)) as chunks:
            member = await writer.add_chunks(FILES + key, chunks)
    except FileMissing:
        return None
    return member.sha256
