"""Erasing one visitor: what it said and was told, and its name."""

from collections.abc import Callable

import anyio
import msgspec

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Store
from kefu_core.errors import NotFound
from kefu_core.records import (
    Attachment,
    AttachmentStatus,
    Mail,
    OfflineMessage,
    PageView,
    Visit,
)
from kefu_core.types import ConversationId, ParticipantId, Seq

PAUSE_S = 0.02
"""Between two transactions, so that sends come in between."""
_LIMIT = 20
"""Messages in one of them; each leaves the search index too."""


class ErasureReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased, by this run."""

    conversations: int
    """All that the visitor has."""
    messages: int


async def erase_visitor(
    store: Store,
    visitor: ParticipantId,
    *,
    on_progress: Callable[[int], None] | None = None,
) -> ErasureReport:
    """Blank all texts and notes of a visitor's conversations, and empty its name.

    Of a visitor with several numbers all of them are meant, whichever is named.
    Both sides' texts, since an answer repeats what was asked. What it left while nobody
    was there is deleted, with the mail about it, and the pages it was on. Files can be
    read by nobody from then on; a server deletes their bytes within minutes. What
    stays: that there was a conversation and when, who answered, the system's lines with
    their labels. Killed at any moment it may be run again; a second run erases nothing
    more. What the visitor writes after it began may be erased or not.

    Raises:
        NotFound: There is no such visitor, and no conversation of it.
        StoreUnavailable: What was erased is erased; run it again.
    """
    numbers = await store.numbers_of(visitor)
    conversations = messages = 0
    after: ConversationId | None = ConversationId(0)
    while after is not None:
        walk = await store.walk_conversations(
            ConversationFilter(visitors=numbers), after=after
        )
        for row in walk.conversations:
            conversations += 1
            await _drop_files(store, row.id)
            seq: Seq | None = Seq(0)
            while seq is not None:
                erased = await store.erase_conversation(row.id, after=seq, limit=_LIMIT)
                messages += erased.messages
                seq = erased.next
                if on_progress is not None:
                    on_progress(messages)
                await anyio.sleep(PAUSE_S)
        after = walk.next
    left_count = 0
    for number in numbers:
        left_count += await _forget_letters(store, number)
    if not conversations and not left_count and not await store.people([visitor]):
        raise NotFound(f"There is no visitor {visitor}.")
    for number in numbers:
        await _forget_visits(store, number)
        await store.forget_visitor(number)
    return ErasureReport(conversations=conversations, messages=messages)


async def _drop_files(store: Store, conversation: ConversationId) -> None:
    """Give up all files of a conversation: nobody reads them any more from here on."""
    after = 0
    while rows := await store.list_records(
        Attachment, where={"conversation_id": conversation}, after=after, limit=_LIMIT
    ):
        dropped = AttachmentStatus.DROPPED
        await store.put_records(
            *[msgspec.structs.replace(row, status=dropped, name="") for row in rows]
        )
        after = rows[-1].id


async def _forget_letters(store: Store, visitor: ParticipantId) -> int:
    """Delete what the visitor left, and the mail about it; return how many it left."""
    count = 0
    while left := await store.list_records(
        OfflineMessage, where={"visitor": visitor}, limit=100
    ):
        numbers = [message.id for message in left]
        while mails := await store.list_records(Mail, where={"about": numbers}):
            await store.delete_records(Mail, [mail.id for mail in mails])
        await store.delete_records(OfflineMessage, numbers)
        count += len(numbers)
    return count


async def _forget_visits(store: Store, visitor: ParticipantId) -> None:
    """Delete which pages a visitor was on."""
    while visits := await store.list_records(Visit, where={"visitor": visitor}):
        numbers = [visit.id for visit in visits]
        while pages := await store.list_records(PageView, where={"visit_id": numbers}):
            await store.delete_records(PageView, [page.id for page in pages])
            await anyio.sleep(PAUSE_S)
        # Last: as long as it is there, another run finds its pages.
        await store.delete_records(Visit, numbers)
