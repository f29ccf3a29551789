"""What happens on a node and what it refused can be seen."""

from typing import Any

import msgspec
import pytest

from kefu_core.errors import CloseCode
from kefu_core.protocol import frames as f
from kefu_core.types import ConversationId, Seq
from tests.core.hub.world import LIMITS, send, world

pytestmark = pytest.mark.anyio


async def test_who_is_here_is_shown_by_transport() -> None:
    async with world() as w:
        conversation = await w.conversation()
        await w.follower("v1", conversation)
        await w.peer("a1")
        await w.connect()
        while w.hub.connection_count < 3:
            await w.peers[0].until_answered()
        shown = w.hub.statistics()
        assert shown.connections == {"memory": 3}
        assert shown.hello_pending == 1
        assert shown.participants == 2
        assert shown.conversations == 1
        assert shown.refused == shown.errors == shown.closes == {}


NOWHERE = ConversationId(999)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("bad_request", f.Hello(token="v1")),
        ("bad_request", send(NOWHERE, 0)),
        ("not_found", f.Follow(conversation=NOWHERE)),
        ("not_found", f.Ack(conversation=NOWHERE, seq=Seq(1))),
        ("not_found", f.Watch(topic="nothing")),
        ("internal", f.Call(id="1", method="crash")),
        ("out_of_order", send(NOWHERE, 7)),
        ("unknown_frame", f.Pong),
    ],
)
async def test_a_refusal_is_counted_by_its_code(code: str, said: Any) -> None:
    async with world() as w:
        peer = await w.peer("v1")
        if said is f.Pong:
            await peer.stream.send([b'{"t":"sudo"}'])
        else:
            await peer.say(said)
        assert (await peer.expect(f.ErrorFrame)).code == code
        assert w.hub.statistics().errors == {"memory": {code: 1}}


async def test_a_connection_that_ends_is_counted_by_why() -> None:
    async with world() as w:
        for said in (f.Bye(), f.Hello(token="v1", v=9), f.Hello(token="")):
            peer = await w.connect()
            await peer.say(said)
            await peer.until_closed()
        left = await w.peer("v1")
        left.stream.cut()
        await left.served.wait()
        assert w.hub.statistics().closes == {
            "memory": {
                str(int(CloseCode.NORMAL)): 1,
                "1006": 1,
                str(int(CloseCode.UNAUTHORIZED)): 1,
                str(int(CloseCode.VERSION)): 1,
            }
        }


async def test_who_is_sent_away_for_a_fault_or_a_flood_is_counted_as_such() -> None:
    limits = msgspec.structs.replace(
        LIMITS, frames_per_s=1.0, frames_burst=2, flood_factor=1.0, flood_s=1.0
    )
    async with world(limits) as w:
        peer = await w.peer("v1")
        await peer.say(*[f.Call(id="1", method="echo")] * 50)
        assert await peer.until_closed() == CloseCode.OVERLOADED
        shown = w.hub.statistics()
        assert shown.closes == {"memory": {str(int(CloseCode.OVERLOADED)): 1}}
        assert shown.errors["memory"].keys() == {"rate_limited"}


async def test_an_end_by_a_stop_counts_as_a_restart() -> None:
    async with world() as w:
        await w.peer("v1")
        await w.peer("a1")
        await w.hub.drain()
        closes = w.hub.statistics().closes
        assert closes == {"memory": {str(int(CloseCode.RESTART)): 2}}
