"""Whether a page of a log is whole: pure.

The seqs of a conversation are 1, 2, 3 … (G2), and retention and erasure keep them. So
whoever reads a page can tell for nothing whether one is missing, and nobody needs to
be shown a log with a hole as if that were all.
"""

from collections.abc import Sequence
from itertools import pairwise

from kefu_core.errors import LogDamaged
from kefu_core.model import Message, MessageKind
from kefu_core.types import Seq


def require_whole(
    messages: Sequence[Message],
    *,
    after: Seq | None = None,
    before: Seq | None = None,
    limit: int,
    head: Seq,
) -> None:
    """Raise `LogDamaged` unless these are all that the log has there.

    Args:
        messages: What `Store.history` returned for `after`, `before` and `limit`.
        after: As it was asked.
        before: As it was asked.
        limit: As it was asked.
        head: A `last_seq` of the conversation, read *before* the messages: whatever
            came since is only more.
    """
    seqs = [message.seq for message in messages]
    for older, newer in pairwise(seqs):
        if newer != older + 1:
            raise LogDamaged(_missing(older + 1))
    is_short = len(seqs) < limit
    if after is not None:
        if seqs and seqs[0] != after + 1:
            raise LogDamaged(_missing(after + 1))
        end = seqs[-1] if seqs else after
        if is_short and end < head:
            raise LogDamaged(_missing(end + 1))
        return
    end = head if before is None else Seq(min(head, before - 1))
    if end > 0 and (not seqs or seqs[-1] < end):
        raise LogDamaged(_missing(end))
    if seqs and is_short and seqs[0] != 1:
        raise LogDamaged(_missing(seqs[0] - 1))


def _missing(seq: int) -> str:
    return f"This conversation is damaged on the server: message {seq} is missing."


def is_damaged(message: Message) -> bool:
    """Whether a stored message is not what was stored; see `DAMAGED`."""
    return message.kind is MessageKind.PLACEHOLDER


DAMAGED = {"damaged": True}
"""The data of a placeholder that stands for a message that is not what was stored."""
