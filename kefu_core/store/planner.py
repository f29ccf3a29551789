"""What one transaction does, decided without the database: pure.

Given the locked rows and what is stored under the batch's keys, each draft becomes the
next message of its conversation, a duplicate, or a refusal. Drafts of a conversation
are taken in the order given, so a sender's order is the log's order (G14).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from kefu_core.errors import Conflict, Invalid, KefuError, NotFound
from kefu_core.folding import active_at, fold
from kefu_core.model import (
    Appended,
    Conversation,
    ConversationStatus,
    Draft,
    Message,
    MessageKind,
)
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

KeyOf = tuple[ConversationId, ParticipantId, str]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to write, and what to answer once it is committed."""

    outcomes: list[Appended | KefuError]
    """One for each draft, in order."""
    messages: list[Message]
    """To insert."""
    conversations: list[Conversation]
    """Rows of which an indexed column changed, as they are afterwards."""
    touched: list[Conversation]
    """The other rows that changed: only the columns without an index."""


def key_of(item: Draft | Message) -> KeyOf:
    """Return what makes a message the same message."""
    return item.conversation, item.sender, item.key


def plan(
    drafts: Sequence[Draft],
    rows: Mapping[ConversationId, Conversation],
    known: Iterable[Message],
    now_ms: int,
    loads: Mapping[ParticipantId, int] | None = None,
) -> Plan:
    """Give each draft its place.

    Args:
        drafts: In the order submitted.
        rows: The locked rows of their conversations; one that is absent does not exist.
        known: Messages already stored under any of the drafts' keys.
        now_ms: The wall clock; a message's time is never before its predecessor's.
        loads: How many conversations each of `seekers(drafts)` answers.
    """
    stored = {key_of(message): message for message in known}
    changed: dict[ConversationId, Conversation] = {}
    outcomes: list[Appended | KefuError] = []
    messages: list[Message] = []
    active = Counter(loads or {})
    for draft in drafts:
        row = changed.get(draft.conversation) or rows.get(draft.conversation)
        if row is None:
            outcomes.append(NotFound())
            continue
        if not is_storable(draft.body) or not is_storable(draft.key):
            outcomes.append(Invalid("Text has a character no database can keep."))
            continue
        if draft.key.endswith(" "):
            # MySQL and SQL Server take it for the same key without the space.
            outcomes.append(Invalid("A key may not end in a space."))
            continue
        key = draft.conversation, draft.sender, draft.key
        first = stored.get(key)
        if first is not None:
            same = has_same_content(first, draft)
            repeated = Appended(message=first, duplicate=True, conversation=row)
            outcomes.append(repeated if same else Conflict())
            continue
        if draft.given is not None and (fault := _fault_of(draft, row, active)):
            outcomes.append(Conflict(fault))
            continue
        message = _next(row, draft, now_ms)
        before, row = row, fold(row, message)
        changed[draft.conversation] = row
        if active or draft.given is not None:
            active[_answering(before)] -= 1
            active[_answering(row)] += 1
        stored[key] = message
        messages.append(message)
        outcomes.append(Appended(message=message, conversation=row))
    conversations: list[Conversation] = []
    touched: list[Conversation] = []
    for row in changed.values():
        (touched if _is_like(rows[row.id], row) else conversations).append(row)
    return Plan(
        outcomes=outcomes,
        messages=messages,
        conversations=conversations,
        touched=touched,
    )


def seekers(drafts: Iterable[Draft]) -> list[ParticipantId]:
    """Return the agents whose number of conversations decides, in order, each once."""
    named = {
        assignee
        for draft in drafts
        if draft.given is not None and draft.given.capacity
        for assignee in (_named(draft),)
        if assignee
    }
    return sorted(named)


def _named(draft: Draft) -> ParticipantId:
    assignee = (draft.data or {}).get("assignee")
    return ParticipantId(assignee if isinstance(assignee, str) else "")


def _answering(row: Conversation) -> ParticipantId:
    is_active = row.status is ConversationStatus.ACTIVE
    return (row.assignee if is_active else None) or ParticipantId("")


def _fault_of(
    draft: Draft, row: Conversation, active: Mapping[ParticipantId, int]
) -> str:
    """Return what of a draft's condition does not hold; empty: all of it does."""
    given = draft.given
    assert given is not None, "only what has a condition is asked about"
    seen = given.status, given.assignee, given.team_id
    if seen != (row.status, row.assignee, row.team_id):
        return "Somebody else has changed this conversation meanwhile."
    if given.waiting_since not in {None, row.waiting_since}:
        return "Somebody has answered meanwhile."
    who = _named(draft)
    is_new = bool(given.capacity) and who != _answering(row)
    if is_new and active.get(who, 0) >= given.capacity:
        return f"This agent answers {given.capacity} conversations, which is all."
    return ""


def _is_like(before: Conversation, after: Conversation) -> bool:
    """Whether all that lists are found by is as it was."""
    return (
        before.last_seq > 0
        and before.status is after.status
        and before.assignee == after.assignee
        and before.labels == after.labels
        and before.team_id == after.team_id
        and before.queued_at == after.queued_at
        and before.first_reply_at == after.first_reply_at
        and before.closed_at == after.closed_at
        and before.untranslated == after.untranslated
        and active_at(before.last_at) == active_at(after.last_at)
    )


def is_storable(text: str) -> bool:
    """Whether every engine keeps this text: no NUL, no half of a surrogate pair."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def has_same_content(message: Message, draft: Draft) -> bool:
    """Whether a repeated key repeats the message as well.

    Of a message whose content was erased nobody can tell; its key is its own still.
    """
    return message.kind is MessageKind.ERASED or (
        message.kind == draft.kind
        and message.body == draft.body
        and message.data == draft.data
        and message.ref == draft.ref
    )


def _next(row: Conversation, draft: Draft, now_ms: int) -> Message:
    return Message(
        conversation=draft.conversation,
        seq=Seq(row.last_seq + 1),
        sender=draft.sender,
        key=draft.key,
        kind=draft.kind,
        body=draft.body,
        at=UnixMs(max(now_ms, row.last_at)),
        data=draft.data,
        ref=draft.ref,
    )
