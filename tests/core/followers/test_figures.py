"""What is counted of a log, for whom and on which day."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu_core.followers.figures import figures_of
from kefu_core.model import Message, MessageKind
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

HOUR = 3_600_000
K = MessageKind


def log(*lines: tuple[int, str, MessageKind, dict[str, Any] | None]) -> list[Message]:
    """Return messages: each its time in hours, its sender, its kind and its data."""
    return [
        Message(
            conversation=ConversationId(1),
            seq=Seq(seq),
            sender=ParticipantId(sender),
            key=f"k{seq}",
            kind=kind,
            body="x",
            at=UnixMs(at * HOUR),
            data=data,
        )
        for seq, (at, sender, kind, data) in enumerate(lines, 1)
    ]


def day(at: UnixMs) -> int:
    return at // (24 * HOUR)


def to(agent: str | None) -> dict[str, Any]:
    return {"assignee": agent}


def test_an_answered_conversation_counts_for_who_had_it() -> None:
    messages = log(
        (1, "v1", K.TEXT, None),
        (2, "a7", K.ASSIGNMENT, to("a7")),
        (3, "a7", K.TEXT, None),
        (4, "v1", K.TEXT, None),
        (5, "a7", K.CLOSE, None),
    )
    assert figures_of(messages, day) == {
        0: {
            "0": {"opened": 1, "messages_in": 1},
            "7": {
                "messages_in": 1,
                "messages_out": 1,
                "first_replies": 1,
                "first_reply_ms": 2 * HOUR,
                "closed": 1,
                "handled": 1,
                "handling_ms": 3 * HOUR,
            },
        }
    }


def test_what_was_closed_without_an_answer_is_missed() -> None:
    messages = log((1, "v1", K.TEXT, None), (2, "a7", K.CLOSE, None))
    assert figures_of(messages, day)[0]["7"] == {"closed": 1, "missed": 1}


def test_each_episode_is_one_on_its_own_day_and_has_its_own_first_reply() -> None:
    messages = log(
        (1, "v1", K.TEXT, None),
        (2, "a7", K.TEXT, None),
        (3, "a7", K.CLOSE, None),
        (25, "v1", K.TEXT, None),
        (26, "a8", K.ASSIGNMENT, to("a8")),
        (27, "a8", K.TEXT, None),
        (49, "a8", K.CLOSE, None),
    )
    figures = figures_of(messages, day)
    assert figures[0]["0"]["opened"] == figures[1]["0"]["opened"] == 1
    assert figures[0]["7"]["first_reply_ms"] == HOUR
    assert figures[1]["8"]["first_reply_ms"] == 2 * HOUR
    assert figures[2] == {"8": {"closed": 1, "handled": 1, "handling_ms": 23 * HOUR}}


def test_what_the_system_says_is_nobodys_work() -> None:
    messages = log((1, "v1", K.TEXT, None), (2, "s0", K.TEXT, None))
    assert figures_of(messages, day) == {0: {"0": {"opened": 1, "messages_in": 1}}}


def test_an_erased_text_counts_as_it_did() -> None:
    whole = log((1, "v1", K.TEXT, None), (2, "a7", K.TEXT, None))
    erased = log(
        (1, "v1", K.ERASED, {"was": "text"}), (2, "a7", K.ERASED, {"was": "text"})
    )
    assert figures_of(erased, day) == figures_of(whole, day)


@pytest.mark.parametrize(
    "data", [None, {}, {"assignee": 7}, {"assignee": "v7"}, {"assignee": "a7x"}]
)
def test_data_that_says_nothing_counts_for_nobody(data: dict[str, Any] | None) -> None:
    messages = log((1, "a7", K.ASSIGNMENT, data), (2, "v1", K.TEXT, None))
    assert figures_of(messages, day)[0]["0"] == {"opened": 1, "messages_in": 1}


SENDERS = st.sampled_from(["v1", "a7", "a8", "s0"])
LINES = st.lists(
    st.tuples(
        st.integers(0, 3),
        SENDERS,
        st.sampled_from([K.TEXT, K.NOTE, K.CLOSE, K.REOPEN, K.ASSIGNMENT]),
        st.sampled_from([None, to("a7"), to(None)]),
    ),
    max_size=30,
)


@given(LINES)
def test_of_any_log_every_text_is_counted_once_and_no_more_is_closed_than_opened(
    steps: list[tuple[int, str, MessageKind, dict[str, Any] | None]],
) -> None:
    at, lines = 0, []
    for hours, *rest in steps:
        at += hours
        lines.append((at, *rest))
    messages = log(*lines)  # type: ignore[arg-type]
    sums: dict[str, int] = {}
    for agents in figures_of(messages, day).values():
        for fields in agents.values():
            for field, value in fields.items():
                assert value >= 0
                sums[field] = sums.get(field, 0) + value
    texts = [m for m in messages if m.kind is K.TEXT]
    visitors = sum(m.sender == "v1" for m in texts)
    agents_texts = sum(m.sender.startswith("a") for m in texts)
    assert sums.get("messages_in", 0) == visitors
    assert sums.get("messages_out", 0) == agents_texts
    assert sums.get("closed", 0) <= sums.get("opened", 0)
    assert sums.get("first_replies", 0) <= sums.get("opened", 0)
    assert sums.get("missed", 0) <= sums.get("closed", 0)


def test_of_an_end_that_was_rated_again_the_last_word_counts_on_the_first_day() -> None:
    erased = {"was": "rating", "score": 3, "instead": 5}
    messages = log(
        (1, "v1", K.TEXT, None),
        (2, "a7", K.ASSIGNMENT, to("a7")),
        (3, "a7", K.TEXT, None),
        (4, "a7", K.CLOSE, None),
        (23, "v1", K.RATING, {"score": 1}),
        (25, "v1", K.ERASED, erased),
        (26, "v1", K.TEXT, None),
        (27, "a7", K.CLOSE, None),
        (28, "v1", K.RATING, {"score": 5}),
    )
    found = figures_of(messages, day)
    assert found[0]["7"]["rating_sum"] == 3
    assert found[0]["7"]["ratings"] == 1
    assert found[1]["7"] == {"closed": 1, "missed": 1, "ratings": 1, "rating_sum": 5}
    # A part of the log that begins with the change leaves it to whoever had the first.
    assert figures_of(messages[5:6], day) == {}
