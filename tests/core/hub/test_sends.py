"""What one connection sends is stored in its order, or not at all."""

import random
from collections.abc import Sequence

import anyio
import msgspec
import pytest

from kefu_core.errors import StoreUnavailable
from kefu_core.model import Draft
from kefu_core.protocol import frames as f
from kefu_core.types import ConversationId
from tests.core.hub.world import LIMITS, Faults, Gate, Peer, bodies, send, world

pytestmark = pytest.mark.anyio


def named(*numbers: int) -> list[str]:
    return [f"m{number}" for number in numbers]


class FailingCommit:
    """Holds up the first commit and fails it; every later one succeeds."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.batches: list[list[str]] = []

    async def __call__(self, drafts: Sequence[Draft]) -> None:
        self.batches.append([draft.body for draft in drafts])
        if len(self.batches) == 1:
            await self.gate()
            raise StoreUnavailable


async def refusals(peer: Peer, count: int) -> dict[str | None, str]:
    """Read on to so many errors; returns their codes by key."""
    errors = [await peer.expect(f.ErrorFrame) for _ in range(count)]
    return {error.key: error.code for error in errors}


async def stored(peer: Peer, count: int) -> list[tuple[str, int]]:
    """Read on to so many acknowledgements."""
    answers = [await peer.expect(f.Sent) for _ in range(count)]
    return [(answer.key, answer.seq) for answer in answers]


async def test_sends_wait_in_their_order_while_the_row_is_loading() -> None:
    async with world() as w:
        conversation = await w.conversation()
        w.handler.loaded = gate = Gate()
        peer = await w.peer("v1")
        await peer.say(send(conversation, 1))
        await gate.reached()
        await peer.say(send(conversation, 2), send(conversation, 3))
        gate.opened.set()
        assert await stored(peer, 3) == [("k1", 1), ("k2", 2), ("k3", 3)]
        await peer.say(send(conversation, 4))
        assert await stored(peer, 1) == [("k4", 4)]
        assert w.store.log_of(conversation) == named(1, 2, 3, 4)


async def test_a_send_does_not_overtake_one_that_waits_behind_a_request() -> None:
    async with world() as w:
        conversation = await w.conversation()
        w.handler.before["call"] = gate = Gate()
        peer = await w.peer("v1")
        await peer.say(
            send(conversation, 1),
            f.Call(id="slow", method="echo"),
            send(conversation, 2),
        )
        # The first made the row known; the second still waits behind the call.
        assert await stored(peer, 1) == [("k1", 1)]
        await gate.reached()
        await peer.say(send(conversation, 3), f.Ping())
        await peer.expect(f.Pong)
        await anyio.wait_all_tasks_blocked()
        gate.opened.set()
        assert await stored(peer, 2) == [("k2", 2), ("k3", 3)]


async def test_a_follower_does_not_overtake_its_own_waiting_send() -> None:
    async with world() as w:
        conversation = await w.conversation()
        w.handler.before["call"] = gate = Gate()
        peer = await w.peer("v1")
        await peer.say(f.Call(id="slow", method="echo"), send(conversation, 1))
        await gate.reached()
        # Somebody else makes the row fresh in the meantime.
        await w.follower("a1", conversation)
        await peer.say(send(conversation, 2), f.Ping())
        await peer.expect(f.Pong)
        await anyio.wait_all_tasks_blocked()
        assert w.store.log_of(conversation) == []
        gate.opened.set()
        assert await stored(peer, 2) == [("k1", 1), ("k2", 2)]


async def test_a_followed_conversation_is_written_to_past_slow_requests() -> None:
    async with world() as w:
        conversation = await w.conversation()
        peer = await w.follower("v1", conversation)
        w.handler.before["call"] = gate = Gate()
        await peer.say(f.Call(id="slow", method="echo"), send(conversation, 1))
        assert await stored(peer, 1) == [("k1", 1)]
        gate.opened.set()


async def test_what_follows_a_failed_send_is_void_and_never_stored() -> None:
    async with world() as w:
        conversation = await w.conversation()
        w.store.before_commit = commit = FailingCommit()
        peer = await w.follower("v1", conversation)
        await peer.say(send(conversation, 1))
        await commit.gate.reached()
        await peer.say(send(conversation, 2), send(conversation, 3), f.Ping())
        await peer.expect(f.Pong)
        commit.gate.opened.set()
        assert await refusals(peer, 3) == {
            "k1": "unavailable",
            "k2": "out_of_order",
            "k3": "out_of_order",
        }
        # Later ones are refused until the failed one comes again.
        await peer.say(send(conversation, 4))
        assert await refusals(peer, 1) == {"k4": "out_of_order"}
        await anyio.wait_all_tasks_blocked()
        assert w.store.log_of(conversation) == []
        assert not any(named(2)[0] in batch for batch in commit.batches)
        await peer.say(*(send(conversation, n) for n in (1, 2, 3, 4)))
        assert await stored(peer, 4) == [("k1", 1), ("k2", 2), ("k3", 3), ("k4", 4)]
        assert w.connection("v1").session.sends_pending == 0


async def test_another_conversation_is_not_held_up_by_a_failed_send() -> None:
    async with world() as w:
        broken, other = await w.conversation("v1"), await w.conversation("v2")
        w.store.before_commit = commit = FailingCommit()
        peer = await w.follower("a1", broken)
        await peer.say(f.Follow(conversation=other))
        await peer.expect(f.Head)
        await peer.say(send(broken, 1))
        await commit.gate.reached()
        aside = f.Send(key="aside", conversation=other, n=1, body="aside")
        await peer.say(send(broken, 2), aside, f.Ping())
        await peer.expect(f.Pong)
        commit.gate.opened.set()
        assert await stored(peer, 1) == [("aside", 1)]
        assert w.store.log_of(broken) == []


async def test_sends_queued_behind_a_row_that_cannot_be_read_are_withdrawn() -> None:
    async with world() as w:
        conversation = await w.conversation()
        gate, faults = Gate(), Faults(1)

        async def wait_then_fail() -> None:
            await gate()
            await faults()

        w.store.before["find_conversation"] = wait_then_fail
        peer = await w.peer("v1")
        await peer.say(*(send(conversation, n) for n in (1, 2, 3)))
        await gate.reached()
        gate.opened.set()
        assert await refusals(peer, 3) == {
            "k1": "unavailable",
            "k2": "out_of_order",
            "k3": "out_of_order",
        }
        await peer.until_answered()
        assert w.store.log_of(conversation) == []
        await peer.say(*(send(conversation, n) for n in (1, 2, 3)))
        assert await stored(peer, 3) == [("k1", 1), ("k2", 2), ("k3", 3)]


async def test_a_send_that_is_loading_does_not_pass_one_that_fails() -> None:
    # No row is remembered, so that every send has to load it.
    limits = msgspec.structs.replace(LIMITS, cursors_max=0)
    async with world(limits) as w:
        conversation = await w.conversation()
        w.store.before_commit = commit = FailingCommit()
        peer = await w.peer("v1")
        await peer.say(send(conversation, 1))
        await commit.gate.reached()
        w.handler.loaded = loading = Gate()
        await peer.say(send(conversation, 2))
        await loading.reached()
        commit.gate.opened.set()
        assert await refusals(peer, 1) == {"k1": "unavailable"}
        loading.opened.set()
        assert await refusals(peer, 1) == {"k2": "out_of_order"}
        await anyio.wait_all_tasks_blocked()
        assert w.store.log_of(conversation) == []


async def test_a_send_refused_for_good_does_not_hold_up_the_next() -> None:
    async with world() as w:
        conversation = await w.conversation()
        peer = await w.follower("v1", conversation)
        await peer.say(send(conversation, 1, "bad"), send(conversation, 2))
        assert await refusals(peer, 1) == {"k1": "bad_request"}
        assert await peer.bodies(1) == ["m2"]


async def test_a_client_goes_on_after_a_send_refused_for_good() -> None:
    async with world() as w, w.client("v1") as visitor:
        conversation = await w.conversation()
        await visitor.wait_live()
        visitor.send_nowait(conversation, "bad", key="x")
        sent = await visitor.send(conversation, "good")
        assert sent.seq == 1


async def test_a_repeated_key_is_answered_with_the_first_seq() -> None:
    async with world() as w:
        conversation = await w.conversation()
        await w.append(conversation, "before")
        first = await w.peer("v1")
        await first.say(send(conversation, 1))
        assert await stored(first, 1) == [("k1", 2)]
        again = await w.follower("v1", conversation)
        await again.say(send(conversation, 1))
        answer = await again.expect(f.Sent)
        assert (answer.seq, answer.duplicate) == (2, True)
        await again.until_answered()
        assert w.store.log_of(conversation) == ["before", "m1"]
        assert [m.seq for m in again.of(f.MessageFrame)] == [1, 2]


@pytest.mark.parametrize("who", ["v1", "v2"])
async def test_a_stranger_learns_nothing_from_a_send(who: str) -> None:
    async with world() as w:
        conversation = await w.conversation("v3")
        peer = await w.peer(who)
        for number, target in enumerate((conversation, ConversationId(12345)), 1):
            await peer.say(
                f.Send(key=f"k{number}", conversation=target, n=1, body="hi")
            )
        first, second = [await peer.expect(f.ErrorFrame) for _ in range(2)]
        assert first.code == second.code == "not_found"
        assert first.text == second.text
        assert w.store.log_of(conversation) == []


async def test_what_was_sent_before_a_cut_is_stored_though_nobody_waits() -> None:
    async with world() as w:
        conversation = await w.conversation()
        w.store.before_commit = gate = Gate()
        peer = await w.follower("v1", conversation)
        await peer.say(send(conversation, 1))
        await gate.reached()
        peer.stream.cut()
        await peer.served.wait()
        gate.opened.set()
        await w.append(conversation, "after")
        assert w.store.log_of(conversation) == ["m1", "after"]


async def test_a_failing_store_neither_loses_nor_reorders() -> None:
    async with world() as w, w.client("v1") as visitor, w.client("a1") as agent:
        conversation = await w.conversation()
        rng = random.Random(7)

        async def fail_often(drafts: Sequence[Draft]) -> None:
            await anyio.lowlevel.checkpoint()
            if rng.random() < 0.5:
                raise StoreUnavailable(retry_after_s=0.001)

        w.store.before_commit = fail_often
        await agent.follow(conversation)
        await visitor.wait_live()
        for number in range(200):
            visitor.send_nowait(conversation, f"m{number}")
        assert await bodies(agent, 200) == named(*range(200))
