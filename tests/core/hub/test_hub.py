"""The hub: fan-out, heads, revocations, and a graceful end."""

import anyio
import msgspec
import pytest

from kefu_core.errors import CloseCode, Conflict, StoreUnavailable
from kefu_core.model import Appended, Cursor, Draft
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON, MSGPACK
from kefu_core.types import ParticipantId, Seq
from tests.core.hub.world import LIMITS, Faults, Gate, bodies, send, world

pytestmark = pytest.mark.anyio

V1, A1 = ParticipantId("v1"), ParticipantId("a1")


class Observer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.found: list[str] = []
        self.cursors: list[Cursor] = []
        self.erasures = 0

    def message_committed(self, appended: Appended) -> None:
        self.messages.append(appended.message.body)

    def message_found(self, repeated: Appended) -> None:
        self.found.append(repeated.message.body)

    def cursor_advanced(self, cursor: Cursor) -> None:
        self.cursors.append(cursor)

    def history_erased(self) -> None:
        self.erasures += 1


async def test_a_visitor_and_an_agent_talk() -> None:
    async with world() as w, w.client("v1", JSON) as visitor, w.client("a1") as agent:
        conversation = await w.conversation()
        await visitor.follow(conversation)
        await agent.follow(conversation)
        first = await visitor.send(conversation, "有货吗？")
        second = await agent.send(conversation, "有的。")
        assert (first.seq, second.seq) == (1, 2)
        assert await bodies(visitor, 2) == ["有货吗？", "有的。"]
        assert await bodies(agent, 2) == ["有货吗？", "有的。"]


async def test_every_follower_gets_every_message_in_its_codec() -> None:
    async with world() as w:
        conversation = await w.conversation()
        peers = [
            await w.follower(who, conversation, codec=codec)
            for who in ("v1", "a1", "a2")
            for codec in (JSON, MSGPACK)
        ]
        await w.append(conversation, "m1", "m2")
        for peer in peers:
            assert await peer.bodies(2) == ["m1", "m2"]


async def test_observers_hear_of_a_message_once_and_not_of_its_repeats() -> None:
    async with world() as w:
        w.hub.observers.append(observer := Observer())
        conversation = await w.conversation()
        draft = Draft(conversation=conversation, sender=A1, key="k", body="m1")
        first, again = await w.hub.append(draft), await w.hub.append(draft)
        assert (first.duplicate, again.duplicate) == (False, True)
        assert observer.messages == observer.found == ["m1"]
        peer = await w.follower("v1", conversation)
        await peer.bodies(1)
        await peer.say(f.Read(conversation=conversation, seq=Seq(1)))
        await peer.expect(f.Receipt, who="v1")
        assert [(c.participant, c.read) for c in observer.cursors] == [("v1", 1)]


async def test_a_server_made_message_that_fails_raises_and_reaches_nobody() -> None:
    async with world() as w:
        conversation = await w.conversation()
        peer = await w.follower("v1", conversation)
        w.store.before_commit = Faults(1)
        with pytest.raises(StoreUnavailable):
            await w.append(conversation, "m1")
        await w.append(conversation, "m1")
        with pytest.raises(Conflict):
            await w.hub.append(
                Draft(conversation=conversation, sender=A1, key="server m1", body="m2")
            )
        await peer.until_answered()
        assert [m.body for m in peer.of(f.MessageFrame)] == ["m1"]


async def test_a_head_is_announced_on_its_own_site_only() -> None:
    async with world() as w:
        conversation = await w.conversation("v9")
        here, there = await w.peer("v1@1"), await w.peer("v1@2")
        other = await w.peer("v2@1")
        w.hub.announce_head(V1, conversation, Seq(7), site_id=1)
        head = await here.expect(f.Head)
        assert (head.conversation, head.last_seq) == (conversation, 7)
        for peer in (there, other):
            await peer.until_answered()
            assert peer.of(f.Head) == []


async def test_unsent_text_is_never_shown_to_a_visitor() -> None:
    async with world() as w:
        conversation = await w.conversation()
        visitor = await w.follower("v1", conversation)
        agents = [await w.follower(who, conversation) for who in ("a1", "a2")]
        event = f.TypingEvent(conversation=conversation, who=A1)
        w.hub.typing(w.connection("a1"), event, hidden_text="unsent")
        assert (await agents[1].expect(f.TypingEvent)).text == "unsent"
        assert (await visitor.expect(f.TypingEvent)).text == ""
        await agents[0].until_answered()
        assert agents[0].of(f.TypingEvent) == []


async def test_a_dropped_login_loses_its_connections_and_no_others() -> None:
    async with world() as w:
        dropped = [await w.peer("a1"), await w.peer("a1")]
        kept = [await w.peer("a1@2"), await w.peer("a2")]
        w.hub.drop_session("a1")
        for peer in dropped:
            assert await peer.until_closed() == CloseCode.UNAUTHORIZED
        for peer in kept:
            await peer.until_answered()


