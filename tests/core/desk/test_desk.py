"""The desk as the hub asks it."""

import msgspec
import pytest

from kefu_core.errors import TooMany
from kefu_core.model import Conversation
from kefu_core.protocol import frames as f
from kefu_core.types import ConversationId, ParticipantId, UnixMs
from tests.core.desk.world import LIMITS, PRINCIPALS, world

pytestmark = pytest.mark.anyio


async def test_all_connections_of_a_visitor_share_one_pace() -> None:
    limits = msgspec.structs.replace(
        LIMITS, visitor_messages_burst=2, visitor_messages_per_s=0.01
    )
    async with world(limits) as w:
        conversation = await w.conversation()
        one, two = await w.live("v1"), await w.live("v1")
        refused = []
        for n, wire in enumerate([one, two, one, two]):
            send = f.Send(
                key=f"k{n}", conversation=conversation, n=n // 2 + 1, body="x"
            )
            await wire.send(send)
            answer = await wire.until(f.Sent, f.ErrorFrame)
            if isinstance(answer, f.ErrorFrame):
                refused.append((answer.key, answer.code, answer.retry))
                assert answer.after_s > 0
        assert refused == [
            ("k2", "rate_limited", "same"),
            ("k3", "rate_limited", "same"),
        ]
        one.cut()
        two.cut()


async def test_a_refused_text_costs_nothing() -> None:
    limits = msgspec.structs.replace(
        LIMITS, visitor_messages_burst=1, visitor_messages_per_s=0.01
    )
    async with world(limits) as w:
        row = Conversation(id=ConversationId(1), site_id=1, visitor=ParticipantId("v1"))
        me = PRINCIPALS["v1"]
        for body in ("", "\0"):
            with pytest.raises(Exception, match="text"):
                w.desk.draft(
                    me, row, f.Send(key="k", conversation=row.id, n=1, body=body)
                )
        good = f.Send(key="k", conversation=row.id, n=1, body="x")
        assert w.desk.draft(me, row, good).sender == "v1"
        with pytest.raises(TooMany):
            w.desk.draft(me, row, good)


async def test_a_visitors_welcome_names_its_conversations_of_this_site() -> None:
    async with world() as w:
        here, there = await w.conversation("v1", 1), await w.conversation("v1", 2)
        await w.say(here, "v1", "hi")
        for token, heads in (("v1", {here: 1}), ("v1@2", {there: 0}), ("v2", {})):
            wire = await w.live(token)
            assert wire.seen[0].heads == heads
            wire.cut()


async def test_a_right_that_ended_or_was_revoked_is_not_renewed() -> None:
    async with world() as w:
        me = PRINCIPALS["a1"]
        assert await w.desk.revalidate(me)
        expired = msgspec.structs.replace(me, expires_at_ms=UnixMs(1))
        assert not await w.desk.revalidate(expired)
        w.revoked.add("a1")
        assert not await w.desk.revalidate(me)


async def test_reaching_for_anothers_conversation_is_logged_a_few_times(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with world() as w:
        hidden = await w.conversation("v1")
        wire = await w.live("v2")
        caplog.clear()
        for number in range(50):
            await wire.answers(f.Fetch(id=f"{number}", conversation=hidden))
            await wire.answers(f.Follow(conversation=ConversationId(999)))
        told = [record.getMessage() for record in caplog.records]
        assert set(told) == {f"refused who=v2 conversation={hidden}"}
        assert len(told) == 10
        wire.cut()
