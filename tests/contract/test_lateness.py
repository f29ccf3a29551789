"""What every store knows of what came late, against the one contract."""

import time
from collections.abc import AsyncIterator

import pytest

from kefu_core.abc.store import Store
from kefu_core.store.memory import MemoryStore
from kefu_core.store.sql import SqlStore
from kefu_core.testing.lateness import LatenessContract
from kefu_core.testing.stores import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


class TestMemoryStore(LatenessContract):
    @pytest.fixture
    async def store(self, clock: Clock) -> AsyncIterator[Store]:
        async with MemoryStore(now=time.monotonic, now_ms=clock) as store:
            yield store


class TestSqlStore(LatenessContract):
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, bool]]:
        return "asyncio", {"use_uvloop": True}

    @pytest.fixture
    async def store(self, clock: Clock, database_url: str) -> AsyncIterator[Store]:
        async with SqlStore(database_url, now=time.monotonic, now_ms=clock) as store:
            yield store
            assert store.reads_checked_out == 0
