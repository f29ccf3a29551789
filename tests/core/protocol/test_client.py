"""What the client's end says, shows and keeps, from one connection to the next."""

from itertools import product

import msgspec
import pytest

from kefu_core.errors import CloseCode, ErrorCode, TooLarge
from kefu_core.limits import Limits
from kefu_core.model import Draft
from kefu_core.protocol import frames as f
from kefu_core.protocol.client import ClientSession
from kefu_core.protocol.codec import BadFrame
from kefu_core.protocol.events import CloseRequested, HistoryReplaced, SendRejected
from kefu_core.protocol.transitions import CLIENT_ACCEPTS, ClientState
from kefu_core.types import ParticipantId, Seq
from tests.core.protocol.client_sessions import (
    NOTHING,
    draft,
    follow,
    live,
    refusal,
    said,
    session_in,
    told,
)
from tests.core.protocol.samples import (
    ME,
    SERVER_FRAMES,
    SHARED,
    C,
    D,
    message,
    send,
    sent,
    welcome,
)

# -- states ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "kind"),
    list(product(ClientState, SERVER_FRAMES)),
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_server_that_breaks_the_protocol_is_left(
    state: ClientState, kind: type[f.Frame]
) -> None:
    session = session_in(state)
    frames, events = told(session, SERVER_FRAMES[kind])
    if kind not in CLIENT_ACCEPTS[state]:
        reason = f"{kind.__name__} in state {state}"
        assert events == [CloseRequested(CloseCode.BAD_PROTOCOL, reason)]
        assert (frames, session.state) == ([], ClientState.IDLE)
    elif kind is f.Closed:
        assert events == [CloseRequested(CloseCode.RESTART, "restart")]
        assert session.state is ClientState.IDLE
    else:
        assert not any(isinstance(event, CloseRequested) for event in events)
        after = {f.Welcome: ClientState.LIVE, f.Drain: ClientState.DRAINING}
        assert session.state is after.get(kind, state)


PASSED_ON = (f.Page, f.Reply, f.Receipt, f.TypingEvent, f.ErrorFrame, f.Head)


@pytest.mark.parametrize("kind", PASSED_ON)
def test_what_the_session_does_not_need_is_passed_on(kind: type[f.Frame]) -> None:
    frame = SERVER_FRAMES[kind]
    assert told(live(), frame) == ([], [frame])


def test_a_ping_is_answered_and_a_pong_is_enough() -> None:
    assert told(live(), f.Ping()) == ([f.Pong()], [])
    assert told(live(), f.Pong(), SERVER_FRAMES[f.AuthOk]) == NOTHING


def test_frames_of_a_newer_server_are_ignored() -> None:
    session = live()
    unknown = BadFrame(code=ErrorCode.UNKNOWN_FRAME, text="what")
    session.receive([unknown, message(4)], 0.0)
    assert said(session)[1] == [message(4)]


def test_broken_bytes_end_the_connection_and_what_follows_is_not_taken() -> None:
    session = live()
    session.receive([BadFrame(code=ErrorCode.BAD_REQUEST, text="no"), message(4)], 0.0)
    assert said(session) == ([], [CloseRequested(CloseCode.BAD_PROTOCOL, "no")])
    assert session.readers[C].cursor == 3


def test_nothing_after_closed_is_taken() -> None:
    session = live()
    closed = f.Closed(code=4001, reason="token")
    assert told(session, closed, message(4)) == (
        [],
        [CloseRequested(CloseCode.UNAUTHORIZED, "token")],
    )


def test_an_unknown_close_code_means_come_back() -> None:
    _, events = told(live(), f.Closed(code=4299))
    assert events == [CloseRequested(CloseCode.RESTART)]


# -- connecting and resuming -------------------------------------------------------


def test_the_first_hello_holds_no_epoch() -> None:
    session = ClientSession(client="test 1")
    session.connected("t", 0.0)
    assert said(session) == ([f.Hello(token="t", client="test 1")], [])


def test_hello_carries_what_is_held() -> None:
    session = live()
    session.follow(D, Seq(0))
    told(session, message(4), message(5))
    session.disconnected()
    session.connected("t2", 1.0)
    hello = f.Hello(
        token="t2", client="test 1", epoch="e", cursors={C: Seq(5), D: Seq(0)}
    )
    assert said(session) == ([hello], [])


def test_resumed_conversations_are_not_followed_a_second_time() -> None:
    session = session_in(ClientState.HELLO_SENT)
    assert told(session, welcome()) == ([], [welcome()])
    assert (session.epoch, session.me) == ("e", ME)


def test_following_is_said_once_and_so_is_its_end() -> None:
    session = live()
    session.follow(D, Seq(3))
    session.follow(D, Seq(9))
    assert said(session) == ([follow(3, D)], [])
    session.unfollow(D)
    session.unfollow(D)
    assert said(session) == ([f.Unfollow(conversation=D)], [])


