"""What every store must know of what came late: subclass `LatenessContract`."""

import random
from typing import Any

import pytest

from kefu_core.abc.audit import LATE_MS, NAMED_MAX, Late, LateDelivery
from kefu_core.abc.store import Store
from kefu_core.model import Arrival, Cursor, MessageKind
from kefu_core.testing.stores import AGENT, Clock, draft
from kefu_core.testing.upkeep import VISITOR_ID, opened
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs


class LatenessContract:
    """Tests that take fixtures `store` (open, empty) and `clock` (settable)."""

    pytestmark = pytest.mark.anyio

    async def test_what_has_not_arrived_is_late_for_whom_it_is(
        self, store: Store, clock: Clock
    ) -> None:
        mine, queued, closed = [await opened(store, number) for number in (1, 2, 3)]
        began = UnixMs(clock.ms)
        taken = draft(
            mine,
            sender=AGENT,
            kind=MessageKind.ASSIGNMENT,
            data={"assignee": AGENT},
        )
        await store.append(taken)
        for number in (2, 3):
            await store.append(draft(mine, number))
        for number, kind in ((4, MessageKind.TEXT), (5, MessageKind.NOTE)):
            await store.append(draft(mine, number, sender=AGENT, kind=kind))
        for row, who in ((queued, "v2"), (closed, "v3")):
            await store.append(draft(row, sender=ParticipantId(who)))
        end = draft(closed, 2, sender=AGENT, kind=MessageKind.CLOSE)
        await store.append(end)
        assert await store.late(began) == []
        now = UnixMs(clock.ms + 1)
        one: dict[str, Any] = {"conversations": 1, "messages": 1, "oldest_at": began}
        assert await store.late(now) == [
            Late(whose=AGENT, some=[mine], **one | {"messages": 2}),
            Late(whose=None, some=[queued], **one),
            Late(whose=VISITOR_ID, some=[mine], **one),
        ]
        cursor = Cursor(
            conversation=mine, participant=AGENT, delivered=Seq(3), read=Seq(0)
        )
        await store.advance_cursors([cursor])
        assert [late.whose for late in await store.late(now)] == [None, VISITOR_ID]

    async def test_what_came_late_is_kept_once_and_of_whom_it_is_for(
        self, store: Store, clock: Clock
    ) -> None:
        row = await opened(store, 1)
        began = UnixMs(clock.ms)
        everybody = (AGENT, VISITOR_ID, ParticipantId("a9"))
        await store.append(draft(row, 1))
        await assign(store, row, AGENT)
        await store.append(draft(row, 3))
        for number, kind in ((4, MessageKind.TEXT), (5, MessageKind.NOTE)):
            await store.append(draft(row, number, sender=AGENT, kind=kind))
        clock.ms += 60_000
        here_since = UnixMs(clock.ms - 15_000)
        arrivals = [arrival(row, who, clock, here_since) for who in everybody]
        some = [cursor(row, who, 2) for who in everybody]
        rest = [cursor(row, who, 5) for who in everybody]
        await store.advance_cursors(some, arrivals)
        for cursors in (rest, some, rest):
            # Stored again, lower, or heard of again later: nothing more is late.
            await store.advance_cursors(cursors, arrivals)
            clock.ms += 60_000
            arrivals = [arrival(row, who, clock, here_since) for who in everybody]
        told: dict[str, Any] = {"conversations": 1, "longest_ms": 60_000, "some": [row]}
        mine = LateDelivery(
            whose=AGENT, messages=2, here=2, longest_here_ms=15_000, **told
        )
        theirs = LateDelivery(
            whose=VISITOR_ID, messages=1, here=1, longest_here_ms=15_000, **told
        )
        assert await store.late_deliveries(LATE_MS, began) == [mine, theirs]
        away = await store.late_deliveries(15_000, began)
        assert [(late.messages, late.here) for late in away] == [(2, 0), (1, 0)]
        assert await store.late_deliveries(60_000, began) == []
        assert await store.late_deliveries(LATE_MS, UnixMs(began + 60_001)) == []
        while (erased := await store.erase_conversation(row)).messages:
            assert erased.next is None
        assert await store.late_deliveries(LATE_MS, began) == []

    async def test_what_came_in_time_is_late_for_nobody(
        self, store: Store, clock: Clock
    ) -> None:
        row = await opened(store, 1)
        began = UnixMs(clock.ms)
        await store.append(draft(row, 1, sender=AGENT))
        await store.append(draft(row, 2))
        clock.ms += LATE_MS
        told = arrival(row, VISITOR_ID, clock, began)
        await store.advance_cursors([cursor(row, VISITOR_ID, 1)], [told])
        clock.ms += 1
        # Its own, what is nobody's yet, and what nobody was told of.
        told = arrival(row, VISITOR_ID, clock, began)
        await store.advance_cursors([cursor(row, VISITOR_ID, 2)], [told])
        await store.advance_cursors(
            [cursor(row, AGENT, 2)], [arrival(row, AGENT, clock, began)]
        )
        await store.append(draft(row, 3, sender=AGENT))
        clock.ms += 60_000
        await store.advance_cursors([cursor(row, VISITOR_ID, 3)])
        assert await store.late_deliveries(0, began) == []

    async def test_an_agent_keeps_nobody_waiting_before_it_is_given_the_conversation(
        self, store: Store, clock: Clock
    ) -> None:
        row = await opened(store, 1)
        began = UnixMs(clock.ms)
        await store.append(draft(row, 1))
        clock.ms += 50_000
        await assign(store, row, AGENT)
        clock.ms += 12_000
        await store.advance_cursors(
            [cursor(row, AGENT, 2)], [arrival(row, AGENT, clock, began)]
        )
        (late,) = await store.late_deliveries(LATE_MS, began)
        assert (late.longest_ms, late.longest_here_ms) == (62_000, 12_000)

    async def test_who_comes_back_to_many_conversations_is_late_in_each(
        self, store: Store, clock: Clock
    ) -> None:
        began = UnixMs(clock.ms)
        rows = [await opened(store, number) for number in range(1, 41)]
        for number, row in enumerate(rows, 1):
            await store.append(draft(row, sender=ParticipantId(f"v{number}")))
            await store.append(draft(row, 2, sender=AGENT))
            await assign(store, row, AGENT)
        clock.ms += 20_000
        everybody = [
            (row, who)
            for number, row in enumerate(rows, 1)
            for who in (AGENT, ParticipantId(f"v{number}"))
        ]
        await store.advance_cursors(
            [cursor(row, who, 3) for row, who in everybody],
            [arrival(row, who, clock, UnixMs(clock.ms)) for row, who in everybody],
        )
        first, *others = await store.late_deliveries(LATE_MS, began)
        assert (first.whose, first.conversations, first.messages) == (AGENT, 40, 40)
        assert first.some == sorted(rows)[:NAMED_MAX]
        assert len(others) == 40
        assert {late.messages for late in others} == {1}

    @pytest.mark.parametrize("seed", range(3))
    async def test_whatever_order_receipts_come_in_each_message_counts_once(
        self, store: Store, clock: Clock, seed: int
    ) -> None:
        rng = random.Random(seed)
        row = await opened(store, 1)
        await assign(store, row, AGENT)
        began = UnixMs(clock.ms)
        senders: list[ParticipantId | None] = [None]
        sent = [began]
        heard: dict[ParticipantId, int] = {AGENT: 1, VISITOR_ID: 1}
        waits: dict[ParticipantId, list[int]] = {AGENT: [], VISITOR_ID: []}
        for step in range(2, 60):
            clock.ms += rng.choice([0, 1, 4_000, LATE_MS, LATE_MS + 1, 600_000])
            if rng.random() < 0.5:
                sender = rng.choice([AGENT, VISITOR_ID])
                await store.append(draft(row, step, sender=sender))
                senders.append(sender)
                sent.append(UnixMs(clock.ms))
                continue
            some = [
                cursor(row, who, rng.randint(1, len(sent)))
                for who in rng.choices([AGENT, VISITOR_ID], k=rng.randint(1, 4))
            ]
            told = {each.participant for each in some}
            arrivals = [arrival(row, who, clock, began) for who in told]
            await store.advance_cursors(some, arrivals)
            for each in some:
                who = each.participant
                for place in range(heard[who], each.delivered):
                    if senders[place] != who:
                        waits[who].append(clock.ms - sent[place])
                heard[who] = max(heard[who], each.delivered)
        for longer_than_ms in (LATE_MS, 600_000):
            late = await store.late_deliveries(longer_than_ms, began)
            assert {each.whose: each.messages for each in late} == {
                who: count
                for who, of_one in waits.items()
                if (count := sum(wait > longer_than_ms for wait in of_one))
            }


def cursor(row: ConversationId, who: ParticipantId, delivered: int) -> Cursor:
    """Return what is stored of a participant who has so much."""
    return Cursor(conversation=row, participant=who, delivered=Seq(delivered))


def arrival(
    row: ConversationId, who: ParticipantId, clock: Clock, here_since: UnixMs
) -> Arrival:
    """Return that a participant has been heard now."""
    return Arrival(
        conversation=row,
        participant=who,
        heard_at=UnixMs(clock.ms),
        here_since=here_since,
    )


async def assign(store: Store, row: ConversationId, agent: ParticipantId) -> None:
    """Give a conversation to an agent."""
    data = {"assignee": agent}
    kind = MessageKind.ASSIGNMENT
    await store.append(draft(row, 99, sender=agent, kind=kind, data=data))
