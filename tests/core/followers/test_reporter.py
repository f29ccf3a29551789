"""Figures follow the log: after new messages, restarts, and whoever was killed."""

import time
from collections.abc import AsyncIterator

import pytest

from kefu_core.followers.reporter import Reporter
from kefu_core.ids import IdGenerator
from kefu_core.model import MessageKind, Person, Role
from kefu_core.records import ConversationDay, DayFigures
from kefu_core.store.memory import MemoryStore
from kefu_core.testing.stores import AGENT, SITE, VISITOR, Clock, draft
from kefu_core.types import ConversationId, ParticipantId

pytestmark = pytest.mark.anyio
DAY_MS = 86_400_000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(clock: Clock) -> AsyncIterator[MemoryStore]:
    async with MemoryStore(now=time.monotonic, now_ms=clock) as store:
        await store.put_site(SITE)
        yield store


def reporter(store: MemoryStore, clock: Clock) -> Reporter:
    return Reporter(store, ids=IdGenerator(clock), now=time.monotonic, now_ms=clock)


async def opened(store: MemoryStore, number: int) -> ConversationId:
    visitor = Person(id=ParticipantId(f"v{number}"), name="", role=Role.VISITOR)
    return (await store.open_conversation(SITE.id, visitor)).id


async def sums(store: MemoryStore) -> dict[str, int]:
    rows = await store.list_records(DayFigures, limit=500)
    return {
        field: sum(getattr(row, field) for row in rows)
        for field in ("opened", "closed", "missed", "messages_in", "messages_out")
    }


async def test_figures_follow_the_log_and_nothing_is_counted_twice(
    store: MemoryStore, clock: Clock
) -> None:
    follower = reporter(store, clock)
    first, second = await opened(store, 1), await opened(store, 2)
    for number, conversation in enumerate((first, second)):
        sender = ParticipantId(f"v{number + 1}")
        await store.append(draft(conversation, 1, sender=sender))
    assert await follower.update() == 2
    assert (await sums(store))["messages_in"] == 2
    await store.append(draft(first, 2, sender=AGENT))
    await store.append(draft(first, 3, sender=AGENT, kind=MessageKind.CLOSE, body=""))
    for _ in range(3):
        await follower.update()
        # A server that starts again, or another node.
        await reporter(store, clock).update()
    assert await sums(store) == {
        "opened": 2,
        "closed": 1,
        "missed": 0,
        "messages_in": 2,
        "messages_out": 1,
    }
    assert len(await store.list_records(ConversationDay)) == 2


async def test_days_apart_have_rows_of_their_own(
    store: MemoryStore, clock: Clock
) -> None:
    follower = reporter(store, clock)
    conversation = await opened(store, 1)
    for number in range(3):
        await store.append(draft(conversation, number, sender=VISITOR.id))
        await follower.update()
        clock.ms += DAY_MS
    rows = await store.list_records(DayFigures, after=0)
    assert [row.messages_in for row in rows] == [1, 1, 1]
    assert len({row.day for row in rows}) == 3


async def test_sums_that_were_never_written_are_written_after_a_restart(
    store: MemoryStore, clock: Clock
) -> None:
    conversation = await opened(store, 1)
    await store.append(draft(conversation, 1, sender=VISITOR.id))
    await reporter(store, clock).update()
    before = await sums(store)
    [row] = await store.list_records(ConversationDay)
    # Killed between the two: the day's sums are of before.
    for figures in await store.list_records(DayFigures):
        await store.put_records(
            DayFigures(id=figures.id, day=figures.day, site_id=figures.site_id)
        )
    assert row.figures
    await reporter(store, clock).update()
    assert await sums(store) == before
