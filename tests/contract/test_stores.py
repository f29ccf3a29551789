"""Every store against the one contract."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kefu_core.abc.store import Store
from kefu_core.store.memory import MemoryStore
from kefu_core.store.sql import SqlStore
from kefu_core.testing.assigning import AssigningContract
from kefu_core.testing.reads import ReadsContract
from kefu_core.testing.records import RecordsContract
from kefu_core.testing.stores import Clock, StoreContract
from tests.databases import MSSQL_URL


@pytest.fixture
def clock() -> Clock:
    return Clock()


class TestMemoryStore(StoreContract, AssigningContract, ReadsContract, RecordsContract):
    @pytest.fixture
    async def store(self, clock: Clock) -> AsyncIterator[Store]:
        async with MemoryStore(now=time.monotonic, now_ms=clock) as store:
            yield store


class TestSqlStore(StoreContract, AssigningContract, ReadsContract, RecordsContract):
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, bool]]:
        return "asyncio", {"use_uvloop": True}

    @pytest.fixture
    async def store(self, clock: Clock, database_url: str) -> AsyncIterator[Store]:
        async with SqlStore(database_url, now=time.monotonic, now_ms=clock) as store:
            yield store
            assert store.reads_checked_out == 0


class TestSqliteStoreOnAsyncio(TestSqlStore):
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, bool]]:
        return "asyncio", {"use_uvloop": False}

    @pytest.fixture
    def database_url(self, tmp_path: Path) -> str:
        return f"sqlite+aiosqlite:///{tmp_path / 'kefu.db'}"


@pytest.mark.skipif(
    not MSSQL_URL,
    reason="KEFU_TEST_MSSQL_URL is not set; nothing ran on a real SQL Server",
)
def test_a_sql_server_is_at_hand() -> None:
    """With one, every test of this folder ran on it as well."""
    assert MSSQL_URL.startswith("mssql+aioodbc://")
