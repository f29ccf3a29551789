"""What is stored of people and sites, where the contract of all stores says nothing."""

import sqlite3
import time
from pathlib import Path

import pytest

from kefu_core.site import Identity
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import SITE, Clock


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_a_site_whose_settings_cannot_be_read_is_there_all_the_same(
    tmp_path: Path, anyio_backend: str
) -> None:
    path = tmp_path / "kefu.db"
    url = f"sqlite+aiosqlite:///{path}"
    store = SqlStore(url, now=time.monotonic, now_ms=Clock())
    async with store:
        await store.put_site(SITE)
        with sqlite3.connect(path) as rows:
            rows.execute("UPDATE site SET settings = ?", ('{"identity": {"is_r":',))
        [site] = await store.sites()
        assert site.id == SITE.id
        assert site.settings.identity == Identity(is_required=True)