def test_what_changed_while_the_hello_was_under_way_is_said_after_the_welcome() -> None:
    session = session_in(ClientState.HELLO_SENT)
    session.follow(D, Seq(9))
    session.unfollow(C)
    assert said(session) == NOTHING
    frames = [f.Unfollow(conversation=C), follow(9, D)]
    assert told(session, welcome()) == (frames, [welcome()])


def test_cursors_beyond_the_limit_are_followed_after_the_welcome() -> None:
    session = ClientSession(limits=Limits(cursors_max=1))
    session.follow(C, Seq(1))
    session.follow(D, Seq(2))
    session.connected("t", 0.0)
    (hello,), _ = said(session)
    assert hello == f.Hello(token="t", cursors={D: Seq(2)})
    assert told(session, welcome())[0] == [follow(1)]


def test_another_history_drops_the_logs_and_keeps_the_outbox() -> None:
    session = live()
    session.send(draft("k1"), 0.0)
    told(session, message(4))
    session.disconnected()
    session.connected("t", 1.0)
    said(session)
    new = welcome(epoch="other", resumed=False)
    assert told(session, new, now=1.0) == (
        [follow(0), send(1, "k1")],
        [HistoryReplaced("other"), new],
    )
    assert (session.epoch, session.readers[C].cursor) == ("other", 0)


def test_a_first_welcome_replaces_nothing() -> None:
    session = session_in(ClientState.HELLO_SENT)
    new = welcome(resumed=False)
    assert told(session, new) == ([follow(3)], [new])


def test_lists_are_watched_again_on_every_connection() -> None:
    session = live()
    session.watch("conversations")
    session.watch("conversations")
    assert said(session) == ([f.Watch(topic="conversations")], [])
    told(session, f.Snapshot(topic="conversations", version=3))
    session.disconnected()
    session.connected("t", 1.0)
    said(session)
    assert told(session, welcome())[0] == [f.Watch(topic="conversations")]
    assert session.watched == {"conversations": -1}
    session.unwatch("conversations")
    session.unwatch("conversations")
    assert said(session)[0] == [f.Unwatch(topic="conversations")]


def test_nothing_is_said_before_the_welcome_or_without_a_connection() -> None:
    for state in (ClientState.IDLE, ClientState.HELLO_SENT):
        session = session_in(state)
        session.follow(D, Seq(0))
        session.watch("conversations")
        session.send(draft("k1"), 0.0)
        assert session.say(f.Unwatch(topic="x")) is False
        assert said(session) == NOTHING
    assert live().say(f.Unwatch(topic="x")) is True


def test_leaving_on_purpose_says_bye() -> None:
    session = live()
    session.bye()
    assert said(session) == ([f.Bye()], [])


# -- sends -------------------------------------------------------------------------


def test_a_send_leaves_at_once_and_only_once() -> None:
    session = live()
    session.send(draft("k1"), 0.0)
    session.send(draft("k1"), 0.0)
    session.send(draft("k2"), 0.0)
    assert said(session) == ([send(1), send(2)], [])


def test_a_draft_travels_whole() -> None:
    session = live()
    whole = Draft(
        conversation=C,
        sender=ParticipantId("v1"),
        key="k",
        body="hi",
        data={"a": 1},
        ref=Seq(2),
    )
    session.send(whole, 0.0)
    frame = f.Send(key="k", conversation=C, n=1, body="hi", data={"a": 1}, ref=Seq(2))
    assert said(session)[0] == [frame]


def test_either_sent_or_the_message_itself_acknowledges() -> None:
    session = live()
    session.send(draft("k1"), 0.0)
    session.send(draft("k2"), 0.0)
    said(session)
    assert told(session, sent(4, "k1"), message(4, key="k1"))[1] == [
        sent(4, "k1"),
        message(4, key="k1"),
    ]
    assert told(session, message(5, key="k2"), sent(5, "k2"))[1] == [
        sent(5, "k2"),
        message(5, key="k2"),
    ]
    assert len(session.outbox) == 0


def test_everything_unanswered_is_sent_again_in_order_from_one() -> None:
    session = live()
    for number in (1, 2, 3):
        session.send(draft(f"k{number}"), 0.0)
    told(session, sent(4, "k1"))
    session.disconnected()
    session.send(draft("k4"), 1.0)
    session.connected("t", 1.0)
    said(session)
    assert told(session, welcome())[0] == [send(1, "k2"), send(2, "k3"), send(3, "k4")]


def test_the_window_of_the_server_is_kept() -> None:
    session = session_in(ClientState.HELLO_SENT)
    for number in (1, 2, 3):
        session.send(draft(f"k{number}"), 0.0)
    two = msgspec.structs.replace(SHARED, unacknowledged_sends=2)
    assert told(session, welcome(limits=two))[0] == [send(1), send(2)]
    assert told(session, sent(4, "k1"))[0] == [send(3)]


