"""What sessions tell their drivers."""

from typing import get_args

import msgspec

from kefu_core.errors import CloseCode
from kefu_core.protocol import frames as f
from kefu_core.protocol.events import (
    ClientEvent,
    CloseRequested,
    HistoryReplaced,
    SendRejected,
    ServerEvent,
)

OWN = {CloseRequested, HistoryReplaced, SendRejected}


def test_an_event_is_a_frame_of_the_peer_or_one_of_ours() -> None:
    assert set(get_args(ServerEvent)) - OWN < set(get_args(f.ClientFrame))
    assert set(get_args(ClientEvent)) - OWN < set(get_args(f.ServerFrame))


def test_heartbeats_stay_inside_the_session() -> None:
    for events in (ServerEvent, ClientEvent):
        assert not {f.Ping, f.Pong} & set(get_args(events))


def test_our_own_events_are_values() -> None:
    assert CloseRequested(CloseCode.SLOW) == CloseRequested(CloseCode.SLOW, "")
    assert all(e.__struct_config__.frozen for e in OWN if issubclass(e, msgspec.Struct))
