"""Clears files away that no message names any more.

A file is given up in two steps. First its row says so, under the condition that it is
as it was read: from then on nobody reads it, and an upload that is sent again under its
key is told to wait. Then its bytes go, and the row last, so that a process that dies in
between leaves something that the next turn finds.
"""

import logging
from collections.abc import Callable, Mapping

import anyio
import msgspec

from kefu_core.abc.files import FileStorage
from kefu_core.abc.store import Store
from kefu_core.errors import KefuError
from kefu_core.model import MessageKind
from kefu_core.records import Attachment, AttachmentStatus
from kefu_core.types import ConversationId, Seq, UnixMs

logger = logging.getLogger(__name__)

DAY_MS = 86_400_000
PENDING_MS = 3_600_000
"""A message follows its file within seconds; after an hour it will not come."""
INTERVAL_S = 60.0
PAGE = 100
_HISTORY = 100


class FileSweep:
    """Gives up files without a message and those a site keeps no longer."""

    def __init__(
        self, store: Store, storage: FileStorage, *, now_ms: Callable[[], int]
    ) -> None:
        """Take the store, who keeps the bytes, and a clock (Unix ms)."""
        self._store = store
        self._storage = storage
        self._now_ms = now_ms

    async def run(self) -> None:
        """Sweep every minute, until cancelled."""
        while True:
            await anyio.sleep(INTERVAL_S)
            try:
                await self.sweep()
            except KefuError as error:
                logger.info("files are cleared away in the next turn: %s", error)
            except Exception:
                # A fault of ours here must not end the server.
                logger.exception("clearing files away failed; it is tried again")

    async def sweep(self) -> int:
        """Do all that is due; return how many files went. Raises `StoreUnavailable`."""
        now = self._now_ms()
        for status in (AttachmentStatus.ARRIVING, AttachmentStatus.PENDING):
            await self._give_up(status, now - PENDING_MS)
        for site in await self._store.sites():
            if site.retention_days > 0:
                before = now - site.retention_days * DAY_MS
                await self._give_up_old(site.id, before)
        return await self._delete_dropped()

    async def _give_up(self, unnamed: AttachmentStatus, until: int) -> None:
        after = 0
        while rows := await self._rows(unnamed, after, until=until):
            for row in rows:
                # The process may have died after the message and before it said so.
                is_named = await self._is_named(row)
                status = (
                    AttachmentStatus.LINKED if is_named else AttachmentStatus.DROPPED
                )
                await self._change(row, status)
            after = rows[-1].id

    async def _give_up_old(self, site_id: int, until: int) -> None:
        after = 0
        of_site = {"site_id": site_id}
        while rows := await self._rows(
            AttachmentStatus.LINKED, after, until=until, where=of_site
        ):
            for row in rows:
                await self._change(row, AttachmentStatus.DROPPED)
            after = rows[-1].id

    async def _delete_dropped(self) -> int:
        count, after = 0, 0
        while rows := await self._rows(AttachmentStatus.DROPPED, after):
            for row in rows:
                for key in (row.thumbnail_key, row.storage_key):
                    if key:
                        await self._storage.delete(key)
            await self._store.delete_records(Attachment, [row.id for row in rows])
            count += len(rows)
            after = rows[-1].id
        return count

    async def _rows(
        self,
        status: AttachmentStatus,
        after: int,
        *,
        until: int | None = None,
        where: Mapping[str, int] | None = None,
    ) -> list[Attachment]:
        return await self._store.list_records(
            Attachment,
            where={"status": status.value, **(where or {})},
            at_most=None if until is None else {"created_at": until},
            after=after,
            limit=PAGE,
        )

    async def _change(self, row: Attachment, status: AttachmentStatus) -> None:
        """Change a row that is still as it was read; else somebody is using it."""
        await self._store.change_record(
            msgspec.structs.replace(row, status=status),
            when={"status": row.status.value, "created_at": row.created_at},
        )

    async def _is_named(self, row: Attachment) -> bool:
        """Whether the log has the message of a file."""
        conversation = ConversationId(row.conversation_id)
        since = UnixMs(row.created_at - PENDING_MS)
        seq = await self._store.seq_at(conversation, since) - 1
        while page := await self._store.history(
            conversation, after=Seq(max(0, seq)), limit=_HISTORY
        ):
            for message in page:
                is_file = message.kind is MessageKind.FILE
                if is_file and (message.data or {}).get("file") == row.id:
                    return True
            seq = page[-1].seq
        return False
