"""What the server's end says and does, for anything a peer may send."""

from itertools import product

import msgspec
import pytest

from kefu_core.errors import (
    CloseCode,
    Conflict,
    ErrorCode,
    OutOfOrder,
    StoreUnavailable,
)
from kefu_core.limits import Limits
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import BadFrame
from kefu_core.protocol.cursors import LogFollower
from kefu_core.protocol.server import ServerSession, error_frame, shared_limits
from kefu_core.protocol.transitions import ServerState
from kefu_core.types import ConversationId, Seq, UnixMs
from tests.core.protocol.samples import (
    CLIENT_FRAMES,
    ME,
    SERVER_FRAMES,
    C,
    D,
    message,
    send,
    sent,
    welcome,
)
from tests.core.protocol.server_sessions import (
    LIMITS,
    Said,
    closing,
    codes,
    live,
    said,
    session_in,
    told,
)

# -- states ------------------------------------------------------------------------


def refused_as(frame: f.Frame, text: str, code: str = "bad_request") -> f.ErrorFrame:
    return f.ErrorFrame(
        code=code,
        text=text,
        frame=str(frame.__struct_config__.tag),
        key=getattr(frame, "key", None),
        id=getattr(frame, "id", None),
        conversation=getattr(frame, "conversation", None),
    )


def expected(state: ServerState, frame: f.Frame) -> tuple[Said, ServerState]:
    """The whole table of states and frames, written a second time."""
    name = frame.__struct_config__.tag
    unavailable = {"code": "unavailable", "retry": "same"}
    if state is ServerState.CLOSED:
        return ([], []), state
    match frame:
        case f.Ping():
            return ([f.Pong()], []), state
        case f.Pong():
            return ([], []), state
        case f.Bye():
            return closing(CloseCode.NORMAL, "bye"), ServerState.CLOSED
        case f.Hello() if state is ServerState.AWAIT_HELLO:
            return ([], [frame]), ServerState.AUTHENTICATING
    if state is ServerState.AWAIT_HELLO:
        return ([refused_as(frame, f"`{name}` before `hello`.")], []), state
    if state is ServerState.AUTHENTICATING:
        return ([refused_as(frame, f"`{name}` before `welcome`.")], []), state
    if isinstance(frame, f.Hello):
        return ([refused_as(frame, "`hello` was said already.")], []), state
    if state is ServerState.DRAINING and isinstance(frame, (f.Send, f.Follow)):
        error = refused_as(frame, "This node is going away.")
        if isinstance(frame, f.Send):
            unavailable |= {"after_s": 1.0}
        return ([msgspec.structs.replace(error, **unavailable)], []), state
    return ([], [frame]), state  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("state", "kind"),
    list(product(ServerState, CLIENT_FRAMES)),
    ids=lambda value: getattr(value, "__name__", value),
)
def test_every_state_answers_every_frame_as_the_table_says(
    state: ServerState, kind: type[f.Frame]
) -> None:
    session = session_in(state)
    frame = CLIENT_FRAMES[kind]
    answer = told(session, frame)
    assert (answer, session.state) == expected(state, frame)


def test_a_frame_that_only_servers_send_is_refused() -> None:
    session = live()
    text = "`message` is not a frame a client sends."
    assert told(session, message(1)) == ([refused_as(message(1), text)], [])
    assert session.state is ServerState.LIVE
    ours = [frame for kind, frame in SERVER_FRAMES.items() if kind not in CLIENT_FRAMES]
    assert codes(session, *ours) == ["bad_request"] * len(ours)


def test_who_spoke_too_early_may_still_say_hello() -> None:
    session = ServerSession(LIMITS, 0.0)
    told(session, send(1))
    assert told(session, f.Hello()) == ([], [f.Hello()])


def test_nothing_is_taken_after_bye_even_in_the_same_batch() -> None:
    session = live()
    assert told(session, f.Bye(), send(1)) == closing(CloseCode.NORMAL, "bye")
    assert told(session, send(1)) == ([], [])


def test_another_version_is_refused_and_closed() -> None:
    session = ServerSession(LIMITS, 0.0)
    hello = f.Hello(v=2)
    text = "Protocol version 2; this server speaks 1."
    frames, events = closing(CloseCode.VERSION, text)
    assert told(session, hello) == ([refused_as(hello, text), *frames], events)


