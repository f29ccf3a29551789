"""A follower gets everything after its cursor, once and in order, whatever happens."""

import msgspec
import pytest

from kefu_core.abc.store import PendingAppend
from kefu_core.errors import StoreUnavailable
from kefu_core.model import Draft
from kefu_core.protocol import frames as f
from kefu_core.types import ConversationId, ParticipantId, Seq
from tests.core.hub.world import LIMITS, Faults, Gate, bodies, world

pytestmark = pytest.mark.anyio

NARROW = msgspec.structs.replace(LIMITS, outbox_frames_max=4, batch_frames_max=2)


def named(*numbers: int) -> list[str]:
    return [f"m{number}" for number in numbers]


async def test_a_follower_gets_what_was_and_what_comes() -> None:
    async with world() as w:
        conversation = await w.conversation()
        await w.append(conversation, *named(1, 2, 3))
        peer = await w.peer("v1")
        await peer.say(f.Follow(conversation=conversation, after=Seq(1)))
        assert (await peer.expect(f.Head)).last_seq == 3
        assert await peer.bodies(2) == named(2, 3)
        await w.append(conversation, "m4")
        assert await peer.bodies(1) == ["m4"]


async def test_a_cursor_ahead_of_the_head_is_refused_and_nothing_is_followed() -> None:
    async with world() as w:
        conversation = await w.conversation()
        await w.append(conversation, "m1")
        peer = await w.peer("v1")
        await peer.say(f.Follow(conversation=conversation, after=Seq(2)))
        assert (await peer.expect(f.ErrorFrame)).code == "ack_ahead"
        await peer.until_answered()
        assert not w.hub.is_followed(conversation)
        await w.append(conversation, "m2", "m3")
        await peer.until_answered()
        assert peer.of(f.MessageFrame) == []
        assert w.hub.receipts.of(conversation) == []


async def test_a_follower_that_asks_again_from_too_far_stays_where_it_is() -> None:
    async with world() as w:
        conversation = await w.conversation()
        peer = await w.follower("v1", conversation)
        await w.append(conversation, "m1")
        await peer.say(f.Follow(conversation=conversation, after=Seq(9)))
        assert (await peer.expect(f.ErrorFrame)).code == "ack_ahead"
        await w.append(conversation, "m2")
        assert [m.body for m in peer.of(f.MessageFrame)] == ["m1"]
        assert await peer.bodies(1) == ["m2"]
        await peer.until_answered()
        assert w.hub.receipts.of(conversation) == []


async def test_a_conversation_that_may_not_be_read_is_not_followed() -> None:
    async with world() as w:
        conversation = await w.conversation("v1")
        peer = await w.peer("v2")
        await peer.say(f.Follow(conversation=conversation))
        assert (await peer.expect(f.ErrorFrame)).code == "not_found"
        assert not w.hub.is_followed(conversation)
        await w.append(conversation, "m1")
        await peer.until_answered()
        assert peer.of(f.MessageFrame) == []


async def test_what_is_appended_while_the_row_is_read_is_not_lost() -> None:
    async with world() as w:
        conversation = await w.conversation()
        w.handler.loaded = gate = Gate()
        peer = await w.peer("v1")
        await peer.say(f.Follow(conversation=conversation))
        await gate.reached()
        await w.append(conversation, *named(1, 2))
        gate.opened.set()
        assert (await peer.expect(f.Head)).last_seq == 2
        assert await peer.bodies(2) == named(1, 2)


async def test_a_follower_without_room_goes_on_from_memory_without_a_read() -> None:
    async with world(NARROW) as w:
        conversation = await w.conversation()
        peer = await w.follower("v1", conversation, buffered_batches=0)
        w.store.before["history"] = asked = Faults(0)
        await w.append(conversation, *named(*range(50)))
        assert len(w.connection("v1").outbox) <= NARROW.outbox_frames_max
        assert await peer.bodies(50) == named(*range(50))
        assert asked.asked == 0


async def test_a_follower_behind_the_memory_goes_on_by_reading() -> None:
    limits = msgspec.structs.replace(NARROW, ring_messages=5, page_messages_max=7)
    async with world(limits) as w:
        conversation = await w.conversation()
        peer = await w.follower("v1", conversation, buffered_batches=0)
        w.store.before["history"] = asked = Faults(0)
        await w.append(conversation, *named(*range(80)))
        assert await peer.bodies(80) == named(*range(80))
        assert asked.asked > 0


