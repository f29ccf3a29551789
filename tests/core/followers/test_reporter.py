"""Figures follow the log: after new messages, restarts, and whoever was killed."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest

from kefu_core.desk.reports import report_of
from kefu_core.followers.reporter import Reporter
from kefu_core.ids import IdGenerator
from kefu_core.model import MessageKind, Person, Role
from kefu_core.records import ConversationDay, DayFigures
from kefu_core.site import Hours, SiteSettings
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


async def settle(store: MemoryStore, zone: str) -> None:
    settings = SiteSettings(hours=Hours(zone=zone))
    await store.put_site(msgspec.structs.replace(SITE, settings=settings))


async def days(store: MemoryStore) -> dict[int, int]:
    rows = await store.list_records(DayFigures, limit=500)
    return {row.day: row.messages_in for row in rows}


@pytest.mark.parametrize(
    ("zone", "wanted"),
    [
        ("", {20270327: 1, 20270328: 2}),
        ("Asia/Shanghai", {20270327: 1, 20270328: 1, 20270329: 1}),
        # The clock is put forward in the night to the 28th.
        ("Europe/Berlin", {20270327: 1, 20270328: 1, 20270329: 1}),
        ("America/New_York", {20270327: 2, 20270328: 1}),
        ("No/Such_Zone", {20270327: 1, 20270328: 2}),
    ],
)
async def test_days_are_those_of_the_sites_time_zone(
    store: MemoryStore, clock: Clock, zone: str, wanted: dict[int, int]
) -> None:
    await settle(store, zone)
    conversation = await opened(store, 1)
    for number, moment in enumerate(
        ("2027-03-27T12:00", "2027-03-28T00:30", "2027-03-28T22:30")
    ):
        at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        clock.ms = int(at.timestamp() * 1000)
        await store.append(draft(conversation, number, sender=VISITOR.id))
    await reporter(store, clock).update()
    assert await days(store) == wanted


async def test_another_time_zone_moves_what_was_counted_and_doubles_nothing(
    store: MemoryStore, clock: Clock
) -> None:
    clock.ms = int(datetime(2027, 3, 27, 20, tzinfo=UTC).timestamp() * 1000)
    conversation = await opened(store, 1)
    await store.append(draft(conversation, 1, sender=VISITOR.id))
    follower = reporter(store, clock)
    await follower.update()
    assert await days(store) == {20270327: 1}
    await settle(store, "Asia/Shanghai")
    await follower.update()
    assert await days(store) == {20270327: 0, 20270328: 1}
    assert (await sums(store))["messages_in"] == 1
    report = report_of(await store.list_records(DayFigures, limit=500))
    assert [each.day for each in report.days] == [20270328]
