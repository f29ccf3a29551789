"""A search that is late, one too many, and one whose rows move away under it."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from kefu_core.abc.archive import SearchQuery
from kefu_core.errors import Busy
from kefu_core.limits import Limits
from kefu_core.store import merging, search, segments
from kefu_core.store.search import Walk
from kefu_core.store.sql import SqlStore
from kefu_core.testing.archive import World, index_all, places
from kefu_core.testing.stores import Clock

pytestmark = pytest.mark.anyio

QUERY = SearchQuery(text="发货", limit=100)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SqlStore]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'kefu.db'}"
    limits = Limits(searches_max=1)
    async with SqlStore(url, limits=limits, now=time.monotonic, now_ms=clock) as store:
        yield store


async def world(store: SqlStore, clock: Clock, count: int) -> World:
    made = World(store, clock, 1)
    await made.open(2)
    for number in range(count):
        clock.ms += 10
        body = "发货" if number % 2 else "快递到了，发什么货"
        await made.say(list(made.rows)[number % 2], body)
        if number % 3 == 0:
            await store.index_some()
    await store.index_some()
    return made


async def test_a_search_without_time_still_gets_to_the_end_page_by_page(
    store: SqlStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_LOOKED_FIRST", 2)
    made = await world(store, clock, 40)
    found: list[tuple[int, int]] = []
    query = msgspec.structs.replace(QUERY, timeout_s=0.0)
    pages = 0
    while True:
        page = await store.search(query)
        assert page.is_complete == (page.next is None)
        found += places([hit.message for hit in page.hits])
        pages += 1
        if page.next is None:
            break
        query = msgspec.structs.replace(query, before=page.next)
    assert found == places(made.found(QUERY))
    assert pages > 5


async def test_words_that_never_meet_are_told_so_page_by_page(
    store: SqlStore, clock: Clock
) -> None:
    made = await world(store, clock, 1)
    (conversation, _) = made.rows
    for number in range(20):
        clock.ms += 10
        await made.say(conversation, "退款" if number % 2 else "order")
        await store.index_some()
    query, pages = SearchQuery(text="退款 order", timeout_s=0.0), 0
    while (page := await store.search(query)).next is not None:
        assert page.hits == []
        query = msgspec.structs.replace(query, before=page.next)
        pages += 1
    assert pages < 30


async def test_one_search_too_many_waits_and_is_then_refused(store: SqlStore) -> None:
    somebody = object()
    store._searches.acquire_on_behalf_of_nowait(somebody)
    with pytest.raises(Busy):
        await store.search(msgspec.structs.replace(QUERY, timeout_s=0.01))
    store._searches.release_on_behalf_of(somebody)
    assert (await store.search(QUERY)).is_complete


async def test_rows_that_were_merged_away_meanwhile_are_looked_for_again(
    store: SqlStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (segments, merging):
        monkeypatch.setattr(module, "FANOUT", 2)
    made = await world(store, clock, 30)
    opened = Walk._open
    merges = 0

    async def open_and_merge(self: Walk) -> None:
        nonlocal merges
        await opened(self)
        if not merges:
            await index_all(store)
        merges += 1

    monkeypatch.setattr(Walk, "_open", open_and_merge)
    page = await store.search(QUERY)
    assert merges == 2
    assert places([hit.message for hit in page.hits]) == places(made.found(QUERY))