@pytest.mark.parametrize("count", [499, 500, 501])
def test_hello_carries_cursors_up_to_the_limit(count: int) -> None:
    session = ServerSession(LIMITS, 0.0)
    cursors = {ConversationId(i): Seq(0) for i in range(count)}
    answers = codes(session, f.Hello(cursors=cursors))
    assert answers == (["ok"] if count <= 500 else ["bad_request"])


def test_a_cursor_below_zero_is_refused() -> None:
    session = ServerSession(LIMITS, 0.0)
    assert codes(session, f.Hello(cursors={C: Seq(-1)})) == ["bad_request"]
    assert session.state is ServerState.AWAIT_HELLO


def test_welcome_says_what_the_peer_must_know() -> None:
    session = session_in(ServerState.AUTHENTICATING)
    answers = dict(
        session="s", epoch="e", resumed=False, me=ME, heads={C: Seq(3)}, at=UnixMs(9)
    )
    session.welcome(**answers, expires_at=None)  # type: ignore[arg-type]
    assert said(session) == ([welcome(resumed=False, heads={C: Seq(3)})], [])
    session.welcome(**answers, expires_at=None)  # type: ignore[arg-type]
    assert said(session) == ([], [])


def test_a_peer_that_left_while_its_token_was_checked_gets_no_welcome() -> None:
    session = session_in(ServerState.AUTHENTICATING)
    session.receive_eof(1.0)
    session.welcome(
        session="s", epoch="e", resumed=True, me=ME, heads={}, at=UnixMs(0),
        expires_at=None,
    )  # fmt: skip
    assert (said(session), session.state) == (([], []), ServerState.CLOSED)


def test_an_agent_is_told_the_longer_text() -> None:
    agent = msgspec.structs.replace(ME, role="agent")
    assert shared_limits(LIMITS, ME).text_chars == 5_000
    assert shared_limits(LIMITS, agent).text_chars == 10_000


# -- time --------------------------------------------------------------------------


def test_who_says_no_hello_in_time_is_closed() -> None:
    session = ServerSession(LIMITS, 100.0)
    assert session.next_timer() == 105.0
    session.handle_timer(104.9)
    assert said(session) == ([], [])
    session.handle_timer(105.0)
    assert said(session) == closing(CloseCode.SILENT, "no hello")


def test_pings_do_not_delay_the_hello_timeout() -> None:
    session = ServerSession(LIMITS, 0.0)
    assert told(session, f.Ping(), now=4.9) == ([f.Pong()], [])
    session.handle_timer(5.0)
    assert session.state is ServerState.CLOSED


def test_a_peer_is_not_blamed_while_its_token_is_checked() -> None:
    session = session_in(ServerState.AUTHENTICATING)
    session.handle_timer(1_000.0)
    assert (said(session), session.state) == (([], []), ServerState.AUTHENTICATING)


def test_after_its_own_silence_the_server_pings_once() -> None:
    session = live()
    session.wrote(10.0)
    told(session, f.Pong(), now=30.0)
    assert session.next_timer() == 35.0
    session.handle_timer(34.9)
    assert said(session) == ([], [])
    session.handle_timer(35.0)
    session.handle_timer(35.0)
    assert said(session) == ([f.Ping()], [])
    assert session.next_timer() == 60.0


def test_a_peer_silent_for_two_heartbeats_is_given_up() -> None:
    session = live()
    session.wrote(49.0)
    assert session.next_timer() == 50.0
    session.handle_timer(49.9)
    assert said(session) == ([], [])
    session.handle_timer(50.0)
    assert said(session) == closing(CloseCode.SILENT, "silent")


def test_anything_received_is_a_sign_of_life() -> None:
    session = live()
    told(session, f.Ping(), now=49.0)
    session.wrote(49.0)
    session.handle_timer(50.0)
    assert (said(session), session.state) == (([], []), ServerState.LIVE)


