"""Fixtures: an empty database of each engine, on servers started for this run.

A database is handed on from test to test with its tables, emptied; `fresh_database_url`
is one that never had any. `database_url` runs a test once for each engine; a test for
some of them parametrises it indirectly:
`@pytest.mark.parametrize("database_url", ["mysql"], indirect=True)`.
`KEFU_TEST_MYSQL_URL`, `KEFU_TEST_POSTGRES_URL` and `KEFU_TEST_MSSQL_URL` name databases
to use instead; all tables in them are dropped.
"""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.databases import SERVERS, PrivateServer, ServerMissingError
from kefu_core.store.desk_tables import metadata

MSSQL_URL = os.environ.get("KEFU_TEST_MSSQL_URL", "")
ENGINES = ("sqlite", "mysql", "postgres", *(["mssql"] if MSSQL_URL else []))
_numbers = itertools.count(1)
_spare: dict[str, list[str]] = {}
_NAMES = [table.name for table in reversed(metadata.sorted_tables)]
_EMPTY = {
    "mysql": "SET innodb_lock_wait_timeout = 2; SET lock_wait_timeout = 2;"
    + "".join(f"DELETE FROM {name};" for name in _NAMES),
    "postgres": f"SET lock_timeout = '2s'; TRUNCATE {', '.join(_NAMES)};",
}


def _run(name: str) -> Iterator[PrivateServer]:
    try:
        server = SERVERS[name]()
    except ServerMissingError as missing:
        pytest.skip(f"{missing}; nothing was tested on {name}")
    with server:
        yield server


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[PrivateServer]:
    """MariaDB, for the whole run."""
    yield from _run("mysql")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PrivateServer]:
    """PostgreSQL, for the whole run."""
    yield from _run("postgres")


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    name = request.param
    if name == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'kefu.db'}"
        return
    given = os.environ.get(f"KEFU_TEST_{name.upper()}_URL")
    if given:
        anyio.run(_drop_all_tables, given)
        yield given
        return
    server: PrivateServer = request.getfixturevalue(f"{name}_server")
    spare = _spare.setdefault(name, [])
    database = spare.pop() if spare else _create(server)
    yield server.url(database)
    try:
        server.run_sql(_EMPTY[name], database)
    except RuntimeError:
        # It has no tables, or somebody still holds one.
        server.drop(database)
    else:
        spare.append(database)


@pytest.fixture(params=["sqlite", "mysql", "postgres"])
def fresh_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables; on SQLite of a file to be."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'kefu.db'}"
        return
    server: PrivateServer = request.getfixturevalue(f"{request.param}_server")
    database = _create(server)
    yield server.url(database)
    server.drop(database)


def _create(server: PrivateServer) -> str:
    database = f"test{next(_numbers)}"
    server.create(database)
    return database


async def _drop_all_tables(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        found = MetaData()
        await connection.run_sync(found.reflect)
        await connection.run_sync(found.drop_all)
    await engine.dispose()
