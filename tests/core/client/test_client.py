"""The client against a real hub: what was queued while offline all goes out."""

from typing import Any

import anyio
import pytest

from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON, MSGPACK
from kefu_core.types import ParticipantId, Seq
from tests.core.hub.world import world

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("codec", [JSON, MSGPACK], ids=lambda c: c.name)
async def test_long_texts_written_offline_go_out_in_batches_that_fit(
    codec: Any,
) -> None:
    bodies = [f"{number}" + "发货" * 2_490 for number in range(12)]
    async with world() as w:
        conversation = await w.conversation()
        async with w.client("v1", codec) as client:
            await client.follow(conversation)
            w.cut()
            for body in bodies:
                client.send_nowait(conversation, body)
            found: list[str] = []
            with anyio.fail_after(20):
                async for event in client.events():
                    if isinstance(event, f.MessageFrame):
                        found.append(event.body)
                    if len(found) == len(bodies):
                        break
        stored = await w.store.history(conversation, after=Seq(0), limit=50)
    assert found == [message.body for message in stored] == bodies
    assert {message.sender for message in stored} == {ParticipantId("v1")}


async def test_what_is_no_longer_followed_is_told_no_more() -> None:
    async with world() as w:
        left, kept = await w.conversation(), await w.conversation("v2")
        async with w.client("a1") as agent:
            await agent.follow(left)
            await agent.follow(kept)
            await w.append(left, "before")
            found: list[str] = []
            with anyio.fail_after(20):
                async for event in agent.events():
                    if isinstance(event, f.MessageFrame):
                        found.append(event.body)
                    if found == ["before"]:
                        agent.unfollow(left)
                        while w.hub.is_followed(left):
                            await anyio.sleep(0.01)
                        await w.append(left, "not told")
                        await w.append(kept, "after")
                    if found[-1:] == ["after"]:
                        break
    assert found == ["before", "after"]


async def test_what_comes_in_the_moment_of_giving_up_is_no_breach_of_protocol() -> None:
    async with world() as w:
        conversation = await w.conversation()
        async with w.client("v1") as client:
            await client.follow(conversation)
            # As its timer does; the reader has not been told to end yet.
            client.session.handle_timer(1e9)
            client._handle_events()
            await w.append(conversation, "late")
            with anyio.fail_after(20):
                async for event in client.events():
                    if isinstance(event, f.MessageFrame):
                        break
            assert event.body == "late"
