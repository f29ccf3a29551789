"""What only a real SQL Server can show: locks, deadlocks, collations, its own checks.

Runs on SQL Server where `KEFU_TEST_MSSQL_URL` names an empty database, and on MariaDB
and PostgreSQL always, so that the tests themselves are known to work.
"""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import anyio
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from kefu_core.model import Person, Role
from kefu_core.store import tables as t
from kefu_core.store.dialects import dialect_of
from kefu_core.store.dialects.base import rows_of
from kefu_core.store.engine import open_writer, parse_url
from kefu_core.store.sql import SqlStore
from kefu_core.store.writing import Fault
from kefu_core.testing.stores import SITE, VISITOR, draft
from kefu_core.types import ConversationId, ParticipantId, Seq
from tests.databases import MSSQL_URL

pytestmark = pytest.mark.anyio
SKIPPED = "KEFU_TEST_MSSQL_URL is not set; nothing ran on a real SQL Server"
ON_MSSQL = pytest.mark.skipif(not MSSQL_URL, reason=SKIPPED)
ENGINES = ["mysql", "postgres", pytest.param("mssql", marks=ON_MSSQL)]
on_servers = pytest.mark.parametrize("database_url", ENGINES, indirect=True)
on_sql_server = pytest.mark.parametrize(
    "database_url", [pytest.param("mssql", marks=ON_MSSQL)], indirect=True
)
Nodes = tuple[SqlStore, SqlStore]


@pytest.fixture
async def nodes(database_url: str) -> AsyncIterator[Nodes]:
    """Two nodes on one database."""

    def now_ms() -> int:
        return time.time_ns() // 1_000_000

    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(
                SqlStore(database_url, now=time.monotonic, now_ms=now_ms)
            )
            for _ in range(2)
        ]
        await first.put_site(SITE)
        yield first, second


@pytest.fixture
async def engine(nodes: Nodes, database_url: str) -> AsyncIterator[AsyncEngine]:
    """Connections beside those of the nodes."""
    engine = open_writer(parse_url(database_url))
    yield engine
    await engine.dispose()


async def conversation_of(store: SqlStore, number: int) -> ConversationId:
    visitor = Person(
        id=ParticipantId(f"v{number}"), name=f"访客 {number}", role=Role.VISITOR
    )
    return (await store.open_conversation(SITE.id, visitor)).id


@on_servers
async def test_two_nodes_number_one_log_without_gap_or_double(nodes: Nodes) -> None:
    conversations = [await conversation_of(nodes[0], n) for n in range(1, 6)]
    seqs: dict[ConversationId, list[int]] = {one: [] for one in conversations}

    async def send(number: int) -> None:
        conversation = conversations[number % 5]
        appended = await nodes[number % 2].append(draft(conversation, number))
        seqs[conversation].append(appended.message.seq)

    with anyio.fail_after(100):
        async with anyio.create_task_group() as tasks:
            for number in range(300):
                tasks.start_soon(send, number)
    for conversation, found in seqs.items():
        assert sorted(found) == list(range(1, 61))
        log = await nodes[0].history(conversation, after=Seq(0))
        assert [message.seq for message in log] == list(range(1, 61))


@on_servers
async def test_a_key_sent_through_both_nodes_at_once_is_one_message(
    nodes: Nodes,
) -> None:
    conversation = await conversation_of(nodes[0], 1)
    answers: list[tuple[str, int, bool]] = []

    async def send(number: int) -> None:
        one = draft(conversation, number % 10)
        appended = await nodes[number % 2].append(one)
        answers.append((one.key, appended.message.seq, appended.duplicate))

    with anyio.fail_after(100):
        async with anyio.create_task_group() as tasks:
            for number in range(60):
                tasks.start_soon(send, number)
    assert sum(not duplicate for _, _, duplicate in answers) == 10
    assert len({(key, seq) for key, seq, _ in answers}) == 10
    assert len(await nodes[1].history(conversation, after=Seq(0))) == 10


