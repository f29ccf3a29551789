"""What came late is found, and what came in time costs the store nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from kefu_core.abc.audit import LATE_MS, LateDelivery
from kefu_core.protocol import frames as f
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs
from tests.core.hub.world import LIMITS, Peer, World, world

pytestmark = pytest.mark.anyio

V1 = ParticipantId("v1")
_AT_HAND = replace(LIMITS, receipt_interval_s=60.0)
"""Receipts are stored when the test says so."""


class Scene:
    """A conversation on a clock that the test sets."""

    def __init__(self, w: World, conversation: ConversationId) -> None:
        self.w = w
        self.conversation = conversation
        self.began = UnixMs(w.ms)

    async def says(self, *texts: str) -> None:
        """Let an agent say something."""
        await self.w.append(self.conversation, *texts)

    async def has(self, peer: Peer, seq: int) -> None:
        """Let a peer say that it has so much, and store it."""
        await peer.say(f.Ack(conversation=self.conversation, seq=Seq(seq)))
        await peer.until_answered()
        await self.w.hub.receipts.flush()

    async def late(self) -> list[LateDelivery]:
        """Return what came late."""
        return await self.w.store.late_deliveries(LATE_MS, self.began)


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    async with world(_AT_HAND) as w:
        w.ms = 1_800_000_000_000
        yield Scene(w, await w.conversation())


async def test_what_is_acknowledged_in_time_is_never_looked_at() -> None:
    async with scene() as s:
        peer = await s.w.follower("v1", s.conversation)
        for number in range(1, 100):
            await s.says(f"m{number}")
            s.w.ms += LATE_MS
            await s.has(peer, number)
        assert s.w.store.arrivals == []
        assert await s.late() == []
        counted = s.w.hub.statistics().deliveries
        assert (sum(counted.counts), counted.total) == (99, 990.0)


async def test_who_was_away_has_waited_and_was_not_here() -> None:
    async with scene() as s:
        await s.says("m1", "m2")
        s.w.ms += 60_000
        peer = await s.w.follower("v1", s.conversation)
        await s.has(peer, 1)
        await s.has(peer, 2)
        assert await s.late() == [
            LateDelivery(
                whose=V1,
                conversations=1,
                messages=2,
                longest_ms=60_000,
                here=0,
                longest_here_ms=0,
                some=[s.conversation],
            )
        ]


async def test_who_was_here_all_the_time_was_served_badly() -> None:
    async with scene() as s:
        peer = await s.w.follower("v1", s.conversation)
        await s.says("m1")
        s.w.ms += LATE_MS + 1
        await s.has(peer, 1)
        (late,) = await s.late()
        assert (late.messages, late.here, late.longest_here_ms) == (1, 1, LATE_MS + 1)


async def test_a_window_that_is_open_elsewhere_was_here() -> None:
    async with scene() as s:
        await s.w.peer("v1")
        await s.says("m1")
        s.w.ms += 60_000
        await s.has(await s.w.follower("v1", s.conversation), 1)
        (late,) = await s.late()
        assert (late.here, late.longest_here_ms) == (1, 60_000)


async def test_who_comes_back_with_all_of_it_adds_nothing() -> None:
    async with scene() as s:
        peer = await s.w.follower("v1", s.conversation)
        await s.says("m1", "m2")
        await s.has(peer, 2)
        s.w.cut()
        await peer.served.wait()
        s.w.ms += 60_000
        again = await s.w.peer("v1", cursors={s.conversation: Seq(2)})
        await again.until_answered()
        await s.w.hub.receipts.flush()
        assert await s.late() == []


async def test_what_is_stored_after_its_reader_left_is_found_in_the_log() -> None:
    async with scene() as s:
        peer = await s.w.follower("v1", s.conversation)
        await s.says("m1")
        s.w.ms += 60_000
        await peer.say(f.Ack(conversation=s.conversation, seq=Seq(1)))
        await peer.until_answered()
        s.w.cut()
        await peer.served.wait()
        await s.w.hub.receipts.flush()
        (late,) = await s.late()
        assert (late.longest_ms, late.here) == (60_000, 0)
