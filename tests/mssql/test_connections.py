"""Connections, time-outs, cancellation and threads, through Microsoft's driver."""

import asyncio
import contextlib
import gc
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from kefu_core.errors import ConfigurationError, StoreUnavailable
from kefu_core.model import Site
from kefu_core.store import history, schema
from kefu_core.store.dialects import dialect_of, mssql
from kefu_core.store.engine import open_readers, open_writer, parse_url
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import draft
from kefu_core.types import Seq
from tests.mssql.script import CONVERSATION, message_rows, open_store, teach
from tests.mssql.server import (
    BIT,
    INT,
    Count,
    Cut,
    LockedRow,
    Refusal,
    Rows,
    ScriptedServer,
    Slow,
    text,
)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("server", ["microsoft"], indirect=True),
]


async def test_every_connection_bounds_its_waits_and_says_what_it_relies_on(
    server: ScriptedServer,
) -> None:
    teach(server)
    for open_engine in (open_writer, open_readers):
        engine = open_engine(parse_url(server.url()))
        async with engine.connect() as connection:
            raw = await connection.get_raw_connection()
            assert raw.driver_connection._conn.timeout == mssql._QUERY_S
        await engine.dispose()
    [writer, reader] = server.statements("LOCK_TIMEOUT")
    for said in (writer, reader):
        assert said.text == (
            "SET LOCK_TIMEOUT 5000; SET XACT_ABORT OFF; SET NOCOUNT OFF"
        )
    [level] = server.statements("SET TRANSACTION ISOLATION LEVEL")
    assert level.text.endswith("READ COMMITTED")


async def test_the_driver_manager_keeps_no_pool_of_its_own(
    server: ScriptedServer,
) -> None:
    import pyodbc

    engine = open_writer(parse_url(server.url()))
    await engine.dispose()
    assert pyodbc.pooling is False


