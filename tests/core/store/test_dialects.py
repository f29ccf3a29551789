"""What a database must be for the promise to hold, asked of real ones."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import pytest

from benchmarks.databases import PrivateServer
from kefu_core.errors import ConfigurationError, StoreUnavailable
from kefu_core.store import schema
from kefu_core.store.dialects import DIALECTS, dialect_of
from kefu_core.store.dialects.mysql import version_problem
from kefu_core.store.engine import parse_url
from kefu_core.store.sql import SqlStore
from kefu_core.store.writing import Fault
from kefu_core.testing.stores import Clock

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


async def problems_of(url: str, now_ms: object = unix_ms) -> list[str]:
    async with SqlStore(url, now=time.monotonic, now_ms=now_ms) as store:  # type: ignore[arg-type]
        return await store.problems()


async def test_a_database_as_it_comes_keeps_the_promise(database_url: str) -> None:
    assert await problems_of(database_url) == []


@pytest.mark.parametrize("database_url", ["mysql", "postgres"], indirect=True)
async def test_a_clock_that_is_a_minute_off_is_named(database_url: str) -> None:
    late = Clock(unix_ms() - 60_000)
    [problem] = await problems_of(database_url, late)
    assert re.search(r"are (59|60|61|62) s apart", problem)


@contextmanager
def mysql_setting(server: PrivateServer, name: str, value: str) -> Iterator[None]:
    before = server.run_sql(f"SELECT @@GLOBAL.{name};").strip()
    server.run_sql(f"SET GLOBAL {name} = {value};")
    try:
        yield
    finally:
        server.run_sql(f"SET GLOBAL {name} = {before};")


@pytest.mark.parametrize("database_url", ["mysql"], indirect=True)
async def test_a_mysql_that_flushes_now_and_then_is_named(
    database_url: str, mysql_server: PrivateServer
) -> None:
    for value in ("0", "2"):
        with mysql_setting(mysql_server, "innodb_flush_log_at_trx_commit", value):
            [problem] = await problems_of(database_url)
        assert "SET GLOBAL innodb_flush_log_at_trx_commit = 1" in problem


async def test_tables_that_take_a_for_big_a_are_named(
    mysql_server: PrivateServer,
) -> None:
    url = mysql_server.create("collated")
    await schema.upgrade(url)
    mysql_server.run_sql(
        "SET FOREIGN_KEY_CHECKS = 0; ALTER TABLE message CONVERT TO CHARACTER SET "
        "utf8mb4 COLLATE utf8mb4_general_ci;",
        "collated",
    )
    [problem] = await problems_of(url)
    assert "COLLATE utf8mb4_bin" in problem
    mysql_server.drop("collated")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("synchronous_commit", "off"), ("full_page_writes", "off"), ("fsync", "off")],
)
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_postgres_that_does_not_wait_for_the_disk_is_named(
    database_url: str, postgres_server: PrivateServer, setting: str, value: str
) -> None:
    postgres_server.run_sql(f"ALTER SYSTEM SET {setting} = {value};")
    postgres_server.run_sql("SELECT pg_reload_conf();")
    try:
        while postgres_server.run_sql(f"SHOW {setting};").strip() != value:
            await anyio.sleep(0.01)
        [problem] = await problems_of(database_url)
    finally:
        postgres_server.run_sql(f"ALTER SYSTEM RESET {setting};")
        postgres_server.run_sql("SELECT pg_reload_conf();")
        while postgres_server.run_sql(f"SHOW {setting};").strip() == value:
            await anyio.sleep(0.01)
    assert f"{setting} is {value}" in problem
    assert f"set {setting} = on" in problem


@pytest.mark.parametrize(
    ("version", "is_too_old"),
    [
        ("10.5.23-MariaDB", True),
        ("10.6.1-MariaDB-log", False),
        ("11.4.2-MariaDB", False),
        ("5.7.44", True),
        ("8.0.36", False),
        ("9.1.0-commercial", False),
    ],
)
def test_an_old_mysql_is_named(version: str, is_too_old: bool) -> None:
    assert bool(version_problem(version)) is is_too_old


# -- what cannot be opened -----------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "fix"),
    [
        ("not-a-secret", "wrong", "refuses the user or the password"),
        ("/kefu_none", "/kefu_absent", "There is no such database"),
        ("127.0.0.1", "no-such-host.invalid", "cannot be reached"),
    ],
)
@pytest.mark.parametrize("name", ["mysql", "postgres"])
async def test_what_does_not_open_says_what_to_do_and_no_password(
    request: pytest.FixtureRequest, name: str, old: str, new: str, fix: str
) -> None:
    server: PrivateServer = request.getfixturevalue(f"{name}_server")
    url = server.url("kefu_none").replace(old, new)
    with pytest.raises(StoreUnavailable, match=fix) as refused:
        await schema.current(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "fix"),
    [
        ("rubbish", "cannot be read"),
        ("oracle://u:p@h/d", "is not supported; use one of sqlite"),
        ("mysql+asyncmy://u:p@h", "names no database"),
        ("sqlite+aiosqlite:////no/such/folder/kefu.db", "make it first"),
        ("sqlite+aiosqlite://", "needs a file"),
    ],
)
def test_a_url_that_cannot_be_meant_says_how_to_write_one(url: str, fix: str) -> None:
    with pytest.raises(ConfigurationError, match=fix) as refused:
        parse_url(url)
    assert "u:p@" not in str(refused.value)


class Raised(Exception):
    """A driver's error as SQLAlchemy wraps it."""

    def __init__(self, *arguments: object, **fields: object) -> None:
        super().__init__(*arguments)
        self.orig = Exception(*arguments)
        for name, value in fields.items():
            setattr(self.orig, name, value)


