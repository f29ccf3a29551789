"""Cursors rise, are folded, and outlast a store that is away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from kefu_core.hub.arrivals import Arrivals
from kefu_core.hub.receipts import Receipts
from kefu_core.model import Arrival, Cursor, Person, Role, Site
from kefu_core.protocol import frames as f
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs
from tests.core.hub.world import Faults, FaultyStore, Gate, bodies, world

pytestmark = pytest.mark.anyio

V1, A1 = ParticipantId("v1"), ParticipantId("a1")


class Doubts(Arrivals):
    """Vouches for nothing; its clock is the test's."""

    def __init__(self) -> None:
        self.ms = 1_000

    def heard_at(self) -> UnixMs:
        return UnixMs(self.ms)

    def look(
        self,
        conversation: ConversationId,
        participant: ParticipantId,
        after: Seq,
        heard_at: UnixMs,
    ) -> Arrival:
        return Arrival(
            conversation=conversation,
            participant=participant,
            heard_at=heard_at,
            here_since=UnixMs(after),
        )


class Desk:
    """Receipts over a store, and what they told."""

    def __init__(self, store: FaultyStore, conversation: ConversationId) -> None:
        self.store = store
        self.conversation = conversation
        self.told: list[Cursor] = []
        self.arrivals = Doubts()
        self.receipts = Receipts(store, 0.001, self.told.append, self.arrivals)

    def advance(self, who: ParticipantId, delivered: int, read: int = 0) -> None:
        self.receipts.advance(
            self.conversation, who, delivered=Seq(delivered), read=Seq(read)
        )

    def known(self) -> dict[str, tuple[int, int]]:
        return _values(self.receipts.of(self.conversation))

    async def stored(self) -> dict[str, tuple[int, int]]:
        return _values(await self.store.cursors(self.conversation))


def _values(cursors: list[Cursor]) -> dict[str, tuple[int, int]]:
    return {c.participant: (c.delivered, c.read) for c in cursors}


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    store = FaultyStore()
    async with store:
        await store.put_site(Site(id=1, name="shop", embed_key="k"))
        visitor = Person(id=V1, name="", role=Role.VISITOR)
        row = await store.open_conversation(1, visitor)
        yield Desk(store, row.id)


async def test_a_cursor_only_rises() -> None:
    async with desk() as d:
        d.advance(V1, 5, 3)
        d.advance(V1, 4, 2)
        assert d.known() == {"v1": (5, 3)}
        d.advance(V1, 6, 1)
        assert d.known() == {"v1": (6, 3)}


async def test_what_was_read_was_delivered() -> None:
    async with desk() as d:
        d.advance(V1, 1, 4)
        assert d.known() == {"v1": (4, 4)}


async def test_nothing_is_told_or_stored_of_a_cursor_that_did_not_rise() -> None:
    async with desk() as d:
        d.store.before["advance_cursors"] = asked = Faults(0)
        d.advance(V1, 5)
        await d.receipts.flush()
        d.advance(V1, 5)
        await d.receipts.flush()
        assert (len(d.told), asked.asked) == (1, 1)


async def test_a_turn_tells_and_stores_each_participant_once() -> None:
    async with desk() as d:
        d.store.before["advance_cursors"] = asked = Faults(0)
        for seq in range(1, 30):
            d.advance(V1, seq)
            d.advance(A1, seq, seq)
        await d.receipts.flush()
        assert _values(d.told) == {"v1": (29, 0), "a1": (29, 29)}
        assert (len(d.told), asked.asked) == (2, 1)
        assert await d.stored() == {"v1": (29, 0), "a1": (29, 29)}


async def test_a_store_that_is_away_delays_receipts_and_loses_none() -> None:
    async with desk() as d, anyio.create_task_group() as tasks:
        stored = Gate()
        faults = Faults(3)

        async def fail_at_first() -> None:
            await faults()
            stored.arrived.set()

        d.store.before["advance_cursors"] = fail_at_first
        tasks.start_soon(d.receipts.run, lambda conversation: True)
        d.advance(V1, 5)
        d.advance(A1, 2, 1)
        await stored.reached()
        await d.receipts.flush()
        assert await d.stored() == {"v1": (5, 0), "a1": (2, 1)}
        tasks.cancel_scope.cancel()


