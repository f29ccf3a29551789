"""Rows to values and back.

A row that holds what no row should (damage, or a newer version's kind) never stops
whoever reads the conversation: it is shown as a placeholder, and the audit names it.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from kefu_core.folding import active_at
from kefu_core.model import Conversation, ConversationStatus, Message, MessageKind
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs
from kefu_core.wholeness import DAMAGED

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_KINDS = {str(kind): kind for kind in MessageKind}
_STATUSES = {str(status): status for status in ConversationStatus}

MESSAGE_COLUMNS = (
    "conversation_id",
    "seq",
    "sender",
    "key",
    "kind",
    "body",
    "data",
    "ref",
    "at",
)
MESSAGE_INSERT_COLUMNS = (*MESSAGE_COLUMNS, "digest")
CHECKED_COLUMNS = MESSAGE_INSERT_COLUMNS
"""What is read for people: the content, and what it must be."""
CONVERSATION_COLUMNS = (
    "id",
    "site_id",
    "visitor",
    "status",
    "assignee",
    "last_seq",
    "last_at",
    "last_sender",
    "last_line",
    "waiting_since",
    "opened_at",
    "labels",
    "team_id",
    "queued_at",
    "first_reply_at",
    "closed_at",
    "untranslated",
)
CHANGE_COLUMNS = (
    "status",
    "assignee",
    "last_seq",
    "last_at",
    "last_sender",
    "last_line",
    "waiting_since",
    "active_at",
    "labels",
    "team_id",
    "queued_at",
    "first_reply_at",
    "closed_at",
    "untranslated",
)
"""What an append may change of a conversation."""
TOUCH_COLUMNS = ("last_seq", "last_at", "last_sender", "last_line", "waiting_since")
"""The part of it that carries no index."""


def message_from(row: Sequence[Any]) -> Message:
    """Return the message of a row in the order of `MESSAGE_COLUMNS`."""
    return Message(
        conversation=ConversationId(row[0]),
        seq=Seq(row[1]),
        sender=ParticipantId(row[2]),
        key=row[3],
        kind=_KINDS.get(row[4], MessageKind.PLACEHOLDER),
        body=row[5],
        data=_data(row[6]) if row[6] is not None else None,
        ref=row[7],
        at=UnixMs(row[8]),
    )


def checked_message_from(row: Sequence[Any]) -> Message:
    """Return the message of a row in the order of `CHECKED_COLUMNS`.

    One that is not what was stored is a placeholder with `DAMAGED`, so that nobody
    reads words that nobody wrote. Costs two microseconds a message (decision 0028).
    """
    if row[9] is None or row[9] == digest_of(row[:9]):
        return message_from(row)
    return Message(
        conversation=ConversationId(row[0]),
        seq=Seq(row[1]),
        sender=ParticipantId(row[2]),
        key=row[3],
        kind=MessageKind.PLACEHOLDER,
        body="",
        data=DAMAGED,
        at=UnixMs(row[8]),
    )


def _data(text: str) -> dict[str, Any] | None:
    try:
        data = _decode(text)
    except msgspec.DecodeError:
        return None
    return data if isinstance(data, dict) else None


def message_row(message: Message) -> tuple[Any, ...]:
    """Return a message in the order of `MESSAGE_INSERT_COLUMNS`."""
    row = (
        message.conversation,
        message.seq,
        message.sender,
        message.key,
        str(message.kind),
        message.body,
        _encode(message.data).decode() if message.data is not None else None,
        message.ref,
        message.at,
    )
    return (*row, digest_of(row))


def digest_of(row: Sequence[Any]) -> int:
    """Return what `digest` must be for values in the order of `MESSAGE_COLUMNS`.

    64 bits of BLAKE2b, signed: it finds damage, and is no defence against a forger.
    """
    content = _encode(tuple(row))
    return int.from_bytes(blake2b(content, digest_size=8).digest(), signed=True)


def conversation_from(row: Sequence[Any]) -> Conversation:
    """Return the conversation of a row in the order of `CONVERSATION_COLUMNS`."""
    return Conversation(
        id=ConversationId(row[0]),
        site_id=row[1],
        visitor=ParticipantId(row[2]),
        status=_STATUSES[row[3]],
        assignee=ParticipantId(row[4]) if row[4] is not None else None,
        last_seq=Seq(row[5]),
        last_at=UnixMs(row[6]),
        last_sender=ParticipantId(row[7]) if row[7] is not None else None,
        last_line=row[8],
        waiting_since=UnixMs(row[9]) if row[9] is not None else None,
        opened_at=UnixMs(row[10]),
        labels=tuple(_decode(row[11])) if row[11] else (),
        team_id=row[12],
        queued_at=UnixMs(row[13]),
        first_reply_at=UnixMs(row[14]),
        closed_at=UnixMs(row[15]),
        untranslated=row[16],
    )


def conversation_row(row: Conversation) -> tuple[Any, ...]:
    """Return a conversation in the order of `CONVERSATION_COLUMNS`, and `active_at`."""
    return (
        row.id,
        row.site_id,
        row.visitor,
        str(row.status),
        row.assignee,
        row.last_seq,
        row.last_at,
        row.last_sender,
        row.last_line,
        row.waiting_since,
        row.opened_at,
        labels_text(row.labels),
        row.team_id,
        row.queued_at,
        row.first_reply_at,
        row.closed_at,
        row.untranslated,
        active_at(row.last_at),
    )


def labels_text(labels: Sequence[str]) -> str | None:
    """Return labels as the conversation's row keeps them."""
    return _encode(labels).decode() if labels else None


def conversation_change(row: Conversation) -> tuple[Any, ...]:
    """Return values in the order of `CHANGE_COLUMNS`, and the id last."""
    return (
        str(row.status),
        row.assignee,
        row.last_seq,
        row.last_at,
        row.last_sender,
        row.last_line,
        row.waiting_since,
        active_at(row.last_at),
        labels_text(row.labels),
        row.team_id,
        row.queued_at,
        row.first_reply_at,
        row.closed_at,
        row.untranslated,
        row.id,
    )


def conversation_touch(row: Conversation) -> tuple[Any, ...]:
    """Return values in the order of `TOUCH_COLUMNS`, and the id last."""
    return (
        row.last_seq,
        row.last_at,
        row.last_sender,
        row.last_line,
        row.waiting_since,
        row.id,
    )


def label_rows(row: Conversation) -> list[tuple[Any, ...]]:
    """Return a conversation's rows of `conversation_label`: id, label, active_at."""
    return [(row.id, label, active_at(row.last_at)) for label in row.labels]
