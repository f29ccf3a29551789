"""A conversation's row is a fold of its log: the same messages give the same row.

The appender applies `fold` under the row's lock, so what lists show is never ahead of
or behind the log, on any engine and after any crash. A rebuild is a loop over the log.
"""

import msgspec

from kefu_core.ids import ID_MAX
from kefu_core.model import (
    INTERNAL_KINDS,
    SPOKEN_KINDS,
    UNTRANSLATED_FOR_ALL,
    UNTRANSLATED_FOR_VISITOR,
    Conversation,
    ConversationStatus,
    Message,
    MessageKind,
)
from kefu_core.types import ParticipantId, UnixMs

LINE_CHARS = 120
LABELS_MAX = 20
LABEL_CHARS = 40
QUARTER_MS = 900_000

# A member of an enumeration costs more to look up than all else here.
_TEXT, _FILE = MessageKind.TEXT, MessageKind.FILE
_CLOSED = ConversationStatus.CLOSED
_QUEUED = ConversationStatus.QUEUED


def fold(conversation: Conversation, message: Message) -> Conversation:
    """Return the row after `message`; it must be the next one (`last_seq + 1`).

    Never raises on any stored message: unknown data leaves status and assignee as
    they are.
    """
    is_said = message.kind is _TEXT or message.kind is _FILE
    if is_said and conversation.status is not _CLOSED:
        return _fold_text(conversation, message)
    status, assignee = _status_after(conversation, message)
    is_closed = status is _CLOSED
    waiting_since = conversation.waiting_since
    last_line, last_sender = conversation.last_line, conversation.last_sender
    if _was_text(message):
        last_line, last_sender = first_line(message.body), message.sender
        if not is_visitor(message.sender):
            waiting_since = None
        elif waiting_since is None:
            waiting_since = message.at
    elif _is_of_last_line(conversation, message):
        last_line = first_line(message.body)
    if is_closed:
        waiting_since = None
    was_closed = conversation.status is _CLOSED
    return msgspec.structs.replace(
        conversation,
        status=status,
        assignee=assignee,
        last_seq=message.seq,
        last_at=message.at,
        last_sender=last_sender,
        last_line=last_line,
        waiting_since=waiting_since,
        labels=_labels_after(conversation, message),
        team_id=_team_after(conversation, message),
        queued_at=_queued_after(conversation, message, status, waiting_since),
        first_reply_at=_replied_after(conversation, message, is_new=was_closed),
        closed_at=_closed_after(conversation, message) if is_closed else UnixMs(0),
        untranslated=_untranslated_after(conversation, message),
    )


def _fold_text(conversation: Conversation, message: Message) -> Conversation:
    """Do what the rest of `fold` does for nearly all messages, in half the time."""
    sender = message.sender
    waiting_since = conversation.waiting_since
    if not is_visitor(sender):
        waiting_since = None
    elif waiting_since is None:
        waiting_since = message.at
    queued_at, first_reply_at = conversation.queued_at, conversation.first_reply_at
    if not queued_at and conversation.status is _QUEUED and is_visitor(sender):
        queued_at = message.at
    if not first_reply_at and not is_visitor(sender):
        first_reply_at = message.at
    return msgspec.structs.replace(
        conversation,
        last_seq=message.seq,
        last_at=message.at,
        last_sender=sender,
        last_line=first_line(message.body),
        waiting_since=waiting_since,
        queued_at=queued_at,
        first_reply_at=first_reply_at,
    )


_ENTERING = frozenset({MessageKind.ASSIGNMENT, MessageKind.REOPEN})


def _queued_after(
    conversation: Conversation,
    message: Message,
    status: ConversationStatus,
    waiting_since: UnixMs | None,
) -> UnixMs:
    """Return since when it waits: whoever is in the queue keeps the place.

    Whoever comes back into it without an answer stands where the wait began, so that
    an agent who went away costs nobody a place.
    """
    if status is not _QUEUED:
        return UnixMs(0)
    if conversation.status is _QUEUED and conversation.queued_at:
        return conversation.queued_at
    enters = message.kind in _ENTERING or (
        _was_text(message) and is_visitor(message.sender)
    )
    return (waiting_since or message.at) if enters else UnixMs(0)


