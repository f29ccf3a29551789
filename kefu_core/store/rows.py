"""Rows to values and back."""

from collections.abc import Sequence
from typing import Any

import msgspec

from kefu_core.model import Conversation, ConversationStatus, Message, MessageKind
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

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
)


def message_from(row: Sequence[Any]) -> Message:
    """Return the message of a row in the order of `MESSAGE_COLUMNS`."""
    return Message(
        conversation=ConversationId(row[0]),
        seq=Seq(row[1]),
        sender=ParticipantId(row[2]),
        key=row[3],
        kind=_KINDS[row[4]],
        body=row[5],
        data=_decode(row[6]) if row[6] is not None else None,
        ref=row[7],
        at=UnixMs(row[8]),
    )


def message_row(message: Message) -> tuple[Any, ...]:
    """Return a message in the order of `MESSAGE_COLUMNS`."""
    return (
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
    )


def conversation_change(row: Conversation) -> tuple[Any, ...]:
    """Return what an append changes of a conversation, and its id last."""
    return (
        str(row.status),
        row.assignee,
        row.last_seq,
        row.last_at,
        row.last_sender,
        row.last_line,
        row.waiting_since,
        row.id,
    )