@pytest.mark.parametrize(
    ("driver", "error", "fault"),
    [
        ("mysql+asyncmy", Raised(1213, "Deadlock found"), Fault.HELD),
        ("mysql+asyncmy", Raised(1205, "Lock wait timeout"), Fault.HELD),
        ("mysql+asyncmy", Raised(2013, "Lost connection"), Fault.TEMPORARY),
        ("mysql+asyncmy", Raised(1114, "The table is full"), Fault.FULL),
        ("mysql+asyncmy", Raised(1366, "Incorrect string value"), Fault.DATA),
        ("postgresql+asyncpg", Raised("d", sqlstate="40P01"), Fault.HELD),
        ("postgresql+asyncpg", Raised("d", sqlstate="40001"), Fault.HELD),
        ("postgresql+asyncpg", Raised("d", sqlstate="53100"), Fault.FULL),
        ("postgresql+asyncpg", Raised("d", sqlstate="22021"), Fault.DATA),
        ("postgresql+asyncpg", Raised("d", sqlstate="08006"), Fault.TEMPORARY),
        (
            "mssql+aioodbc",
            Raised("40001", "[SQL Server]Transaction (1205) (SQLExecDirectW)"),
            Fault.HELD,
        ),
        (
            "mssql+aioodbc",
            Raised("42000", "[SQL Server]Lock request time out (1222) (SQLExecute)"),
            Fault.HELD,
        ),
        (
            "mssql+aioodbc",
            Raised("42000", "[SQL Server]The log is full (9002) (SQLExecute)"),
            Fault.FULL,
        ),
        (
            "mssql+aioodbc",
            Raised("22001", "[SQL Server]would be truncated (2628) (SQLExecute)"),
            Fault.DATA,
        ),
    ],
)
def test_an_error_says_whether_to_try_again(
    driver: str, error: Exception, fault: Fault
) -> None:
    assert DIALECTS[driver].fault_of(error) is fault


def test_each_engine_is_found_by_its_url() -> None:
    for drivername, dialect in DIALECTS.items():
        rest = "/x.db" if dialect.name == "sqlite" else "u@h/d"
        assert dialect_of(parse_url(f"{drivername}://{rest}")) is dialect
