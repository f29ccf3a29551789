"""A log that is not whole is never shown as if it were."""

import logging

import pytest

from kefu_core.protocol import frames as f
from kefu_core.types import ConversationId, Seq
from tests.core.hub.world import Faults, World, world

pytestmark = pytest.mark.anyio


async def six_without(w: World, missing: int) -> ConversationId:
    conversation = await w.conversation()
    await w.append(conversation, *(f"m{number}" for number in range(1, 7)))
    w.store._logs[conversation].pop(missing - 1)
    return conversation


@pytest.mark.parametrize("missing", [1, 4, 6])
async def test_a_follower_gets_all_before_a_hole_and_is_told(
    missing: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with world() as w:
        conversation = await six_without(w, missing)
        w.store.before["history"] = asked = Faults(0)
        peer = await w.peer("v1")
        await peer.say(f.Follow(conversation=conversation))
        told = await peer.expect(f.ErrorFrame)
        assert (told.code, told.retry, told.frame) == ("damaged", "none", "follow")
        assert f"message {missing} is missing" in told.text
        before = [f"m{number}" for number in range(1, missing)]
        assert [m.body for m in peer.of(f.MessageFrame)] == before
        # It ends there: nobody reads on for ever, and nothing new is said as if next.
        assert asked.asked <= 3
        assert not w.hub.is_followed(conversation)
        assert w.hub.statistics().damaged == 1
        await peer.say(f.Follow(conversation=conversation))
        await peer.expect(f.ErrorFrame, code="damaged")
        assert w.hub.statistics().damaged == 2
    said = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert [r.getMessage().endswith("Run: kefu audit.") for r in said] == [True]


async def test_a_page_with_a_hole_is_refused_and_others_are_not() -> None:
    async with world() as w:
        conversation = await six_without(w, 3)
        peer = await w.peer("v1")
        await peer.say(f.Fetch(id="1", conversation=conversation))
        assert (await peer.expect(f.ErrorFrame, id="1")).code == "damaged"
        await peer.say(f.Fetch(id="2", conversation=conversation, before=Seq(3)))
        page = await peer.expect(f.Page, id="2")
        assert [m.seq for m in page.messages] == [1, 2]


async def test_a_follower_that_is_past_the_hole_goes_on() -> None:
    async with world() as w:
        conversation = await six_without(w, 2)
        peer = await w.peer("v1")
        await peer.say(f.Follow(conversation=conversation, after=Seq(6)))
        await peer.expect(f.Head)
        await w.append(conversation, "m7")
        assert await peer.bodies(1) == ["m7"]
