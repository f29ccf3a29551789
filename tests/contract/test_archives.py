"""Every store's history against the one contract."""

import time
from collections.abc import AsyncIterator

import pytest

from kefu_core.abc.store import Store
from kefu_core.store.memory import MemoryStore
from kefu_core.store.sql import SqlStore
from kefu_core.testing.archive import ArchiveContract
from kefu_core.testing.stores import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


class TestMemoryStore(ArchiveContract):
    @pytest.fixture
    async def store(self, clock: Clock) -> AsyncIterator[Store]:
        async with MemoryStore(now=time.monotonic, now_ms=clock) as store:
            yield store


class TestSqlStore(ArchiveContract):
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    async def store(self, clock: Clock, database_url: str) -> AsyncIterator[Store]:
        async with SqlStore(database_url, now=time.monotonic, now_ms=clock) as store:
            yield store
            assert store.reads_checked_out == 0