async def test_twelve_tasks_on_one_row_never_starve_each_other_of_threads(
    server: ScriptedServer,
) -> None:
    """With the loop's own threads, waiters keep the holder's COMMIT from running."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    server.when("UPDATE the_row", LockedRow("the row", Count(1)))
    engine = mssql.MssqlDialect()._create(parse_url(server.url()), pool_size=12)
    done = []

    async def update() -> None:
        async with engine.begin() as connection:
            changed = await connection.exec_driver_sql("UPDATE the_row SET n = n + 1")
            done.append(changed.rowcount)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(update)
    await engine.dispose()
    assert done == [1] * 12


async def test_the_threads_end_with_their_engine(server: ScriptedServer) -> None:
    import threading

    def ours() -> int:
        return sum(
            thread.name.startswith("kefu-mssql") for thread in threading.enumerate()
        )

    before = ours()
    async with open_store(server):
        assert ours() > before
    with anyio.fail_after(10):
        while ours() > before:
            await anyio.sleep(0.01)


async def test_one_query_that_runs_out_of_time_costs_one_connection(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mssql, "_QUERY_S", 1)
    teach(server)
    server.when("FROM slow", Slow(60))
    engine = open_readers(parse_url(server.url()))

    async def connect_all(count: int) -> None:
        ready = 0
        all_are = anyio.Event()

        async def connect() -> None:
            nonlocal ready
            async with engine.connect() as connection:
                await connection.exec_driver_sql("select 1")
                ready += 1
                if ready == count:
                    all_are.set()
                await all_are.wait()

        async with anyio.create_task_group() as tasks:
            for _ in range(count):
                tasks.start_soon(connect)

    await connect_all(4)
    assert server.logins == 4
    dialect = dialect_of(engine.url)
    with pytest.raises(dialect.errors) as failed:
        async with engine.connect() as connection:
            await connection.exec_driver_sql("SELECT x FROM slow")
    assert "HYT00" in str(failed.value)
    assert dialect.fault_of(failed.value).value == "temporary"
    assert server.statements("ATTENTION")
    await connect_all(4)
    await engine.dispose()
    assert server.logins == 5


async def nothing_is_checked_out(store: SqlStore) -> None:
    """Wait until every read has given its connection back."""
    with anyio.fail_after(20):
        while store.reads_checked_out:
            await anyio.sleep(0.01)


async def test_a_reader_that_goes_away_leaves_no_connection_behind(
    server: ScriptedServer,
) -> None:
    """Whoever asked is gone at once; the read ends, and then nothing is kept of it."""
    async with open_store(server) as store:
        server.when("FROM message", Slow(0.5, message_rows()), message_rows())
        with anyio.move_on_after(0.1):
            await store.history(CONVERSATION, after=Seq(0))
        await nothing_is_checked_out(store)
        assert not server.statements("ATTENTION")
        assert await store.history(CONVERSATION, after=Seq(0)) == []


async def test_a_read_that_takes_too_long_is_stopped_and_its_connection_closed(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_store(server, read_timeout_s=1.0) as store:
        server.when("FROM message", Slow(60, message_rows()), message_rows())
        before = server.logins
        with pytest.raises(StoreUnavailable):
            await store.history(CONVERSATION, after=Seq(0))
        await nothing_is_checked_out(store)
        assert await store.history(CONVERSATION, after=Seq(0)) == []
        assert server.logins == before + 1
        with anyio.fail_after(20):
            while not (server.statements("ATTENTION") and server.closed):
                await anyio.sleep(0.01)
    gc.collect()
    assert not caplog.records, "closing it failed"


async def test_a_writer_that_goes_away_cancels_no_statement(
    server: ScriptedServer,
) -> None:
    async with open_store(server) as store:
        server.when("INSERT INTO message ", Slow(0.3, Count(1)), Count(1))
        before = server.logins
        with anyio.move_on_after(0.05) as scope:
            await store.append(draft(CONVERSATION))
        assert scope.cancelled_caught
        appended = await store.append(draft(CONVERSATION, 2))
        assert not appended.duplicate
        assert server.logins == before
    assert not server.statements("ATTENTION")
    assert len(server.statements("^COMMIT$")) == 2


async def test_after_a_restart_of_the_server_the_first_read_works(
    server: ScriptedServer,
) -> None:
    async with open_store(server) as store:
        server.when("FROM message", message_rows())
        assert await store.history(CONVERSATION, after=Seq(0)) == []
        # The pool asks before it hands a connection out, and finds it dead.
        server.when(r"^\s*select 1\s*$", Cut(), Rows([("", INT)], [[1]]))
        before = server.logins
        assert await store.history(CONVERSATION, after=Seq(0)) == []
        assert server.logins == before + 1


async def test_long_text_of_a_table_is_declared_as_nvarchar_max(
    server: ScriptedServer,
) -> None:
    async with open_store(server) as store:
        server.when("UPDATE site", Count(1))
        site = Site(id=1, name="店", embed_key="k", allowed_origins=("x" * 9_000,))
        await store.put_site(site)
    [prepared] = [
        one
        for one in server.seen
        if one.text == "PREPARE" or one.text.startswith("UPDATE site")
        if one.types
    ]
    assert "nvarchar(max)" in prepared.types
    assert "varchar" not in prepared.types.replace("nvarchar", "")
    assert "text" not in prepared.types


# -- what a person is told at the start ------------------------------------------------


async def test_a_wrong_password_is_said_so(server: ScriptedServer) -> None:
    with pytest.raises(StoreUnavailable, match="refuses the user or the password"):
        await schema.current(server.url(password="wrong"))


async def test_a_server_that_is_not_there_is_said_so(server: ScriptedServer) -> None:
    url = server.url().replace(f":{server.port}/", ":1/")
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await schema.current(url)


async def test_a_certificate_that_nobody_signed_is_said_so(
    server: ScriptedServer,
) -> None:
    url = server.url().replace("&TrustServerCertificate=yes", "")
    with pytest.raises(StoreUnavailable, match="certificate is not trusted"):
        await schema.current(url)


async def test_a_missing_driver_is_said_so(server: ScriptedServer) -> None:
    url = server.url().replace(server.driver, "No+Such+Driver")
    with pytest.raises(StoreUnavailable, match="install msodbcsql18"):
        await schema.current(url)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (262, "too few rights"),
        (229, "too few rights"),
        (4060, "There is no such database"),
        (9002, "disk or log is full"),
    ],
)
async def test_what_the_server_refuses_at_the_start_is_said_in_words(
    server: ScriptedServer, number: int, said: str
) -> None:
    teach(server)
    server.when("FROM alembic_version", Refusal(number, severity=14))
    with pytest.raises(StoreUnavailable, match=said):
        await schema.current(server.url())


async def test_more_than_one_result_at_a_time_is_refused_by_name(
    server: ScriptedServer,
) -> None:
    with pytest.raises(ConfigurationError, match="MARS_Connection"):
        parse_url(f"{server.url()}&mars_connection=yes")


SOUND = ["16", True, "DISABLED", 160, "Latin1_General_100_BIN2"]


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (0, "14", "2019"),
        (1, False, "READ_COMMITTED_SNAPSHOT ON"),
        (2, "FORCED", "DELAYED_DURABILITY = DISABLED"),
        (3, 110, "COMPATIBILITY_LEVEL = 150"),
        (4, "Chinese_PRC_CI_AS", "Latin1_General_100_BIN2"),
    ],
)
async def test_what_keeps_a_database_from_its_promise_is_found_with_its_fix(
    server: ScriptedServer, at: int, value: object, said: str
) -> None:
    columns = [
        ("", text()),
        ("is_read_committed_snapshot_on", BIT),
        ("delayed_durability_desc", text()),
        ("", INT),
        ("", text()),
    ]
    row = [*SOUND[:at], value, *SOUND[at + 1 :]]
    server.when(r"sys\.databases", Rows(columns, [SOUND]), Rows(columns, [row]))
    engine = open_writer(parse_url(server.url()))
    async with engine.connect() as connection:
        dialect = dialect_of(engine.url)
        assert await dialect.problems(connection) == []
        [problem] = await dialect.problems(connection)
    await engine.dispose()
    assert said in problem


async def test_a_migration_waits_for_another_and_its_statements_for_nothing(
    server: ScriptedServer,
) -> None:
    server.when("sp_getapplock", Rows([("", INT)], [[-1]]), Rows([("", INT)], [[1]]))
    engine = open_writer(parse_url(server.url()))
    async with engine.connect() as connection:
        await dialect_of(engine.url).lock_migrations(connection)
        raw = await connection.get_raw_connection()
        assert raw.driver_connection._conn.timeout == 0
    await engine.dispose()
    assert len(server.statements("sp_getapplock")) == 2


async def test_a_statement_that_ends_while_it_is_told_to_stop_harms_nobody(
    server: ScriptedServer,
) -> None:
    """What the driver frees in one thread must not be in use in another."""

    async def read(store: SqlStore) -> None:
        with contextlib.suppress(StoreUnavailable):
            await store._read(lambda c: history.page(c, CONVERSATION, Seq(0), None, 9))

    async with open_store(server, read_timeout_s=0.2) as store:
        server.when("FROM message", *[Slow(0.18, message_rows()) for _ in range(40)])
        for _ in range(10):
            async with anyio.create_task_group() as tasks:
                for _ in range(4):
                    tasks.start_soon(read, store)
    assert store.reads_checked_out == 0
