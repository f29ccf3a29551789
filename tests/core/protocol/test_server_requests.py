"""What a session asks for is bounded, and answered in order."""

import pytest

from kefu_core.errors import CloseCode, ErrorCode, NotFound
from kefu_core.limits import Limits
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import BadFrame
from kefu_core.protocol.server import internal_error
from kefu_core.protocol.transitions import ServerState
from kefu_core.types import ConversationId, Seq
from tests.core.protocol.samples import CLIENT_FRAMES, C, D, send, sent
from tests.core.protocol.server_sessions import (
    closing,
    codes,
    live,
    said,
    session_in,
    told,
)

# -- cursors -----------------------------------------------------------------------


def test_following_is_answered_with_the_head() -> None:
    session = live()
    session.followed(D, Seq(3), Seq(9))
    assert said(session) == ([f.Head(conversation=D, last_seq=Seq(9))], [])
    follower = session.followers[D]
    assert (follower.cursor, follower.head, follower.acked) == (3, 9, 3)
    session.unfollowed(D)
    session.unfollowed(D)
    assert list(session.followers) == [C]


def test_a_cursor_beyond_the_log_is_ack_ahead_and_not_followed() -> None:
    session = live()
    session.followed(D, Seq(10), Seq(9))
    text = "This cursor lies beyond the end of the log."
    assert said(session) == ([f.ErrorFrame(code="ack_ahead", text=text)], [])
    assert D not in session.followers


@pytest.mark.parametrize("kind", [f.Ack, f.Read])
def test_nobody_acknowledges_what_was_not_sent(
    kind: type[f.Ack] | type[f.Read],
) -> None:
    session = live()
    frames = [kind(conversation=C, seq=Seq(seq)) for seq in (6, -1, 5)]
    unknown = kind(conversation=D, seq=Seq(1))
    assert codes(session, *frames, unknown) == [
        *("ack_ahead", "ack_ahead", "ok"),
        "not_found",
    ]


def test_acknowledgements_only_rise() -> None:
    session = live()
    session.followed(C, Seq(0), Seq(9))
    follower = session.followers[C]
    follower.cursor = Seq(9)
    for seq, acked in ((4, 4), (2, 4), (9, 9)):
        told(session, f.Ack(conversation=C, seq=Seq(seq)))
        assert follower.acked == acked


def test_conversations_are_followed_up_to_the_limit() -> None:
    session = live(Limits(cursors_max=2))
    session.followed(D, Seq(0), Seq(0))
    again = f.Follow(conversation=C, after=Seq(1))
    third = f.Follow(conversation=ConversationId(9))
    below = f.Follow(conversation=C, after=Seq(-1))
    said(session)
    assert codes(session, again, third, below) == ["ok", "rate_limited", "bad_request"]


# -- other requests ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({}, "ok"),
        ({"before": 9}, "ok"),
        ({"after": 9}, "ok"),
        ({"before": 9, "after": 1}, "bad_request"),
        ({"limit": 0}, "bad_request"),
        ({"limit": 1}, "ok"),
        ({"limit": 100}, "ok"),
        ({"limit": 101}, "bad_request"),
    ],
)
def test_a_page_is_asked_for_within_limits(fields: dict[str, Seq], answer: str) -> None:
    fetch = f.Fetch(id="1", conversation=C, **fields)  # type: ignore[arg-type]
    assert codes(live(), fetch) == [answer]


def test_typing_is_paced_but_stopping_is_always_passed_on() -> None:
    session = live()
    typing = f.Typing(conversation=C, text="h")
    stopped = f.Typing(conversation=C, is_typing=False)
    assert told(session, typing, typing, now=0.0) == ([], [typing])
    assert told(session, stopped, stopped, now=0.1) == ([], [stopped, stopped])
    assert told(session, typing, now=1.9) == ([], [])
    assert told(session, typing, now=2.0) == ([], [typing])


@pytest.mark.parametrize(("chars", "answer"), [(500, "ok"), (501, "bad_request")])
def test_unsent_text_is_bounded(chars: int, answer: str) -> None:
    typing = f.Typing(conversation=C, text="x" * chars)
    assert codes(live(), typing) == [answer]


def test_a_refusal_names_what_it_refuses() -> None:
    session = live()
    session.error(NotFound(), about=CLIENT_FRAMES[f.Call])
    session.error(internal_error())
    session.answer(f.Reply(id="2"))
    assert said(session) == (
        [
            f.ErrorFrame(
                code="not_found",
                text="There is no such thing, or it is not yours to see.",
                frame="call",
                id="2",
            ),
            f.ErrorFrame(code="internal", text="Something went wrong on our side."),
            f.Reply(id="2"),
        ],
        [],
    )


def test_bytes_that_are_no_frame_are_answered_and_the_rest_goes_on() -> None:
    session = live()
    bad = BadFrame(code=ErrorCode.BAD_REQUEST, text="no", frame="send", key="k", id="1")
    session.receive([bad, send(1)], 0.0)
    answer = f.ErrorFrame(code="bad_request", text="no", frame="send", key="k", id="1")
    assert said(session) == ([answer], [send(1)])


def test_bytes_that_hide_where_the_next_frame_starts_end_the_connection() -> None:
    session = live()
    bad = BadFrame(code=ErrorCode.BAD_REQUEST, text="no", fatal=True)
    session.receive([bad, send(1)], 0.0)
    frames, events = closing(CloseCode.BAD_PROTOCOL, "no")
    answer = f.ErrorFrame(code="bad_request", text="no")
    assert said(session) == ([answer, *frames], events)


def test_draining_is_announced_once_and_only_to_the_live() -> None:
    session = live()
    session.drain(3.0)
    session.drain(3.0)
    assert said(session) == ([f.Drain(within_s=3.0)], [])
    early = session_in(ServerState.AUTHENTICATING)
    early.drain(3.0)
    assert (said(early), early.state) == (([], []), ServerState.AUTHENTICATING)


def test_what_was_accepted_before_a_drain_is_still_answered() -> None:
    session = live()
    told(session, send(1))
    session.drain(3.0)
    session.sent(sent(6, "k1"))
    assert said(session)[0] == [f.Drain(within_s=3.0), sent(6, "k1")]
