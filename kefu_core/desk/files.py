"""Files that visitors and agents send each other.

A file has three steps, each whole before the next: its row says whose it is and where
its bytes will be, the bytes are kept for good, and a message in the log names it. So a
message that was acknowledged always has its file, and no bytes are ever without a row,
whatever dies in between; what is left without a message is swept
(`kefu_core.followers.files`). The uploader's key makes all of it happen once.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from kefu_core import filetypes
from kefu_core.abc.files import FileStorage, Picture, Thumbnailer
from kefu_core.desk.access import READING, WRITING, check_scope, rights_of
from kefu_core.desk.allowance import Turns, check_day
from kefu_core.desk.drafts import check_key
from kefu_core.desk.messages import SentMessage
from kefu_core.desk.pace import Paces
from kefu_core.errors import (
    Busy,
    Conflict,
    Invalid,
    NotAllowed,
    NotFound,
    TooLarge,
    TooMany,
)
from kefu_core.ids import ID_MAX
from kefu_core.limits import Limits
from kefu_core.model import Conversation, Draft, MessageKind, Principal
from kefu_core.records import Attachment, AttachmentStatus
from kefu_core.site import Files as FileSettings
from kefu_core.types import UnixMs

if TYPE_CHECKING:
    from collections.abc import Callable

    from kefu_core.desk.desk import Desk

_ARRIVING, _PENDING = AttachmentStatus.ARRIVING, AttachmentStatus.PENDING
_LINKED, _DROPPED = AttachmentStatus.LINKED, AttachmentStatus.DROPPED
_UNNAMED = (_ARRIVING, _PENDING)


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file that somebody may send: what was checked before its first byte."""

    principal: Principal
    conversation: Conversation
    key: str
    name: str
    bytes_max: int
    known: Attachment | None
    """What came under this key before, or began to."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A file that has come in whole."""

    path: Path
    size: int
    sha256: str
    head: bytes
    thumbnail_path: Path
    """Where a small picture may be written."""


class FilePaces:
    """How many files somebody may send."""

    def __init__(self, limits: Limits, now: "Callable[[], float]") -> None:
        """Count from now on; `now` is monotonic seconds."""

        def paces(per_h: int) -> Paces:
            return Paces(per_h / 3600, per_h, now)

        self._visitors = paces(limits.visitor_files_per_h)
        self._addresses = paces(limits.address_files_per_h)
        self._agents = paces(limits.agent_files_per_h)

    def take(self, principal: Principal) -> None:
        """Count one file. Raises `TooMany`."""
        if principal.is_agent:
            wait_s = self._agents.take(principal.participant)
        else:
            wait_s = self._visitors.take(principal.participant)
            if not wait_s and principal.address:
                wait_s = self._addresses.take(principal.address)
        if wait_s:
            raise TooMany("You are sending too many files.", retry_after_s=wait_s)