@on_servers
async def test_a_row_that_somebody_holds_delays_its_own_conversation_only(
    nodes: Nodes, engine: AsyncEngine
) -> None:
    held, free = [await conversation_of(nodes[0], n) for n in (1, 2)]
    columns = t.conversation.c
    sent = anyio.Event()

    async def send_to_the_held_one() -> None:
        await nodes[0].append(draft(held))
        sent.set()

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            async with engine.begin() as connection:
                await connection.execute(
                    update(t.conversation)
                    .where(columns.id == held)
                    .values(last_line=columns.last_line)
                )
                tasks.start_soon(send_to_the_held_one)
                for number in range(5):
                    await nodes[0].append(draft(free, number))
                assert not sent.is_set()
            await sent.wait()


@on_servers
async def test_a_deadlock_is_known_for_what_it_is(
    nodes: Nodes, engine: AsyncEngine
) -> None:
    conversations = [await conversation_of(nodes[0], n) for n in (1, 2)]
    dialect = dialect_of(engine.url)
    faults: list[Fault] = []
    columns = t.conversation.c
    have_first = 0
    both = anyio.Event()

    async def cross(order: list[ConversationId]) -> None:
        nonlocal have_first
        try:
            async with engine.begin() as connection:
                for number, conversation in enumerate(order):
                    await connection.execute(
                        update(t.conversation)
                        .where(columns.id == conversation)
                        .values(last_line=columns.last_line)
                    )
                    if number == 0:
                        have_first += 1
                        if have_first == 2:
                            both.set()
                        await both.wait()
        except dialect.errors as error:
            faults.append(dialect.fault_of(error))

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cross, conversations)
            tasks.start_soon(cross, conversations[::-1])
    assert faults == [Fault.HELD]


@on_servers
@pytest.mark.parametrize("chars", [1, 2_000, 2_001, 4_000, 4_001, 10_000])
async def test_text_of_every_length_and_script_comes_back_whole(
    nodes: Nodes, chars: int
) -> None:
    conversation = await conversation_of(nodes[0], 1)
    body = ("你好🙂𠮷 مرحبا\n" * (chars // 10 + 1))[:chars]
    await nodes[0].append(draft(conversation, body=body))
    [message] = await nodes[1].history(conversation, after=Seq(0))
    assert message.body == body


@on_sql_server
async def test_the_check_of_snapshots_says_what_the_database_says(
    engine: AsyncEngine,
) -> None:
    async with engine.connect() as connection:
        [row] = await rows_of(
            connection,
            "SELECT is_read_committed_snapshot_on FROM sys.databases "
            "WHERE name = DB_NAME()",
        )
        problems = await dialect_of(engine.url).problems(connection)
    assert any("READ_COMMITTED_SNAPSHOT" in one for one in problems) is not row[0]


@on_sql_server
async def test_a_lock_that_is_waited_for_too_long_is_known_for_what_it_is(
    nodes: Nodes, engine: AsyncEngine
) -> None:
    conversation = await conversation_of(nodes[0], 1)
    dialect = dialect_of(engine.url)
    change = (
        update(t.conversation)
        .where(t.conversation.c.id == conversation)
        .values(last_line="x")
    )
    async with engine.begin() as holder:
        await holder.execute(change)
        async with engine.connect() as waiter:
            await waiter.exec_driver_sql("SET LOCK_TIMEOUT 100")
            with pytest.raises(dialect.errors) as failed:
                await waiter.execute(change)
            await waiter.invalidate()
    assert "(1222)" in str(failed.value)
    assert dialect.fault_of(failed.value) is Fault.TEMPORARY


@on_sql_server
async def test_who_opens_at_once_finds_one_visitor(nodes: Nodes) -> None:
    opened: set[ConversationId] = set()

    async def open_one(number: int) -> None:
        found = await nodes[number % 2].open_conversation(SITE.id, VISITOR)
        opened.add(found.id)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(open_one, number)
    assert len(opened) == 1
