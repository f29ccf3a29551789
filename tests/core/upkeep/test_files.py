"""Files without rows and rows without files are found, and what goes on is no fault."""

import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from kefu_core.abc.audit import FaultKind
from kefu_core.abc.files import StoredFile
from kefu_core.records import Attachment, AttachmentStatus
from kefu_core.storage.local import ARRIVING, LocalFiles
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ParticipantId
from kefu_core.upkeep import files
from kefu_core.upkeep.files import audit_files
from tests.core.upkeep.world import SHOP, memory_store

pytestmark = pytest.mark.anyio
BYTES = b"what was sent"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {}


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LOOK_AGAIN_S", 0.01)


def row(number: int, **changes: Any) -> Attachment:
    values: dict[str, Any] = {
        "site_id": SHOP.id,
        "conversation_id": 9,
        "uploader": ParticipantId("v1"),
        "key": f"k{number}",
        "name": "a.pdf",
        "media_type": "application/pdf",
        "size": len(BYTES),
        "sha256": hashlib.sha256(BYTES).hexdigest(),
        "storage_key": f"0{number}/kept",
        "status": AttachmentStatus.LINKED,
        **changes,
    }
    return Attachment(id=number, **values)


async def kept(folder: Path, store: MemoryStore, *rows: Attachment) -> LocalFiles:
    """Return a storage with what these rows name."""
    storage = LocalFiles(folder)
    await store.put_records(*rows)
    for each in rows:
        for key in files.keys_of(each):
            source = folder.parent / "source"
            source.write_bytes(BYTES)
            await storage.put(key, source)
    return storage


async def found(
    store: MemoryStore, storage: LocalFiles, *, reads: bool = False
) -> list[tuple[FaultKind, str]]:
    report = await audit_files(store, storage, reads=reads)
    return [(fault.kind, fault.text) for fault in report.faults]


async def test_whatever_rows_and_storage_disagree_about_is_named(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "files"
    async with memory_store() as store:
        thumbnail = row(5, thumbnail_key="05/kept.webp")
        storage = await kept(folder, store, row(1), row(2), row(3), row(4), thumbnail)
        assert await found(store, storage, reads=True) == []
        (folder / "02/kept").unlink()
        (folder / "03/kept").write_bytes(BYTES + b"!")
        (folder / "04/kept").write_bytes(BYTES[::-1])
        (folder / "05/kept.webp").unlink()
        (folder / "ff").mkdir()
        (folder / "ff/nobodys").write_bytes(b"")
        (folder / ARRIVING).mkdir()
        (folder / ARRIVING / "half").write_bytes(b"")
        by_size = [
            (FaultKind.FILE, "file 2 is not there"),
            (FaultKind.FILE, "file 3 has 14 bytes and not 13"),
            (FaultKind.FILE, "file 5 has lost its small picture"),
            (FaultKind.STRAY, "ff/nobodys is kept, and nothing names it"),
        ]
        assert await found(store, storage) == by_size
        turned = (FaultKind.FILE, "file 4 is not what was sent")
        assert await found(store, storage, reads=True) == sorted(
            [*by_size, turned], key=lambda fault: (fault[0] != "file", fault[1])
        )


async def test_what_arrives_or_goes_while_it_is_looked_at_is_no_fault(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "files"

    class Busy(LocalFiles):
        async def listed(self) -> AsyncGenerator[StoredFile]:
            async for each in super().listed():
                yield each
            # After the listing and before the rows are read: one came, one went.
            await kept(folder, store, row(2))
            await store.delete_records(Attachment, [1])
            await storage.delete("01/kept")

    async with memory_store() as store:
        arriving = row(3, status=AttachmentStatus.ARRIVING)
        dropped = row(4, status=AttachmentStatus.DROPPED)
        await kept(folder, store, row(1), dropped)
        await store.put_records(arriving)
        storage = Busy(folder)
        assert await found(store, storage) == []
