"""Handing over: a line for both sides, a note for one, and nobody who may not."""

import msgspec
import pytest

from kefu_core.client import Rejected
from kefu_core.model import MessageKind
from tests.core.desk.world import world

pytestmark = pytest.mark.anyio


async def test_a_conversation_goes_to_another_agent_with_a_note_before_it() -> None:
    async with world() as w, w.client("a1") as agent, w.client("v1") as visitor:
        number = await visitor.open_conversation()
        await w.say(number, "v1", "hello")
        await agent.call("conversation.take", {"conversation": number})
        params = {"conversation": number, "agent": 2, "note": "  asks for tea "}
        handed = await agent.call("conversation.assign", params)
        assert handed["conversation"]["assignee"] == "a2"
        assert handed["conversation"]["status"] == "active"
        log = await w.store.history(number)
        assert [m.kind for m in log][-2:] == [MessageKind.NOTE, MessageKind.ASSIGNMENT]
        assert log[-2].body == "asks for tea"
        page = await visitor.fetch(number, after=0)
        assert page.messages[-1].kind is MessageKind.ASSIGNMENT
        assert "asks for tea" not in str(page)
        again = await agent.call("conversation.assign", {**params, "note": ""})
        assert again["conversation"]["last_seq"] == log[-1].seq


async def test_without_an_agent_it_is_back_in_the_queue_and_may_be_taken() -> None:
    async with world() as w, w.client("a1") as one, w.client("a2") as two:
        number = await w.conversation()
        await one.call("conversation.take", {"conversation": number})
        back = await one.call("conversation.assign", {"conversation": number})
        assert back["conversation"]["status"] == "queued"
        assert back["conversation"]["assignee"] is None
        taken = await two.call("conversation.take", {"conversation": number})
        assert taken["conversation"]["assignee"] == "a2"


async def test_what_is_closed_is_opened_again_before_it_is_handed_on() -> None:
    async with world() as w, w.client("a1") as agent:
        number = await w.conversation()
        await agent.call("conversation.close", {"conversation": number})
        with pytest.raises(Rejected, match="closed") as refused:
            await agent.call("conversation.assign", {"conversation": number})
        assert refused.value.wire_code == "conflict"
        for _ in range(2):
            opened = await agent.call("conversation.reopen", {"conversation": number})
            assert opened["conversation"]["status"] == "queued"
            assert opened["conversation"]["last_seq"] == 2


@pytest.mark.parametrize("trouble", ["unknown", "switched off", "another site"])
async def test_nobody_who_may_not_answer_gets_it(trouble: str) -> None:
    async with world() as w, w.client("a1") as agent:
        number = await w.conversation(site=1)
        other = await w.store.find_agent(agent_id=2)
        assert other is not None
        changes = {
            "unknown": {"id": 3, "login": "x", "sites": (2,)},
            "switched off": {"is_active": False},
            "another site": {"sites": (2,)},
        }[trouble]
        await w.store.put_agent(msgspec.structs.replace(other, **changes))
        to = 99 if trouble == "unknown" else 2
        with pytest.raises(Rejected, match="no such agent"):
            await agent.call(
                "conversation.assign", {"conversation": number, "agent": to}
            )
        assert await w.store.history(number) == []


async def test_a_note_that_is_too_long_changes_nothing() -> None:
    async with world() as w, w.client("a1") as agent:
        number = await w.conversation()
        note = "x" * (w.limits.text_chars_max + 1)
        params = {"conversation": number, "agent": 2, "note": note}
        with pytest.raises(Rejected, match="at most"):
            await agent.call("conversation.assign", params)
        assert await w.store.history(number) == []
