"""A client shows its logs and lists whole and once, and says how far it has them."""

import pytest

from kefu_core.protocol import frames as f
from kefu_core.protocol.client import ClientSession
from kefu_core.types import Seq
from tests.core.protocol.client_sessions import (
    NOTHING,
    ack,
    draft,
    follow,
    live,
    said,
    told,
)
from tests.core.protocol.samples import C, D, message, send, welcome

# -- the log -----------------------------------------------------------------------


def test_messages_are_shown_in_order_and_once() -> None:
    session = live()
    frames, events = told(session, message(4), message(4), message(5), message(2))
    assert (frames, events) == ([], [message(4), message(5)])


def test_a_conversation_that_is_not_followed_shows_nothing() -> None:
    assert told(live(), message(1, conversation=D)) == NOTHING


def test_a_hole_asks_again_once_and_shows_nothing() -> None:
    session = live()
    assert told(session, message(4), message(6), message(7)) == (
        [follow(4), ack(4)],
        [message(4)],
    )
    assert told(session, message(5), message(6), message(8)) == (
        [follow(6), ack(6)],
        [message(5), message(6)],
    )


def test_a_hole_that_was_not_filled_is_asked_for_again_after_the_head() -> None:
    session = live()
    assert told(session, message(5))[0] == [follow(3)]
    head = f.Head(conversation=C, last_seq=Seq(6))
    assert told(session, head, message(6)) == ([follow(3)], [head])


def test_a_hole_does_not_outlive_its_connection() -> None:
    session = live()
    told(session, message(5))
    session.disconnected()
    session.connected("t", 1.0)
    said(session)
    assert told(session, welcome(), message(5))[0] == [follow(3)]


# -- lists -------------------------------------------------------------------------


def event(version: int) -> f.Event:
    return f.Event(topic="conversations", version=version, put={"id": version})


def watching() -> ClientSession:
    session = live()
    session.watch("conversations")
    said(session)
    return session


def test_changes_of_a_list_are_shown_in_their_order() -> None:
    session = watching()
    snapshot = f.Snapshot(topic="conversations", version=3)
    frames = [snapshot, event(4), event(5)]
    assert told(session, *frames) == ([], frames)


def test_a_missing_change_asks_for_the_list_again_once() -> None:
    session = watching()
    told(session, f.Snapshot(topic="conversations", version=3))
    missed = told(session, event(5), event(6), event(7))
    assert missed == ([f.Watch(topic="conversations")], [])
    snapshot = f.Snapshot(topic="conversations", version=7)
    assert told(session, snapshot, event(8)) == ([], [snapshot, event(8)])


def test_changes_before_the_snapshot_and_of_other_lists_are_ignored() -> None:
    session = watching()
    other = f.Snapshot(topic="people", version=1)
    assert told(session, event(1), other) == NOTHING


# -- acknowledgements --------------------------------------------------------------


def test_acknowledgements_are_coalesced() -> None:
    session = live()
    told(session, message(4), now=1.0)
    told(session, message(5), now=1.1)
    assert session.next_timer(1.1) == pytest.approx(1.2)
    session.handle_timer(1.1)
    assert said(session) == NOTHING
    session.handle_timer(1.2)
    assert said(session) == ([ack(5)], [])
    session.handle_timer(1.5)
    assert said(session) == NOTHING


def test_acknowledgements_go_along_with_what_is_sent_anyway() -> None:
    session = live()
    told(session, message(4), now=1.0)
    session.send(draft("k1"), 1.0)
    assert said(session) == ([send(1), ack(4)], [])
    session.handle_timer(2.0)
    assert said(session) == NOTHING


def test_what_was_shown_is_read_and_needs_no_ack_besides() -> None:
    session = live()
    told(session, message(4), message(5), now=1.0)
    session.read(C, Seq(5), 1.0)
    session.handle_timer(1.2)
    assert said(session)[0] == [f.Read(conversation=C, seq=Seq(5))]


def test_what_arrived_after_the_shown_is_acknowledged_besides() -> None:
    session = live()
    told(session, message(4), message(5), now=1.0)
    session.read(C, Seq(4), 1.0)
    session.handle_timer(1.2)
    assert said(session)[0] == [f.Read(conversation=C, seq=Seq(4)), ack(5)]


def test_nothing_is_read_beyond_what_is_held_or_twice() -> None:
    session = live()
    session.read(D, Seq(1), 0.0)
    session.read(C, Seq(99), 0.0)
    session.handle_timer(0.2)
    assert said(session)[0] == [f.Read(conversation=C, seq=Seq(3))]
    session.read(C, Seq(2), 1.0)
    session.read(C, Seq(3), 1.0)
    session.handle_timer(2.0)
    assert said(session) == NOTHING


def test_what_was_read_is_said_again_on_the_next_connection() -> None:
    session = live()
    told(session, message(4))
    session.read(C, Seq(4), 0.0)
    session.disconnected()
    session.connected("t", 1.0)
    said(session)
    assert told(session, welcome(), now=1.0)[0] == []
    session.handle_timer(1.2)
    assert said(session)[0] == [f.Read(conversation=C, seq=Seq(4))]


def test_what_hello_said_is_not_acknowledged_again() -> None:
    session = live()
    told(session, message(4))
    session.disconnected()
    session.connected("t", 1.0)
    said(session)
    told(session, welcome(), now=1.0)
    session.handle_timer(2.0)
    assert said(session) == NOTHING