def test_a_token_that_ran_out_ends_the_session_unless_renewed() -> None:
    session = live(expires_at=10.0)
    assert session.next_timer() == 10.0
    session.authorized(20.0, UnixMs(20_000))
    assert said(session) == ([f.AuthOk(expires_at=UnixMs(20_000))], [])
    session.handle_timer(10.0)
    assert said(session) == ([], [])
    session.handle_timer(20.0)
    assert said(session) == closing(CloseCode.TOKEN_EXPIRED, "token expired")


def test_a_closed_session_has_nothing_due() -> None:
    session = session_in(ServerState.CLOSED)
    session.handle_timer(1e6)
    session.close(CloseCode.RESTART)
    assert said(session) == ([], [])


# -- lanes -------------------------------------------------------------------------


def out_of_order(frame: f.Send) -> f.ErrorFrame:
    return error_frame(OutOfOrder(), frame)


def test_sends_are_accepted_in_their_order_only() -> None:
    session = live()
    assert told(session, send(2)) == ([out_of_order(send(2))], [])
    assert told(session, send(1), send(2)) == ([], [send(1), send(2)])
    assert told(session, send(4), send(3)) == ([out_of_order(send(4))], [send(3)])


def test_every_conversation_is_a_lane_of_its_own() -> None:
    session = live()
    here, there = send(1), send(1, conversation=D)
    assert told(session, here, there, send(2)) == ([], [here, there, send(2)])
    assert codes(session, send(3, conversation=D)) == ["out_of_order"]


def test_a_repeat_is_passed_on_and_moves_nothing() -> None:
    session = live()
    told(session, send(1), send(2))
    assert told(session, send(1)) == ([], [send(1)])
    assert codes(session, send(4), send(3)) == ["out_of_order", "ok"]


def test_after_a_temporary_failure_the_lane_waits_for_that_n() -> None:
    session = live()
    told(session, send(1), send(2), send(3))
    failure = StoreUnavailable(retry_after_s=2.0)
    assert session.failed(send(2), failure) is True
    assert session.failed(send(3), OutOfOrder()) is True
    assert said(session) == ([error_frame(failure, send(2)), out_of_order(send(3))], [])
    assert codes(session, send(4), send(3), send(2), send(4), send(3), send(4)) == [
        *("out_of_order", "out_of_order", "ok"),
        *("out_of_order", "ok", "ok"),
    ]


def test_a_failure_further_on_does_not_lift_a_broken_lane() -> None:
    session = live()
    told(session, send(1), send(2), send(3))
    session.failed(send(3), StoreUnavailable())
    session.failed(send(1), StoreUnavailable())
    session.failed(send(2), OutOfOrder())
    said(session)
    assert codes(session, send(3), send(2), send(1)) == ["out_of_order"] * 2 + ["ok"]


def test_a_send_refused_for_good_has_used_its_n() -> None:
    session = live()
    told(session, send(1), send(2))
    assert session.failed(send(1), Conflict()) is False
    assert said(session) == ([error_frame(Conflict(), send(1))], [])
    assert codes(session, send(3)) == ["ok"]


@pytest.mark.parametrize("key", ["", "k" * 65])
def test_a_key_has_one_to_sixty_four_characters(key: str) -> None:
    session = live()
    bad = msgspec.structs.replace(send(1), key=key)
    text = "A key has 1 to 64 characters."
    assert told(session, bad) == ([refused_as(bad, text)], [])
    assert codes(session, send(1, "k" * 64)) == ["ok"]


@pytest.mark.parametrize("n", [0, -1])
def test_n_counts_from_one(n: int) -> None:
    assert codes(live(), send(n)) == ["bad_request"]


def test_sixty_four_sends_may_be_without_an_answer() -> None:
    limits = Limits(frames_burst=1_000)
    session = live(limits)
    assert codes(session, *map(send, range(1, 65))) == ["ok"] * 64
    assert session.sends_pending == 64
    busy = told(session, send(65))[0]
    assert busy == [
        f.ErrorFrame(
            code="busy",
            text="Too many sends without an answer.",
            retry="same",
            after_s=0.5,
            frame="send",
            key="k65",
            conversation=C,
        )
    ]
    session.sent(sent(1, "k1"))
    assert said(session) == ([sent(1, "k1")], [])
    # The refused n was not used: what follows it waits for it.
    assert codes(session, send(66), send(65), send(66)) == [
        *("out_of_order", "ok"),
        "busy",
    ]


