"""The tables of states: complete, and no wider than they need to be."""

from typing import get_args

import pytest

from kefu_core.protocol import frames as f
from kefu_core.protocol.transitions import (
    CLIENT_ACCEPTS,
    SERVER_ACCEPTS,
    ClientState,
    ServerState,
)

CLIENT_FRAMES = frozenset(get_args(f.ClientFrame))
SERVER_FRAMES = frozenset(get_args(f.ServerFrame))


def test_every_state_has_its_row() -> None:
    assert set(SERVER_ACCEPTS) == set(ServerState)
    assert set(CLIENT_ACCEPTS) == set(ClientState)


def test_a_row_names_frames_of_the_peer_only() -> None:
    assert all(row <= CLIENT_FRAMES for row in SERVER_ACCEPTS.values())
    assert all(row <= SERVER_FRAMES for row in CLIENT_ACCEPTS.values())


def test_every_frame_is_accepted_in_some_state() -> None:
    assert frozenset().union(*SERVER_ACCEPTS.values()) == CLIENT_FRAMES
    assert frozenset().union(*CLIENT_ACCEPTS.values()) == SERVER_FRAMES


@pytest.mark.parametrize(
    "state", [s for s in ServerState if s is not ServerState.AWAIT_HELLO]
)
def test_a_hello_is_accepted_once(state: ServerState) -> None:
    assert f.Hello in SERVER_ACCEPTS[ServerState.AWAIT_HELLO]
    assert f.Hello not in SERVER_ACCEPTS[state]


def test_nothing_that_acts_is_accepted_before_the_welcome() -> None:
    harmless = {f.Hello, f.Ping, f.Pong, f.Bye}
    assert SERVER_ACCEPTS[ServerState.AWAIT_HELLO] == harmless
    assert SERVER_ACCEPTS[ServerState.AUTHENTICATING] == harmless - {f.Hello}
    assert f.MessageFrame not in CLIENT_ACCEPTS[ClientState.HELLO_SENT]


def test_the_end_accepts_nothing() -> None:
    assert not SERVER_ACCEPTS[ServerState.CLOSED]
    assert not CLIENT_ACCEPTS[ClientState.IDLE]
