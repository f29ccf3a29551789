"""Editing a message in place: its own sender, for a while, with the earlier text kept.

The log grows only: an edit is a line that refers to the text and has the whole new one.
Whoever reads the log shows the newest and has the earlier ones at hand. A message that
is taken back or erased takes its edits with it.
"""

from typing import TYPE_CHECKING, Annotated

import msgspec

from kefu_core.abc.records import PAGE_MAX, Wanted
from kefu_core.desk.letters import site_of
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.desk.recalling import own_message
from kefu_core.errors import Conflict, NotAllowed
from kefu_core.hub.derived import append_derived
from kefu_core.ids import ID_MAX
from kefu_core.languages import text_key
from kefu_core.model import (
    EDIT_KINDS,
    OWN_KEYS,
    SENDABLE_KINDS,
    SPOKEN_KINDS,
    Conversation,
    Draft,
    Message,
    MessageKind,
    Principal,
)
from kefu_core.protocol.frames import Send
from kefu_core.records import CachedTranslation
from kefu_core.types import ConversationId, Seq

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

_GONE = "This message was taken back or erased."


class EditMessage(Params, frozen=True, kw_only=True):
    """`message.edit`: change one's own text or note, as long as the site allows."""

    conversation: Id
    seq: Annotated[int, msgspec.Meta(ge=1, le=ID_MAX)]
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    """The sender's own name for this edit: asking again with it is safe."""
    body: str


class EditedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Which one, and where the line stands that has the new text."""

    conversation: ConversationId
    seq: Seq
    edited_seq: Seq


async def _edit(
    desk: "Desk", principal: Principal, params: EditMessage
) -> EditedMessage:
    row = await desk.find_readable(principal, params.conversation)
    message = await own_message(desk, principal, row, Seq(params.seq), SENDABLE_KINDS)
    if message.kind is MessageKind.ERASED:
        raise Conflict(_GONE)
    later = await _after(desk, message)
    key = f"{OWN_KEYS}edit-{message.seq}-{params.key}"
    done = next((m for m in later if m.key == key), None)
    if done is None:
        await _check_time(desk, row, message)
        done = await _append(desk, principal, message, later, key, params)
    await _forget_cached(desk, row, message, later, done)
    return EditedMessage(conversation=row.id, seq=done.seq, edited_seq=Seq(params.seq))


async def _forget_cached(
    desk: "Desk",
    row: Conversation,
    message: Message,
    later: list[Message],
    newest: Message,
) -> None:
    """Delete what is cached of how earlier texts translate: nobody asks for them now.

    What is left by a process that dies here, or comes to be cached at this moment, goes
    with the message, or when everything of that age does.
    """
    texts = {message.body} | {
        m.body for m in later if m.kind in EDIT_KINDS and m.ref == message.seq
    }
    keys = [text_key(body) for body in texts - {newest.body}]
    where: Wanted = {"site_id": row.site_id, "text_key": keys[:PAGE_MAX]}
    if not keys:
        return
    if cached := await desk.store.list_records(CachedTranslation, where=where):
        await desk.store.delete_records(CachedTranslation, [each.id for each in cached])


async def _append(
    desk: "Desk",
    principal: Principal,
    message: Message,
    later: list[Message],
    key: str,
    params: EditMessage,
) -> Message:
    """Append the new text, unless it is the one there is."""
    row = await desk.find_readable(principal, message.conversation)
    send = Send(
        key=params.key,
        conversation=row.id,
        n=1,
        kind=message.kind,
        body=params.body,
    )
    # What may not be sent may not be made of something that was.
    wanted = desk.draft(principal, row, send)
    edits = [m for m in later if m.kind in EDIT_KINDS and m.ref == message.seq]
    newest = edits[-1] if edits else message
    if newest.body == wanted.body:
        return newest
    is_note = message.kind is MessageKind.NOTE
    is_newest = not is_note and not any(m.kind in SPOKEN_KINDS for m in later)
    last = later[-1].seq if later else message.seq
    appended = await append_derived(
        desk.hub,
        Draft(
            conversation=row.id,
            sender=wanted.sender,
            key=key,
            kind=MessageKind.NOTE_EDIT if is_note else MessageKind.EDIT,
            body=wanted.body,
            data={"upto": last} if is_newest else None,
            ref=message.seq,
        ),
    )
    if appended is None:
        raise Conflict(_GONE)
    return appended.message


async def _after(desk: "Desk", message: Message) -> list[Message]:
    """Return all that came after a message."""
    later: list[Message] = []
    limit = desk.limits.page_messages_max
    while True:
        last = later[-1].seq if later else message.seq
        page = await desk.store.history(message.conversation, after=last, limit=limit)
        later += page
        if len(page) < limit:
            return later


async def _check_time(desk: "Desk", row: Conversation, message: Message) -> None:
    site = await site_of(desk, row.site_id)
    within_s = site.settings.talk.edit_within_s if site is not None else 0
    if not within_s:
        raise NotAllowed("This site lets nobody edit a message.")
    if desk.now_ms() > message.at + within_s * 1000:
        raise Conflict(f"A message can be edited for {within_s} s.")


METHODS: Methods = {
    "message.edit": Method(
        params=EditMessage,
        run=_edit,
        result=EditedMessage,
        http="POST /conversations/{conversation}/messages/{seq}/edit",
        scope="messages:write",
    ),
}