def test_failed_sends_leave_the_window_too() -> None:
    session = live(Limits(unacknowledged_sends_max=1))
    assert codes(session, send(1), send(2)) == ["ok", "busy"]
    session.failed(send(1), Conflict())
    said(session)
    assert (codes(session, send(2)), session.sends_pending) == (["ok"], 1)


# -- pace --------------------------------------------------------------------------

TIGHT = Limits(frames_per_s=1.0, frames_burst=2, flood_factor=2.0, flood_s=5.0)
"""One frame is spent on `hello`; ten refusals in five seconds are borne."""


def test_too_fast_is_refused_with_the_time_to_wait() -> None:
    session = live(TIGHT)
    assert told(session, f.Watch(topic="a")) == ([], [f.Watch(topic="a")])
    assert told(session, send(1)) == (
        [
            f.ErrorFrame(
                code="rate_limited",
                text="Too many requests; wait before the next.",
                retry="same",
                after_s=1.0,
                frame="send",
                key="k1",
                conversation=C,
            )
        ],
        [],
    )
    # A send refused for pace has not used its n.
    assert codes(session, send(2), send(1), now=2.0) == ["out_of_order", "ok"]


def test_acknowledgements_and_pings_are_never_refused_for_pace() -> None:
    session = live(TIGHT)
    ack, read = CLIENT_FRAMES[f.Ack], CLIENT_FRAMES[f.Read]
    frames = [ack, read, f.Ping(), f.Pong(), ack]
    assert told(session, *frames) == ([f.Pong()], [ack, read, ack])


def test_acknowledging_what_was_sent_costs_no_pace() -> None:
    session = live(TIGHT)
    session.followers[C] = LogFollower(Seq(0), Seq(0))
    watch = f.Watch(topic="a")
    for seq in range(1, 1_000):
        session.followers[C].cursor = Seq(seq)
        session.receive([f.Ack(conversation=C, seq=Seq(seq))], 0.0)
        assert session.pause_s == 0.0
    said(session)
    assert codes(session, watch, watch) == ["ok", "rate_limited"]
    # What is said again, or ahead of what was sent, is a frame like any other.
    session.receive([f.Ack(conversation=C, seq=Seq(999))], 0.0)
    assert session.pause_s > 0.0


FLOODS: dict[str, f.Frame | BadFrame] = {
    "requests": f.Watch(topic="a"),
    "acknowledgements": f.Ack(conversation=C, seq=Seq(1)),
    "rubbish": BadFrame(code=ErrorCode.BAD_REQUEST, text="no"),
    "hellos": f.Hello(),
}


@pytest.mark.parametrize("item", [*FLOODS.values()], ids=[*FLOODS])
def test_a_flood_of_anything_is_closed(item: f.Frame | BadFrame) -> None:
    session = live(TIGHT)
    session.receive([item] * 11, 0.0)
    assert session.state is ServerState.LIVE
    said(session)
    assert not session.has_flooded
    session.receive([item, send(1)], 0.0)
    assert said(session) == closing(CloseCode.OVERLOADED, "too many frames")
    assert session.has_flooded


def test_a_peer_is_left_unread_in_proportion_to_what_came_too_early() -> None:
    session = live(TIGHT)
    paused = []
    for count, now in ((1, 0.0), (1, 0.0), (2, 0.0), (4, 0.0), (1, 60.0)):
        session.receive([f.Watch(topic="a")] * count, now)
        paused.append(session.pause_s)
    # A flood is twice the pace here; it is read a quarter faster, so that it is seen.
    assert paused == [0.0, 0.4, 0.8, 1.0, 0.0]


def test_who_was_cut_off_before_begins_without_a_burst() -> None:
    session = live(TIGHT)
    session.begin_slowly()
    watch = f.Watch(topic="a")
    assert codes(session, watch) == ["rate_limited"]
    assert codes(session, watch, watch, now=1.0) == ["ok", "rate_limited"]


def test_refusals_spread_over_time_are_no_flood() -> None:
    session = live(TIGHT)
    for turn in range(10):
        session.receive([f.Watch(topic="a")] * 11, turn * 6.0)
    assert session.state is ServerState.LIVE
