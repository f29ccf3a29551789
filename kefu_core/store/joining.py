"""What of an archive's messages goes into a log: pure.

A log is only ever continued. What is there already must be the same messages, known by
sender and key at the same seq; a message whose content was erased, here or there, is
the same and stays as it is here.
"""

from collections.abc import Mapping, Sequence

import msgspec

from kefu_core.folding import fold
from kefu_core.model import Conversation, Message, MessageKind
from kefu_core.types import ParticipantId, Seq


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """What to write, and what stands in the way of the rest."""

    row: Conversation
    messages: list[Message]
    fault: str | None = None
    at: Seq | None = None
    """The seq of the message that the fault is about."""


def join(
    row: Conversation,
    stored: Mapping[Seq, Message],
    taken: Mapping[tuple[ParticipantId, str], Seq],
    messages: Sequence[Message],
) -> Joined:
    """Continue a log by messages, up to the first that does not fit.

    Args:
        row: The conversation as it is.
        stored: Its messages at the seqs in question.
        taken: The seqs of its messages under any of the keys in question.
        messages: In seq order.
    """
    taken = dict(taken)
    new: list[Message] = []
    for message in messages:
        fault = _fault_of(row, stored, taken, message)
        if fault is not None:
            return Joined(row=row, messages=new, fault=fault, at=message.seq)
        if message.seq > row.last_seq:
            row = fold(row, message)
            new.append(message)
            taken[message.sender, message.key] = message.seq
    return Joined(row=row, messages=new)


def _fault_of(
    row: Conversation,
    stored: Mapping[Seq, Message],
    taken: Mapping[tuple[ParticipantId, str], Seq],
    message: Message,
) -> str | None:
    if message.seq <= row.last_seq:
        mine = stored.get(message.seq)
        if mine is None or not _is_same(mine, message):
            return "another message is here at this seq"
        return None
    if message.seq != row.last_seq + 1:
        return f"the log here ends at seq {row.last_seq}"
    if message.at < row.last_at:
        return "it is earlier than the message before it"
    if (message.sender, message.key) in taken:
        return f"its key is that of seq {taken[message.sender, message.key]}"
    return None


def _is_same(mine: Message, other: Message) -> bool:
    if (mine.sender, mine.key) != (other.sender, other.key):
        return False
    if MessageKind.ERASED in (mine.kind, other.kind):
        return True
    return (mine.kind, mine.body, mine.data, mine.ref) == (
        other.kind,
        other.body,
        other.data,
        other.ref,
    )