async def test_what_rises_while_the_store_fails_is_stored_next() -> None:
    async with desk() as d, anyio.create_task_group() as tasks:
        d.store.before["advance_cursors"] = gate = Gate()
        d.advance(V1, 5)
        tasks.start_soon(d.receipts.flush)
        await gate.reached()
        d.advance(V1, 9)
        d.store.before["advance_cursors"] = faults = Faults()
        await d.receipts.flush()
        assert faults.left == 0
        gate.opened.set()
        await d.receipts.flush()
        await d.receipts.flush()
        assert await d.stored() == {"v1": (9, 0)}


async def test_what_is_stored_later_was_heard_of_when_it_was() -> None:
    async with desk() as d:
        d.advance(V1, 3)
        await d.receipts.flush()
        d.store.before["advance_cursors"] = Faults(2)
        for number in (4, 5, 6):
            # Folded, refused and folded again: since the first of them.
            d.advance(V1, number)
            d.arrivals.ms += 60_000
            d.advance(V1, number, 2)
            await d.receipts.flush()
        d.advance(V1, 7)
        await d.receipts.flush()
        told = [(each.heard_at, each.here_since) for each in d.store.arrivals]
        assert told == [(1_000, 0), (1_000, 3), (181_000, 6)]


async def test_a_conversation_forgotten_during_a_failing_write_is_stored_later() -> (
    None
):
    async with desk() as d, anyio.create_task_group() as tasks:
        gate, faults = Gate(), Faults()

        async def wait_then_fail() -> None:
            await gate()
            await faults()

        d.store.before["advance_cursors"] = wait_then_fail
        d.advance(V1, 5, 4)
        tasks.start_soon(d.receipts.flush)
        await gate.reached()
        d.receipts.forget(d.conversation)
        d.advance(A1, 1)
        gate.opened.set()
        await anyio.wait_all_tasks_blocked()
        await d.receipts.flush()
        assert await d.stored() == {"v1": (5, 4), "a1": (1, 0)}


async def test_only_what_is_stored_is_forgotten() -> None:
    async with desk() as d:
        d.receipts.merge_stored([d.conversation], [])
        d.advance(V1, 5)
        d.receipts.forget(d.conversation)
        assert d.known() == {"v1": (5, 0)}
        await d.receipts.flush()
        d.receipts.forget(d.conversation)
        assert d.known() == {}
        assert not d.receipts.is_loaded(d.conversation)
        assert await d.stored() == {"v1": (5, 0)}


async def test_a_turn_forgets_conversations_nobody_follows() -> None:
    async with desk() as d, anyio.create_task_group() as tasks:
        looked_at = Gate()

        def is_followed(conversation: ConversationId) -> bool:
            looked_at.arrived.set()
            return False

        tasks.start_soon(d.receipts.run, is_followed)
        d.advance(V1, 5)
        await looked_at.reached()
        assert d.known() == {}
        assert await d.stored() == {"v1": (5, 0)}
        tasks.cancel_scope.cancel()


async def test_what_the_store_knows_is_merged_and_not_told_back() -> None:
    async with desk() as d:
        d.advance(V1, 5, 1)
        await d.receipts.flush()
        d.told.clear()
        stored = [
            Cursor(
                conversation=d.conversation,
                participant=who,
                delivered=Seq(delivered),
                read=Seq(read),
            )
            for who, delivered, read in ((V1, 3, 2), (A1, 7, 7))
        ]
        d.receipts.merge_stored([d.conversation], stored)
        assert d.receipts.is_loaded(d.conversation)
        assert d.known() == {"v1": (5, 2), "a1": (7, 7)}
        await d.receipts.flush()
        assert d.told == []


async def test_delivered_and_read_come_from_the_other_clients_words() -> None:
    async with world() as w, w.client("v1") as visitor, w.client("a1") as agent:
        conversation = await w.conversation()
        await visitor.follow(conversation)
        await agent.follow(conversation)
        await visitor.send(conversation, "hi")
        await bodies(agent, 1)
        agent.read(conversation, 1)
        with anyio.fail_after(5):
            async for event in visitor.events():
                if (
                    isinstance(event, f.Receipt)
                    and event.who == "a1"
                    and event.read == 1
                ):
                    assert event.delivered == 1
                    break


async def test_an_acknowledgement_beyond_what_was_sent_is_refused() -> None:
    async with world() as w:
        conversation = await w.conversation()
        peer = await w.follower("v1", conversation)
        await w.append(conversation, "m1")
        await peer.bodies(1)
        await peer.say(f.Ack(conversation=conversation, seq=Seq(2)))
        assert (await peer.expect(f.ErrorFrame)).code == "ack_ahead"
        assert w.hub.receipts.of(conversation) == []