async def test_a_login_revoked_elsewhere_ends_though_the_store_was_away() -> None:
    async with world() as w:
        w.handler.before["find_revoked"] = faults = Faults(3)
        revoked, kept = await w.peer("a1"), await w.peer("a2")
        w.handler.revoked = {"a1"}
        assert await revoked.until_closed() == CloseCode.UNAUTHORIZED
        assert faults.asked > 3
        await kept.until_answered()


async def test_only_agents_logins_are_looked_up_each_of_them_once_a_turn() -> None:
    async with world() as w:
        for who in ("v1", "a2", "a1", "a1"):
            await w.peer(who)
        w.handler.looked_up.clear()
        w.handler.before["find_revoked"] = gate = Gate()
        await gate.reached()
        assert w.handler.looked_up == [["a1", "a2"]]
        gate.opened.set()


async def test_a_drain_answers_what_was_sent_before_it_closes() -> None:
    async with world() as w:
        conversation = await w.conversation()
        w.store.before_commit = gate = Gate()
        peer = await w.follower("v1", conversation)
        await peer.say(send(conversation, 1))
        await gate.reached()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(w.hub.drain)
            await peer.expect(f.Drain)
            await peer.say(send(conversation, 2))
            refusal = await peer.expect(f.ErrorFrame)
            assert (refusal.key, refusal.code) == ("k2", "unavailable")
            gate.opened.set()
            assert (await peer.expect(f.Sent)).key == "k1"
            assert await peer.until_closed() == CloseCode.RESTART
        assert isinstance(peer.log[-1], f.Closed)
        assert w.store.log_of(conversation) == ["m1"]
        assert w.hub.connection_count == 0


async def test_a_client_comes_back_after_a_drain() -> None:
    async with world() as w, w.client("v1") as visitor:
        conversation = await w.conversation()
        await visitor.follow(conversation)
        await visitor.send(conversation, "before")
        await w.hub.drain()
        assert w.hub.connection_count == 0
        assert not visitor._closed
        w.hub.is_draining = False
        sent = await visitor.send(conversation, "after")
        assert sent.seq == 2


async def test_a_drain_stores_receipts_that_were_not_stored_yet() -> None:
    limits = msgspec.structs.replace(LIMITS, receipt_interval_s=1_000)
    async with world(limits) as w:
        conversation = await w.conversation()
        peer = await w.follower("v1", conversation)
        await w.append(conversation, "m1")
        await peer.bodies(1)
        await peer.say(f.Read(conversation=conversation, seq=Seq(1)))
        await peer.until_answered()
        await w.hub.drain()
        (cursor,) = await w.store.cursors(conversation)
        assert (cursor.participant, cursor.read) == ("v1", 1)


async def test_a_drain_does_not_wait_for_ever_for_who_never_reads() -> None:
    limits = msgspec.structs.replace(LIMITS, drain_s=0.1)
    async with world(limits) as w:
        conversation = await w.conversation()
        stuck = await w.follower("v1", conversation, buffered_batches=0)
        other = await w.follower("a1", conversation)
        await w.append(conversation, "m1")
        with anyio.fail_after(10):
            await w.hub.drain()
            await stuck.served.wait()
        assert await other.until_closed() == CloseCode.RESTART


async def test_a_drain_does_not_wait_for_ever_for_a_commit_that_hangs() -> None:
    limits = msgspec.structs.replace(LIMITS, drain_s=0.1)
    async with world(limits) as w:
        conversation = await w.conversation()
        w.store.before_commit = gate = Gate()
        peer = await w.follower("v1", conversation)
        await peer.say(send(conversation, 1))
        await gate.reached()
        with anyio.fail_after(10):
            await w.hub.drain()
            assert await peer.until_closed() == CloseCode.RESTART
        assert peer.of(f.Sent) == []
        gate.opened.set()


@pytest.mark.parametrize("is_one", [True, False])
async def test_what_was_erased_is_not_shown_from_memory(is_one: bool) -> None:
    async with world() as w:
        w.hub.observers.append(observer := Observer())
        conversation, other = await w.conversation(), await w.conversation("v2")
        await w.follower("v1", conversation)
        await w.follower("v2", other)
        await w.append(conversation, "m1", "m2")
        await w.append(other, "m1")
        await w.store.erase_conversation(conversation)
        assert w.hub.recent(conversation, Seq(0), 9) is not None
        w.hub.forget(conversation if is_one else None)
        assert w.hub.recent(conversation, Seq(0), 9) is None
        assert (w.hub.recent(other, Seq(0), 9) is None) is not is_one
        assert observer.erasures == 1
        peer = await w.follower("a1", conversation)
        assert await peer.bodies(2) == ["", ""]
        await w.append(conversation, "m3")
        assert await peer.bodies(1) == ["m3"]
