"""Whoever waits for the store vanishes at any await: all or nothing, and no trace."""

import random
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
import pytest
from sqlalchemy import literal, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from kefu_core.abc.archive import SearchQuery
from kefu_core.errors import Busy
from kefu_core.model import Appended, Person, Role
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import SITE, VISITOR, draft
from kefu_core.types import ConversationId, ParticipantId, Seq

pytestmark = pytest.mark.anyio
AWAITS = 40
"""More than any call of the store has: the last ones are not cancelled at all."""
CANCELS = 400
WRITERS = 20

Calls = dict[str, Callable[[int], Awaitable[object]]]
OPEN_TRANSACTIONS = {
    "mysql": "SELECT COUNT(*) FROM information_schema.innodb_trx AS x JOIN"
    " information_schema.processlist AS p ON p.id = x.trx_mysql_thread_id"
    " WHERE p.db = DATABASE()",
    "postgresql": "SELECT COUNT(*) FROM pg_stat_activity WHERE datname ="
    " current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
    " AND backend_type = 'client backend'",
}


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


def open_store(url: str) -> SqlStore:
    return SqlStore(url, now=time.monotonic, now_ms=lambda: time.time_ns() // 10**6)


def visitor(number: int) -> Person:
    return Person(id=ParticipantId(f"v{number}"), name="", role=Role.VISITOR)


async def answers_each_its_own(engine: AsyncEngine, count: int) -> None:
    """Ask as many connections as there are at once, each for another number."""
    connections = [await engine.connect() for _ in range(count)]
    for number, connection in enumerate(connections):
        answer = await connection.scalar(select(literal(number)))
        assert answer == number
    for connection in connections:
        await connection.close()


async def has_open_transactions(url: str) -> bool:
    """Whether anybody has begun what nobody has ended."""
    name = make_url(url).get_backend_name()
    if name == "sqlite":
        other = sqlite3.connect(make_url(url).database or "", isolation_level=None)
        other.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
        other.close()
        return False
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return bool(await connection.scalar(text(OPEN_TRANSACTIONS[name])))
    finally:
        await engine.dispose()


async def is_clean(store: SqlStore, url: str) -> None:
    """Nothing is out, open, or answered to somebody else."""
    # What was begun is done though nobody waits for it; this comes after it.
    await store.put_site(SITE)
    assert store.reads_checked_out == 0
    assert not await has_open_transactions(url)
    assert store._readers is not None
    await answers_each_its_own(store._readers, store._readers.pool.size())  # type: ignore[attr-defined]
    assert store.reads_checked_out == 0


def calls_of(store: SqlStore, conversation: ConversationId) -> Calls:
    return {
        "append": lambda n: store.append(draft(conversation, n)),
        "history": lambda n: store.history(conversation),
        "open": lambda n: store.open_conversation(SITE.id, visitor(n)),
        "search": lambda n: store.search(SearchQuery(text="发货")),
        "index": lambda n: store.index_some(limit=10),
    }


@pytest.mark.parametrize("call", ["append", "history", "open", "search", "index"])
async def test_a_call_cancelled_at_any_await_leaves_all_or_nothing(
    database_url: str, call: str
) -> None:
    async with open_store(database_url) as store:
        await store.put_site(SITE)
        conversation = (await store.open_conversation(SITE.id, VISITOR)).id
        run = calls_of(store, conversation)[call]
        for turns in range(AWAITS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(run, turns)
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
            assert store.reads_checked_out == 0
        appended = await store.append(draft(conversation, AWAITS))
        await is_clean(store, database_url)
        log = await store.history(conversation, after=Seq(0))
        assert [m.seq for m in log] == list(range(1, appended.message.seq + 1))


async def test_cancels_at_random_moments_under_load_leave_no_trace(
    database_url: str,
) -> None:
    rng = random.Random(7)
    stored: dict[str, int] = {}
    cancelled: set[str] = set()
    async with open_store(database_url) as store:
        await store.put_site(SITE)
        conversation = (await store.open_conversation(SITE.id, VISITOR)).id
        calls = [*calls_of(store, conversation).values()]

        async def write(writer: int) -> None:
            for number in range(CANCELS // WRITERS):
                one = draft(conversation, writer * 1_000 + number)
                cancelled.add(one.key)
                with anyio.move_on_after(rng.uniform(0, 0.02)):
                    appended: Appended = await store.append(one)
                    stored[one.key] = appended.message.seq
                    cancelled.discard(one.key)
                # On a machine that does other work too, some wait too long.
                with anyio.move_on_after(rng.uniform(0, 0.02)), suppress(Busy):
                    await rng.choice(calls[1:])(writer)

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for writer in range(WRITERS):
                    tasks.start_soon(write, writer)
            last = await store.append(draft(conversation, 999_999))
        await is_clean(store, database_url)
        log = [
            message
            for after in range(0, last.message.seq, 50)
            for message in await store.history(conversation, after=Seq(after), limit=50)
        ]
    assert [m.seq for m in log] == list(range(1, last.message.seq + 1))
    found = {message.key: message.seq for message in log}
    # What was answered is there; what was cancelled is there once, or not at all.
    assert len(found) == len(log)
    assert stored.items() <= found.items()
    assert cancelled
    assert found.keys() <= stored.keys() | cancelled | {last.message.key}