class FileRoom:
    """Takes files in and finds them again; one for each desk."""

    def __init__(
        self, desk: "Desk", storage: FileStorage, thumbnailer: Thumbnailer | None
    ) -> None:
        """Take who keeps bytes, and who makes small pictures; None: nobody does."""
        self.storage = storage
        self._desk = desk
        self._thumbnailer = thumbnailer
        self._running = 0
        self._turns = Turns()

    # -- sending -----------------------------------------------------------------------

    async def check(
        self,
        principal: Principal,
        conversation: int,
        *,
        key: str,
        name: str,
        size: int | None,
    ) -> Upload:
        """Say whether this file may be sent, before its bytes are read.

        Args:
            principal: Who sends it.
            conversation: Where.
            key: The sender's own name for it.
            name: What the sender calls it; any text.
            size: What the sender says it has, in bytes; None for nothing said.

        Raises:
            NotFound: There is no such conversation, or it is not theirs.
            NotAllowed: The site takes no such file.
            TooLarge: It is larger than allowed here.
            TooMany: Too many files lately, or too many bytes in these 24 hours.
            Conflict: The key is of something else.
        """
        desk = self._desk
        check_scope(principal, WRITING)
        desk.bans.check(principal)
        row = await desk.find_readable(principal, conversation)
        if MessageKind.TEXT not in rights_of(principal).kinds:
            raise NotAllowed
        if not 1 <= len(key) <= desk.limits.key_chars_max:
            raise Invalid(f"A key has 1 to {desk.limits.key_chars_max} characters.")
        check_key(key)
        settings = await self._settings(row.site_id)
        cleaned = filetypes.clean_name(name)
        _check_name(cleaned, settings)
        if not principal.is_agent and not settings.visitors_may:
            raise NotAllowed("No files may be sent here.")
        bytes_max = (
            settings.agent_bytes_max
            if principal.is_agent
            else settings.visitor_bytes_max
        )
        if size is not None and size > bytes_max:
            raise TooLarge(f"The file has {size:,} bytes; at most {bytes_max:,}.")
        known = await self._known(principal, row, key)
        if known is None:
            desk.file_paces.take(principal)
            await self._check_day(principal, row, size or 1, settings)
        return Upload(
            principal=principal,
            conversation=row,
            key=key,
            name=cleaned,
            bytes_max=bytes_max,
            known=known,
        )

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold one of the places for uploads. Raises `Busy` when all are taken."""
        if self._running >= self._desk.limits.uploads_max:
            raise Busy("Too many files are coming in.", retry_after_s=2.0)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    async def take(self, upload: Upload, received: Received) -> SentMessage:
        """Keep a file that is here and write its message.

        Raises:
            Invalid: It is empty, or not the file that this key named before.
            NotAllowed: It is a program.
            TooLarge, TooMany: A visitor has sent too many bytes in these 24 hours.
            StoreUnavailable: Sending it again with the same key is safe.

        Cancellation: nothing, a file without a message, or all of it.
        """
        media_type = filetypes.sniff(received.head)
        if received.size == 0:
            raise Invalid("The file is empty.")
        if media_type == filetypes.PROGRAM:
            raise NotAllowed("Programs may not be sent.")
        row = upload.known or await self._admit(upload, received)
        if row.sha256 != received.sha256:
            raise Conflict("This key is of another file already.")
        if row.status is _ARRIVING:
            row = await self._keep(row, received, media_type)
        elif row.status is not _LINKED:
            row = await self._claim(row)
        return await self._finish(upload, row)

    async def _admit(self, upload: Upload, received: Received) -> Attachment:
        """Write the row if the day has room for it. Raises `TooLarge`, `TooMany`."""
        where = upload.conversation
        settings = await self._settings(where.site_id)
        async with self._turns.of(where.site_id):
            # Others came in meanwhile, and not every sender says the size before.
            known = await self._known(upload.principal, where, upload.key)
            if known is not None:
                return known
            await self._check_day(upload.principal, where, received.size, settings)
            return await self._announce(upload, received)

    async def _announce(self, upload: Upload, received: Received) -> Attachment:
        """Write the row, before the storage has anything that it does not name."""
        desk = self._desk
        row = Attachment(
            id=desk.ids.new(),
            site_id=upload.conversation.site_id,
            conversation_id=upload.conversation.id,
            uploader=upload.principal.name_in(upload.conversation.visitor),
            key=upload.key,
            name=upload.name,
            media_type=filetypes.sniff(received.head),
            size=received.size,
            sha256=received.sha256,
            storage_key=_storage_key(),
            status=_ARRIVING,
            created_at=UnixMs(desk.now_ms()),
        )
        try:
            await desk.store.put_records(row)
        except Conflict:
            # The same file came over two nodes at once; the other one was first.
            known = await self._known(upload.principal, upload.conversation, upload.key)
            if known is None:
                raise Busy(
                    "This file is being cleared away.", retry_after_s=2.0
                ) from None
            return known
        return row

    async def _keep(
        self, row: Attachment, received: Received, media_type: str
    ) -> Attachment:
        """Store the bytes where the row says, and say that they are there.

        Two may do this at once, or one after another that died: they are the same
        bytes in the same place.
        """
        picture = await self._shrink(received, media_type)
        if picture is not None:
            row = msgspec.structs.replace(
                row,
                media_type=picture.media_type,
                width=picture.width,
                height=picture.height,
                thumbnail_key=f"{row.storage_key}.webp",
            )
        claimed = await self._claim(row)
        if claimed.status is not _ARRIVING:
            return claimed
        if picture is not None:
            await self.storage.put(row.thumbnail_key, received.thumbnail_path)
        await self.storage.put(row.storage_key, received.path)
        now = UnixMs(self._desk.now_ms())
        kept = msgspec.structs.replace(row, status=_PENDING, created_at=now)
        when = {"status": _ARRIVING.value}
        if await self._desk.store.change_record(kept, when=when):
            return kept
        try:
            return await self._reread(row)
        except Busy:
            await self.delete_bytes(row)
            raise

    async def _shrink(self, received: Received, media_type: str) -> Picture | None:
        if self._thumbnailer is None or media_type not in filetypes.PICTURES:
            return None
        picture = await self._thumbnailer.shrink(received.path, received.thumbnail_path)
        is_there = await anyio.Path(received.thumbnail_path).exists()
        return picture if is_there else None

    async def _finish(self, upload: Upload, kept: Attachment) -> SentMessage:
        """Write the message of a file that is kept; once, however often it is asked."""
        desk = self._desk
        appended = await desk.hub.append(
            Draft(
                conversation=upload.conversation.id,
                sender=upload.principal.name_in(upload.conversation.visitor),
                key=upload.key,
                kind=MessageKind.FILE,
                body=kept.name,
                data=file_data(kept),
            )
        )
        message = appended.message
        if (message.data or {}).get("file") != kept.id:
            raise Conflict("This key is of another message already.")
        if kept.status is _PENDING:
            await desk.store.change_record(
                msgspec.structs.replace(kept, status=_LINKED),
                when={"status": _PENDING.value},
            )
        return SentMessage(
            conversation=message.conversation,
            key=message.key,
            seq=message.seq,
            at=message.at,
            duplicate=appended.duplicate,
        )

    async def _claim(self, row: Attachment) -> Attachment:
        """Write a row anew: the sweep takes nothing that was claimed a moment ago.

        Raises:
            Busy: It is being deleted at this moment.
        """
        store = self._desk.store
        claimed = msgspec.structs.replace(row, created_at=UnixMs(self._desk.now_ms()))
        when = {"status": row.status.value, "created_at": row.created_at}
        if row.status in _UNNAMED and await store.change_record(claimed, when=when):
            return claimed
        return await self._reread(row)

    async def _reread(self, row: Attachment) -> Attachment:
        """Return a row as it is now. Raises `Busy` when it is being deleted."""
        now = await self._desk.store.find_record(Attachment, row.id)
        if now is None or now.status is _DROPPED:
            raise Busy("This file is being cleared away.", retry_after_s=2.0)
        return now

    async def _check_day(
        self, principal: Principal, row: Conversation, size: int, settings: FileSettings
    ) -> None:
        if not principal.is_agent:
            desk, who = self._desk, principal.numbers
            await check_day(desk.store, row.site_id, who, size, settings, desk.now_ms())

    async def _known(
        self, principal: Principal, row: Conversation, key: str
    ) -> Attachment | None:
        found = await self._desk.store.list_records(
            Attachment,
            where={
                "conversation_id": row.id,
                "uploader": principal.name_in(row.visitor),
                "key": key,
            },
            limit=1,
        )
        return found[0] if found else None

    async def _settings(self, site_id: int) -> FileSettings:
        sites = await self._desk.store.sites()
        found = next((site for site in sites if site.id == site_id), None)
        return found.settings.files if found is not None else FileSettings()

    # -- reading -----------------------------------------------------------------------

    async def find(self, principal: Principal, number: int) -> Attachment:
        """Return a file that somebody may read now. Raises `NotFound`."""
        check_scope(principal, READING)
        found = (
            await self._desk.store.find_record(Attachment, number)
            if 0 < number <= ID_MAX
            else None
        )
        if found is None or found.status in (_ARRIVING, _DROPPED):
            raise NotFound
        # One that is pending may be read: its message is there a moment before it is
        # linked, and only those who read the conversation know its number.
        await self._desk.find_readable(principal, found.conversation_id)
        return found

    async def delete_bytes(self, row: Attachment) -> None:
        """Delete what a row names in the storage."""
        for key in (row.thumbnail_key, row.storage_key):
            if key:
                await self.storage.delete(key)


def _check_name(name: str, settings: FileSettings) -> None:
    ending = filetypes.ending_of(name)
    if ending in filetypes.PROGRAM_ENDINGS and ending not in settings.endings:
        raise NotAllowed("Programs may not be sent.")
    if settings.endings and ending not in settings.endings:
        allowed = ", ".join(settings.endings)
        raise NotAllowed(f"Only these files may be sent: {allowed}.")


def _storage_key() -> str:
    """Return a new key that nobody can guess, in one of 256 folders."""
    secret = secrets.token_hex(20)
    return f"{secret[:2]}/{secret[2:]}"


def file_data(row: Attachment) -> dict[str, Any]:
    """Return what a message says of its file."""
    data: dict[str, Any] = {
        "file": row.id,
        "type": row.media_type,
        "size": row.size,
    }
    if row.width and row.height:
        data |= {
            "width": row.width,
            "height": row.height,
            "thumbnail": bool(row.thumbnail_key),
        }
    return data