async def test_a_catch_up_goes_on_after_a_read_that_failed() -> None:
    async with world() as w:
        conversation = await w.conversation()
        await w.append(conversation, *named(*range(5)))
        w.store.before["history"] = asked = Faults(1)
        peer = await w.follower("v1", conversation)
        assert await peer.bodies(5) == named(*range(5))
        assert asked.asked == 2


async def test_what_comes_during_a_catch_up_is_sent_after_it() -> None:
    async with world() as w:
        conversation = await w.conversation()
        await w.append(conversation, *named(1, 2))
        w.store.before["history"] = gate = Gate()
        peer = await w.follower("v1", conversation)
        await gate.reached()
        await w.append(conversation, *named(3, 4))
        await peer.until_answered()
        assert peer.of(f.MessageFrame) == []
        gate.opened.set()
        assert await peer.bodies(4) == named(1, 2, 3, 4)


async def test_an_unfollowed_conversation_is_not_sent() -> None:
    async with world() as w:
        conversation = await w.conversation()
        peer = await w.follower("v1", conversation)
        await peer.say(f.Unfollow(conversation=conversation))
        await peer.until_answered()
        assert not w.hub.is_followed(conversation)
        await w.append(conversation, "m1")
        await peer.until_answered()
        assert peer.of(f.MessageFrame) == []


async def test_an_unfollow_during_a_catch_up_ends_it() -> None:
    async with world() as w:
        conversation = await w.conversation()
        await w.append(conversation, *named(1, 2))
        w.store.before["history"] = gate = Gate()
        peer = await w.follower("v1", conversation)
        await gate.reached()
        await peer.say(f.Unfollow(conversation=conversation))
        await peer.until_answered()
        gate.opened.set()
        await peer.until_answered()
        assert peer.of(f.MessageFrame) == []


async def test_an_unfollow_while_the_follow_loads_is_the_last_word() -> None:
    async with world() as w:
        conversation = await w.conversation()
        w.handler.loaded = gate = Gate()
        peer = await w.peer("v1")
        await peer.say(f.Follow(conversation=conversation))
        await gate.reached()
        # One more follow waits behind the first.
        await peer.say(f.Follow(conversation=conversation))
        await peer.say(f.Unfollow(conversation=conversation), f.Ping())
        await peer.expect(f.Pong)
        gate.opened.set()
        await peer.until_answered()
        assert not w.hub.is_followed(conversation)
        await w.append(conversation, "m1")
        await peer.until_answered()
        assert peer.of(f.MessageFrame) == []


async def test_a_follow_after_an_unfollow_is_the_last_word() -> None:
    async with world() as w:
        conversation = await w.conversation()
        w.handler.loaded = gate = Gate()
        peer = await w.peer("v1")
        follow = f.Follow(conversation=conversation)
        await peer.say(follow)
        await gate.reached()
        await peer.say(f.Unfollow(conversation=conversation), follow, f.Ping())
        await peer.expect(f.Pong)
        await w.append(conversation, "m1")
        gate.opened.set()
        assert await peer.bodies(1) == ["m1"]
        await peer.until_answered()
        assert len(peer.of(f.MessageFrame)) == 1


async def test_a_new_follower_is_told_how_far_the_others_have_come() -> None:
    async with world() as w:
        conversation = await w.conversation()
        visitor = await w.follower("v1", conversation)
        await w.append(conversation, *named(1, 2))
        await visitor.bodies(2)
        await visitor.say(f.Read(conversation=conversation, seq=Seq(2)))
        await visitor.expect(f.Receipt)
        visitor.stream.cut()
        await visitor.served.wait()
        w.store.before["cursors"] = asked = Faults(0)
        agent = await w.follower("a1", conversation)
        receipt = await agent.expect(f.Receipt)
        assert (receipt.who, receipt.delivered, receipt.read) == ("v1", 2, 2)
        assert asked.asked == 1


async def test_a_follow_succeeds_while_receipts_cannot_be_read() -> None:
    async with world() as w:
        conversation = await w.conversation()
        w.store.before["cursors"] = Faults(1)
        peer = await w.follower("v1", conversation)
        await w.append(conversation, "m1")
        assert await peer.bodies(1) == ["m1"]
        await peer.until_answered()
        assert peer.of(f.ErrorFrame) == []