def test_a_draining_server_is_asked_for_nothing_new() -> None:
    session = session_in(ClientState.DRAINING)
    session.send(draft("k1"), 0.0)
    assert said(session) == NOTHING


def test_a_refusal_for_good_is_told_and_forgotten() -> None:
    session = live()
    session.send(draft("k1"), 0.0)
    session.send(draft("k2"), 0.0)
    said(session)
    error = refusal(ErrorCode.CONFLICT, "k1", "none")
    assert told(session, error, error) == (
        [],
        [SendRejected("k1", C, "conflict", "no")],
    )
    assert session.outbox.drafts() == [draft("k2")]


def test_a_refusal_that_does_not_name_the_conversation_is_found_by_its_key() -> None:
    session = live()
    session.send(draft("k1"), 0.0)
    said(session)
    error = f.ErrorFrame(code="bad_request", text="no", key="k1")
    unknown = f.ErrorFrame(code="bad_request", text="no", key="k9")
    assert told(session, unknown, error)[1] == [
        SendRejected("k1", C, "bad_request", "no")
    ]


def test_a_broken_lane_is_repeated_from_its_break_after_the_wait() -> None:
    session = live()
    for number in (1, 2, 3):
        session.send(draft(f"k{number}"), 0.0)
    said(session)
    told(session, sent(4, "k1"))
    broken = [
        refusal(ErrorCode.UNAVAILABLE, "k2", after_s=2.0),
        refusal(ErrorCode.OUT_OF_ORDER, "k3"),
    ]
    assert told(session, *broken, now=1.0) == NOTHING
    session.send(draft("k4"), 1.0)
    assert said(session) == NOTHING
    assert session.next_timer(1.0) == 3.0
    session.handle_timer(2.9)
    assert said(session) == NOTHING
    session.handle_timer(3.0)
    assert said(session)[0] == [send(2), send(3), send(4)]


def test_a_lane_out_of_step_is_left_for_a_new_connection() -> None:
    session = live()
    session.send(draft("k1"), 0.0)
    said(session)
    error = refusal(ErrorCode.OUT_OF_ORDER, "k1")
    assert told(session, error) == (
        [],
        [CloseRequested(CloseCode.RESTART, "lane out of step")],
    )
    session.disconnected()
    session.connected("t", 1.0)
    said(session)
    assert told(session, welcome())[0] == [send(1)]


def test_an_error_without_a_key_is_passed_on() -> None:
    error = refusal(ErrorCode.FORBIDDEN, None, "none")
    assert told(live(), error) == ([], [error])


# -- time --------------------------------------------------------------------------


def test_a_server_that_says_no_welcome_is_left() -> None:
    session = ClientSession()
    session.connected("t", 100.0)
    said(session)
    assert session.next_timer(100.0) == 115.0
    session.handle_timer(114.9)
    assert said(session) == NOTHING
    session.handle_timer(115.0)
    assert said(session)[1] == [CloseRequested(CloseCode.SILENT, "no welcome")]


def test_after_its_own_silence_the_client_pings() -> None:
    session = live()
    session.wrote(5.0)
    told(session, f.Pong(), now=20.0)
    assert session.next_timer(20.0) == 30.0
    session.handle_timer(29.9)
    assert said(session) == NOTHING
    session.handle_timer(30.0)
    assert said(session) == ([f.Ping()], [])


def test_a_silent_server_is_left() -> None:
    session = live()
    session.wrote(49.0)
    assert session.next_timer(49.0) == 50.0
    session.handle_timer(50.0)
    silent = CloseRequested(CloseCode.SILENT, "the server is silent")
    assert said(session) == ([], [silent])
    assert session.state is ClientState.IDLE


def test_the_heartbeat_is_the_servers() -> None:
    session = session_in(ClientState.HELLO_SENT)
    told(session, welcome(heartbeat_s=3.0))
    assert session.next_timer(0.0) == 3.0


def test_without_a_connection_nothing_is_due() -> None:
    session = session_in(ClientState.IDLE)
    assert session.next_timer(5.0) > 1_000.0
    session.handle_timer(1e9)
    assert said(session) == NOTHING


def test_a_message_that_fits_no_batch_is_refused_before_it_is_queued() -> None:
    session = session_in(ClientState.LIVE)
    long = msgspec.structs.replace(draft("k"), body="发" * 30_000)
    with pytest.raises(TooLarge, match="at most 65536"):
        session.send(long, 0.0)
    assert len(session.outbox) == 0
    session.send(draft("next"), 0.0)
    assert [x.n for x in said(session)[0] if isinstance(x, f.Send)] == [1]
