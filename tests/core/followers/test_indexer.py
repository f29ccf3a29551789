"""The search index follows the log, told or not, and waits for a store that is away."""

import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from kefu_core.abc.archive import SearchQuery
from kefu_core.abc.store import Store
from kefu_core.errors import StoreUnavailable
from kefu_core.followers import indexer as module
from kefu_core.followers.indexer import Indexer
from kefu_core.store.memory import MemoryStore
from kefu_core.store.sql import SqlStore
from kefu_core.testing.archive import World
from kefu_core.testing.stores import Clock, draft
from kefu_core.types import ConversationId

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'kefu.db'}"
    async with SqlStore(url, now=time.monotonic, now_ms=Clock()) as store:
        yield store


@asynccontextmanager
async def running(store: Store) -> AsyncIterator[Indexer]:
    indexer = Indexer(store, now=time.monotonic)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(indexer.run)
        with anyio.fail_after(30):
            yield indexer
        tasks.cancel_scope.cancel()


async def caught_up(store: Store) -> None:
    while (await store.index_state()).messages_behind:
        await anyio.sleep(0.01)


async def indexed(store: SqlStore) -> list[str]:
    """Return the texts that are found by the index, which a plain filter reads past."""
    page = await store.search(SearchQuery(text="发货", limit=100))
    return [hit.message.body for hit in page.hits]


async def test_what_was_there_before_the_start_is_indexed(store: SqlStore) -> None:
    world = World(store, Clock(), 1)
    await world.open(3)
    for conversation in world.rows:
        await world.say(conversation, "什么时候发货")
    assert await indexed(store) == []
    async with running(store):
        await caught_up(store)
        assert len(await indexed(store)) == 3


async def test_news_is_indexed_though_no_walk_is_due(store: SqlStore) -> None:
    world = World(store, Clock(), 1)
    await world.open(2)
    first, second = world.rows
    async with running(store) as indexer:
        while indexer._walk_at <= time.monotonic():
            await anyio.sleep(0.01)
        indexer._walk_at = float("inf")
        for number, conversation in enumerate((first, second, first)):
            appended = await store.append(
                draft(conversation, number, body=f"发货 {number}")
            )
            indexer.message_committed(appended)
            await caught_up(store)
        assert sorted(await indexed(store)) == ["发货 0", "发货 1", "发货 2"]


async def test_what_nobody_told_is_found_by_the_next_walk(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WALK_INTERVAL_S", 0.05)
    world = World(store, Clock(), 1)
    await world.open(1)
    (conversation,) = world.rows
    async with running(store):
        for number in range(3):
            await world.say(conversation, f"发货 {number}")
            await caught_up(store)
        assert len(await indexed(store)) == 3


async def test_a_backlog_of_one_conversation_is_indexed_to_its_end(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LIVE_MESSAGES", "QUIET_MESSAGES"):
        monkeypatch.setattr(module, name, 4)
    world = World(store, Clock(), 1)
    await world.open(1)
    (conversation,) = world.rows
    for _ in range(30):
        await world.say(conversation, "发货")
    async with running(store) as indexer:
        await caught_up(store)
        indexer._walk_at = float("inf")
        for number in range(40, 60):
            appended = await store.append(draft(conversation, number, body="发货"))
        indexer.message_committed(appended)
        await caught_up(store)
        assert len(await indexed(store)) == 50


class Flaky(MemoryStore):
    """A store that is away at first."""

    away = 2
    answers = 0

    async def index_some(
        self, conversations: Collection[ConversationId] = (), *, limit: int = 200
    ) -> int:
        if self.away:
            self.away -= 1
            raise RuntimeError("a fault of ours") if self.away else StoreUnavailable()
        self.answers += 1
        return await super().index_some(conversations, limit=limit)


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_store_that_is_away_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("_RETRY_S", "WALK_INTERVAL_S"):
        monkeypatch.setattr(module, name, 0.01)
    async with Flaky(now=time.monotonic, now_ms=Clock()) as store, running(store):
        while not store.answers:
            await anyio.sleep(0.01)
    assert "cannot go on" in caplog.text