async def test_a_cursor_given_with_the_follow_counts_as_delivered() -> None:
    async with world() as w:
        conversation = await w.conversation()
        await w.append(conversation, *named(1, 2, 3))
        agent = await w.follower("a1", conversation)
        visitor = await w.peer("v1")
        await visitor.say(f.Follow(conversation=conversation, after=Seq(3)))
        receipt = await agent.expect(f.Receipt, who="v1")
        assert (receipt.delivered, receipt.read) == (3, 0)


async def test_a_follow_while_the_store_is_away_can_be_asked_again() -> None:
    async with world() as w:
        conversation = await w.conversation()
        w.store.before["find_conversation"] = Faults(1)
        peer = await w.peer("v1")
        await peer.say(f.Follow(conversation=conversation))
        refusal = await peer.expect(f.ErrorFrame)
        assert refusal.code == StoreUnavailable.code
        assert refusal.retry == "same"
        assert not w.hub.is_followed(conversation)
        await peer.say(f.Follow(conversation=conversation))
        await peer.expect(f.Head)


async def test_what_was_missed_arrives_after_a_cut() -> None:
    async with world() as w, w.client("v1") as visitor:
        conversation = await w.conversation()
        await visitor.follow(conversation)
        await visitor.send(conversation, "m0")
        w.cut()
        await w.append(conversation, *named(*range(1, 250)))
        assert await bodies(visitor, 250) == named(*range(250))


async def test_a_burst_larger_than_the_outbox_arrives_whole_and_in_order() -> None:
    async with world() as w, w.client("v1") as visitor, w.client("a1") as agent:
        conversation = await w.conversation()
        await agent.follow(conversation)
        await visitor.wait_live()
        keys = [visitor.send_nowait(conversation, f"m{n}") for n in range(2_000)]
        assert len(set(keys)) == 2_000
        assert await bodies(agent, 2_000) == named(*range(2_000))


async def test_what_was_stored_past_this_hub_is_fetched_before_what_follows() -> None:
    async with world() as w:
        conversation = await w.conversation()
        peer = await w.follower("v1", conversation)
        await w.append(conversation, "m1")
        elsewhere = Draft(
            conversation=conversation, sender=ParticipantId("a2"), key="k", body="m2"
        )
        await w.store.append(elsewhere)
        await w.append(conversation, "m3", "m4")
        assert await peer.bodies(4) == named(1, 2, 3, 4)


async def test_two_conversations_of_one_reader_do_not_hold_each_other_up() -> None:
    async with world() as w:
        held, free = await w.conversation("v1"), await w.conversation("v2")
        await w.append(held, "m1")
        gate = Gate()
        agent = await w.follower("a1", free)
        w.store.before["history"] = gate
        await agent.say(f.Follow(conversation=held))
        await gate.reached()
        await w.append(free, "m2")
        assert await agent.bodies(1) == ["m2"]
        gate.opened.set()
        assert await agent.bodies(1) == ["m1"]


async def test_a_message_of_nobody_here_reaches_no_one() -> None:
    async with world() as w:
        followed, other = await w.conversation("v1"), await w.conversation("v2")
        peer = await w.follower("v1", followed)
        draft = Draft(
            conversation=ConversationId(other), sender=ParticipantId("v2"), key="k"
        )
        await w.hub.append(draft)
        await peer.until_answered()
        assert peer.of(f.MessageFrame) == []


async def test_who_was_away_for_ten_thousand_messages_gets_every_one() -> None:
    async with world() as w:
        conversation = await w.conversation()
        peer = await w.follower("v1", conversation, buffered_batches=2)
        for start in range(0, 10_000, 2_500):
            for number in range(start, start + 2_499):
                draft = Draft(
                    conversation=conversation,
                    sender=ParticipantId("a1"),
                    key=f"k{number}",
                    body=f"m{number}",
                )
                now = w.hub.now()
                append = PendingAppend(draft, lambda *_: None, size=9, submitted_at=now)
                w.hub.submit(append)
            await w.append(conversation, f"m{start + 2_499}")
        assert await peer.bodies(10_000) == named(*range(10_000))