def _replied_after(
    conversation: Conversation, message: Message, *, is_new: bool
) -> UnixMs:
    if _was_text(message) and not is_visitor(message.sender):
        return conversation.first_reply_at or message.at
    is_reopened = is_new and message.kind is not MessageKind.CLOSE
    is_begun = is_reopened and (message.kind in _ENTERING or _was_text(message))
    return UnixMs(0) if is_begun else conversation.first_reply_at


def _closed_after(conversation: Conversation, message: Message) -> UnixMs:
    is_close = message.kind is MessageKind.CLOSE
    return message.at if is_close else conversation.closed_at


def _team_after(conversation: Conversation, message: Message) -> int:
    if message.kind is not MessageKind.ASSIGNMENT:
        return conversation.team_id
    named = (message.data or {}).get("team")
    if isinstance(named, int) and not isinstance(named, bool) and 0 <= named <= ID_MAX:
        return named
    return conversation.team_id


def _status_after(
    conversation: Conversation, message: Message
) -> tuple[ConversationStatus, ParticipantId | None]:
    status, assignee = conversation.status, conversation.assignee
    if message.kind is MessageKind.ASSIGNMENT:
        named = (message.data or {}).get("assignee")
        assignee = ParticipantId(named) if isinstance(named, str) else None
        status = ConversationStatus.ACTIVE if assignee else ConversationStatus.QUEUED
    elif message.kind is MessageKind.CLOSE:
        status = ConversationStatus.CLOSED
    elif message.kind is MessageKind.REOPEN or (
        # A visitor who writes into a closed conversation is waiting again.
        _was_text(message)
        and status is ConversationStatus.CLOSED
        and is_visitor(message.sender)
    ):
        status, assignee = ConversationStatus.QUEUED, None
    return status, assignee


def _was_text(message: Message) -> bool:
    """Whether this is a text or file, or what is left of one: it did the same."""
    return message.kind in SPOKEN_KINDS or (
        message.kind is MessageKind.ERASED
        and str((message.data or {}).get("was")) in SPOKEN_KINDS
    )


def _is_of_last_line(conversation: Conversation, message: Message) -> bool:
    """Whether this edits the newest text: nothing came since its sender looked."""
    return (
        message.kind is MessageKind.EDIT
        and (message.data or {}).get("upto") == conversation.last_seq
    )


def _labels_after(conversation: Conversation, message: Message) -> tuple[str, ...]:
    if message.kind is not MessageKind.LABELS:
        return conversation.labels
    named = (message.data or {}).get("labels")
    if not isinstance(named, list):
        return conversation.labels
    # Some engines take `a` and `a ` for the same key, so none ends with a space.
    texts = [label[:LABEL_CHARS].strip() for label in named if isinstance(label, str)]
    return tuple(dict.fromkeys(filter(None, texts)))[:LABELS_MAX]


def _untranslated_after(conversation: Conversation, message: Message) -> int:
    if message.kind is not MessageKind.TRANSLATING:
        return conversation.untranslated
    is_on = (message.data or {}).get("is_on")
    bit = (
        UNTRANSLATED_FOR_VISITOR if is_visitor(message.sender) else UNTRANSLATED_FOR_ALL
    )
    if is_on is True:
        return conversation.untranslated & ~bit
    return conversation.untranslated | (bit if is_on is False else 0)


def active_at(at: UnixMs) -> UnixMs:
    """Return the quarter of an hour in which `at` lies: what lists are ordered by."""
    return UnixMs(at - at % QUARTER_MS)


def is_visitor(participant: ParticipantId) -> bool:
    """Whether a participant is a visitor."""
    return participant.startswith("v")


def may_read(message: Message, *, as_visitor: bool) -> bool:
    """Whether this kind of reader may see the content (G10)."""
    if not as_visitor:
        return True
    was = (
        (message.data or {}).get("was") if message.kind is MessageKind.ERASED else None
    )
    return message.kind not in INTERNAL_KINDS and was not in INTERNAL_KINDS


def first_line(body: str) -> str:
    """Return the beginning of a text as one line of at most `LINE_CHARS`."""
    return " ".join(body[: LINE_CHARS * 2].split())[:LINE_CHARS]
