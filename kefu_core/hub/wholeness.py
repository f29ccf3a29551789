"""Reads that people are shown: whole, or refused (`kefu_core.wholeness`).

That a log is damaged is noticed by whoever reads the place; it is counted, and said in
the log once for each conversation.
"""

import logging
from typing import TYPE_CHECKING

from kefu_core.errors import LogDamaged
from kefu_core.model import Message
from kefu_core.types import ConversationId, Seq
from kefu_core.wholeness import is_damaged, require_whole

if TYPE_CHECKING:
    from kefu_core.hub.hub import Hub

logger = logging.getLogger(__name__)

_SAID_MAX = 1_000
"""Conversations of which is remembered that their damage was said."""


async def read_page(
    hub: "Hub",
    conversation: ConversationId,
    *,
    after: Seq | None = None,
    before: Seq | None = None,
    limit: int,
    head: Seq,
) -> list[Message]:
    """Return what `Store.history` does, if it is whole.

    Args:
        hub: Whose store is read.
        conversation: Which one.
        after: As in `Store.history`.
        before: As in `Store.history`.
        limit: As in `Store.history`.
        head: A `last_seq` that was read before this call.

    Raises:
        LogDamaged: A message that belongs into the page is not there.
        StoreUnavailable: As `Store.history`.
    """
    messages = await hub.store.history(
        conversation, after=after, before=before, limit=limit
    )
    try:
        require_whole(messages, after=after, before=before, limit=limit, head=head)
    except LogDamaged as error:
        note_damage(hub, conversation, error.text)
        raise
    _look_at(hub, conversation, messages)
    return messages


async def read_on(
    hub: "Hub", conversation: ConversationId, *, after: Seq, limit: int
) -> list[Message]:
    """Return what follows a seq: nothing only where the log ends.

    Raises:
        LogDamaged: There is more, and the next message is not there.
        StoreUnavailable: As `Store.history`.
    """
    messages = await hub.store.history(conversation, after=after, limit=limit)
    if not messages:
        # A hint was wrong, or the end is missing. What is there tells which: asked
        # for first, and looked for again afterwards.
        head = (await hub.store.heads([conversation])).get(conversation, Seq(0))
        if head <= after:
            return []
        messages = await hub.store.history(conversation, after=after, limit=limit)
    try:
        require_whole(messages[:1], after=after, limit=1, head=Seq(after + 1))
    except LogDamaged as error:
        note_damage(hub, conversation, error.text)
        raise
    _look_at(hub, conversation, messages)
    return messages


def _look_at(hub: "Hub", conversation: ConversationId, messages: list[Message]) -> None:
    for message in messages:
        if is_damaged(message):
            text = f"Message {message.seq} is not what was stored."
            note_damage(hub, conversation, text)


def note_damage(hub: "Hub", conversation: ConversationId, text: str) -> None:
    """Count a damage that was met, and say it once for each conversation."""
    hub.counts.damaged += 1
    if conversation in hub.damaged or len(hub.damaged) >= _SAID_MAX:
        return
    hub.damaged.add(conversation)
    logger.error("conversation %d: %s Run: kefu audit.", conversation, text)
