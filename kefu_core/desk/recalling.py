"""Taking a message back: its own sender, for a short while, for everybody.

First the content goes from the log, as an erasure takes it, so nobody can fetch it any
more, whatever dies next; then a line tells those who have it before their eyes. Asking
again does what is missing. What others have read they have read.
"""

from typing import TYPE_CHECKING, Annotated

import msgspec

from kefu_core.desk.letters import site_of
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.errors import Conflict, NotAllowed, NotFound
from kefu_core.ids import ID_MAX
from kefu_core.model import (
    OWN_KEYS,
    SENDABLE_KINDS,
    Conversation,
    Draft,
    Message,
    MessageKind,
    Principal,
)
from kefu_core.records import Attachment, AttachmentStatus
from kefu_core.types import ConversationId, Seq

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

RECALLED_KINDS = SENDABLE_KINDS | {MessageKind.FILE}


class RecallMessage(Params, frozen=True, kw_only=True):
    """`message.recall`: take back what one has sent, as long as the site allows."""

    conversation: Id
    seq: Annotated[int, msgspec.Meta(ge=1, le=ID_MAX)]


class RecalledMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Which one, and where the line stands that tells of it."""

    conversation: ConversationId
    seq: Seq
    recalled_seq: Seq


async def _recall(
    desk: "Desk", principal: Principal, params: RecallMessage
) -> RecalledMessage:
    row = await desk.find_readable(principal, params.conversation)
    message = await own_message(desk, principal, row, Seq(params.seq), RECALLED_KINDS)
    site = await site_of(desk, row.site_id)
    within_s = site.settings.talk.recall_within_s if site is not None else 0
    if not within_s:
        raise NotAllowed("This site lets nobody take a message back.")
    if desk.now_ms() > message.at + within_s * 1000:
        raise Conflict(f"A message can be taken back for {within_s} s.")
    if message.kind is MessageKind.FILE:
        await _drop_file(desk, message)
    if message.kind is not MessageKind.ERASED:
        # No further than this one: of two who ask at once the second finds it gone.
        await desk.store.erase_conversation(
            row.id, after=Seq(message.seq - 1), limit=1, upto=message.seq
        )
        desk.hub.forget(row.id)
    told = Draft(
        conversation=row.id,
        sender=principal.name_in(row.visitor),
        key=f"{OWN_KEYS}recall-{message.seq}",
        kind=MessageKind.RECALL,
        ref=message.seq,
    )
    appended = await desk.hub.append(told)
    return RecalledMessage(
        conversation=row.id, seq=appended.message.seq, recalled_seq=message.seq
    )


async def own_message(
    desk: "Desk",
    principal: Principal,
    row: Conversation,
    seq: Seq,
    kinds: frozenset[MessageKind],
) -> Message:
    """Return a message of one's own that is, or was before it was erased, of a kind.

    Raises `NotFound`.
    """
    found = await desk.store.history(row.id, after=Seq(seq - 1), limit=1)
    message = found[0] if found else None
    if message is None or not principal.owns(message.sender):
        raise NotFound("You have sent no such message.")
    was = str((message.data or {}).get("was"))
    kind = was if message.kind is MessageKind.ERASED else message.kind
    if kind not in kinds:
        raise NotFound("You have sent no such message.")
    return message


async def _drop_file(desk: "Desk", message: Message) -> None:
    """Give a message's file up: nobody reads it from here on, and its bytes go."""
    number = (message.data or {}).get("file")
    row = (
        await desk.store.find_record(Attachment, number)
        if isinstance(number, int)
        else None
    )
    if row is not None and row.conversation_id == message.conversation:
        dropped = AttachmentStatus.DROPPED
        await desk.store.put_records(
            msgspec.structs.replace(row, status=dropped, name="")
        )


METHODS: Methods = {
    "message.recall": Method(
        params=RecallMessage,
        run=_recall,
        result=RecalledMessage,
        http="POST /conversations/{conversation}/messages/{seq}/recall",
        scope="messages:write",
    ),
}
