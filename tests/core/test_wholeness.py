"""A page with a hole is not taken for a log."""

import pytest

from kefu_core.errors import LogDamaged
from kefu_core.model import Message, MessageKind
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs
from kefu_core.wholeness import DAMAGED, is_damaged, require_whole


def messages(*seqs: int) -> list[Message]:
    return [
        Message(
            conversation=ConversationId(1),
            seq=Seq(seq),
            sender=ParticipantId("v1"),
            key=f"k{seq}",
            kind=MessageKind.TEXT,
            body="",
            at=UnixMs(0),
        )
        for seq in seqs
    ]


@pytest.mark.parametrize(
    ("seqs", "asked"),
    [
        ((), {"head": 0}),
        ((), {"head": 0, "after": 0}),
        ((), {"head": 9, "after": 9}),
        ((), {"head": 9, "before": 1}),
        ((), {"head": 0, "before": 5}),
        ((1, 2), {"head": 2}),
        ((1, 2, 3), {"head": 2}),
        ((7, 8, 9), {"head": 9}),
        ((4, 5, 6), {"head": 9, "after": 3}),
        ((9,), {"head": 9, "after": 8}),
        ((2, 3, 4), {"head": 9, "before": 5}),
        ((1,), {"head": 9, "before": 2}),
        ((1, 2), {"head": 2, "before": 50}),
    ],
)
def test_what_is_whole_passes(seqs: tuple[int, ...], asked: dict[str, Seq]) -> None:
    require_whole(messages(*seqs), limit=3, **asked)


@pytest.mark.parametrize(
    ("seqs", "asked", "missing"),
    [
        ((), {"head": 9}, 9),
        ((), {"head": 9, "after": 8}, 9),
        ((), {"head": 9, "before": 5}, 4),
        ((1, 3), {"head": 3}, 2),
        ((7, 8), {"head": 9, "before": 10}, 9),
        ((2, 3), {"head": 3}, 1),
        ((6, 7, 8), {"head": 9}, 9),
        ((5, 6, 7), {"head": 9, "after": 3}, 4),
        ((4, 5), {"head": 9, "after": 3}, 6),
        ((4, 6, 7), {"head": 9, "after": 3}, 5),
        ((2, 3), {"head": 9, "before": 5}, 4),
        ((2, 3, 4), {"head": 4, "before": 50}, None),
    ],
)
def test_a_hole_is_named(
    seqs: tuple[int, ...], asked: dict[str, Seq], missing: int | None
) -> None:
    if missing is None:  # A full page may begin anywhere.
        require_whole(messages(*seqs), limit=3, **asked)
        return
    with pytest.raises(LogDamaged, match=f"message {missing} is missing"):
        require_whole(messages(*seqs), limit=3, **asked)


def test_what_is_not_what_was_stored_is_known_by_its_kind() -> None:
    whole = messages(1)[0]
    assert not is_damaged(whole)
    assert DAMAGED == {"damaged": True}
