"""Whether the files that rows name are there, and nothing else is.

A file's row is written before its bytes and deleted after them, so at every moment the
storage has nothing that no row names. The storage is listed first, rows are read then,
and whatever does not fit is looked at again: an upload or a deletion that goes on
meanwhile is no fault.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from hashlib import sha256

import anyio

from kefu_core.abc.audit import Fault, FaultKind
from kefu_core.abc.files import FileMissing, FileStorage
from kefu_core.abc.store import Store
from kefu_core.records import Attachment, AttachmentStatus
from kefu_core.types import ConversationId

_PAGE = 200
_KEPT = (AttachmentStatus.PENDING, AttachmentStatus.LINKED)
LOOK_AGAIN_S = 1.0
"""Before what looked wrong is looked at once more."""


class FilesReport:
    """What was looked at and what was found."""

    def __init__(self) -> None:
        self.files = 0
        """Rows whose bytes are to be there."""
        self.bytes = 0
        self.faults: list[Fault] = []


async def audit_files(
    store: Store, storage: FileStorage, *, reads: bool = False
) -> FilesReport:
    """Compare rows and storage, beside a running server; changes nothing.

    Args:
        store: Has the rows.
        storage: Has the bytes.
        reads: Whether to read every byte and compare its SHA-256 too.

    Raises:
        StoreUnavailable: One of them is away.
    """
    sizes = {found.key: found.size async for found in storage.listed()}
    report = FilesReport()
    suspects: list[Attachment] = []
    async with aclosing(rows_of(store)) as rows:
        async for row in rows:
            found = [sizes.pop(key, None) for key in keys_of(row)]
            if row.status not in _KEPT:
                continue
            report.files += 1
            report.bytes += row.size
            is_fitting = found[:1] == [row.size] and None not in found
            if not is_fitting or (reads and await _wrong(store, storage, row)):
                suspects.append(row)
    if suspects or sizes:
        await anyio.sleep(LOOK_AGAIN_S)
    for row in suspects:
        text = await _wrong(store, storage, row)
        if text:
            report.faults.append(
                Fault(
                    kind=FaultKind.FILE,
                    text=f"file {row.id} {text}",
                    conversation=ConversationId(row.conversation_id),
                )
            )
    report.faults += [
        Fault(kind=FaultKind.STRAY, text=f"{key} is kept, and nothing names it")
        for key in sorted(sizes)
        if await _is_there(storage, key)
    ]
    return report


async def rows_of(store: Store) -> AsyncGenerator[Attachment]:
    """Yield the rows of all files, by id."""
    after = 0
    while rows := await store.list_records(Attachment, after=after, limit=_PAGE):
        for row in rows:
            yield row
        after = rows[-1].id


def keys_of(row: Attachment) -> list[str]:
    """Return what a row names in the storage."""
    return [key for key in (row.storage_key, row.thumbnail_key) if key]


async def _wrong(store: Store, storage: FileStorage, row: Attachment) -> str:
    """Return what is wrong with the bytes of a row that is still there."""
    size, digest = 0, sha256()
    try:
        async for chunk in storage.read(row.storage_key):
            size += len(chunk)
            digest.update(chunk)
    except FileMissing:
        size = -1
    thumbnail = row.thumbnail_key
    is_whole = not thumbnail or await _is_there(storage, thumbnail)
    now = await store.find_record(Attachment, row.id)
    if now is None or now.status not in _KEPT:
        return ""
    if size < 0:
        return "is not there"
    if size != row.size:
        return f"has {size:,} bytes and not {row.size:,}"
    if row.sha256 and digest.hexdigest() != row.sha256:
        return "is not what was sent"
    return "" if is_whole else "has lost its small picture"


async def _is_there(storage: FileStorage, key: str) -> bool:
    try:
        async with aclosing(storage.read(key)) as chunks:
            async for _ in chunks:
                break
    except FileMissing:
        return False
    return True
