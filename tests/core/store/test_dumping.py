"""A dump is of one moment, goes into any engine, and is not served half restored."""

from pathlib import Path
from typing import Any

import pytest

from kefu_core.errors import ConfigurationError, Conflict, Invalid
from kefu_core.store import walking
from kefu_core.store.dumping import open_dump, open_restore, require_revision
from kefu_core.testing.stores import draft
from kefu_core.types import ConversationId
from tests.core.store.test_copying import fill, opened, rows_of, url_of
from tests.databases import ENGINES

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {}


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "_BATCH", 5)


async def dumped(source: str, target: str) -> str:
    """Move everything by way of a dump; returns the new epoch."""
    async with open_dump(source) as dump, open_restore(target) as restore:
        await restore.prepare(replaces=False)
        async for table, columns, rows in dump.rows():
            await restore.insert(table, columns, rows)
        return await restore.finish()


async def test_a_dump_has_every_row_and_a_restore_an_epoch_of_its_own(
    tmp_path: Path,
) -> None:
    source, target = tmp_path / "a.db", tmp_path / "b.db"
    epoch = await fill(url_of(source))
    renewed = await dumped(url_of(source), url_of(target))
    assert rows_of(target) == rows_of(source)
    async with opened(url_of(target)) as store:
        assert store.epoch == renewed != epoch
        assert (await store.audit()).is_sound
    with pytest.raises(Conflict, match="--replace"):
        await dumped(url_of(source), url_of(target))


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
async def test_what_is_written_meanwhile_is_not_in_it(
    tmp_path: Path, database_url: str
) -> None:
    await fill(database_url)
    back = tmp_path / "back.db"
    async with opened(database_url) as store, open_dump(database_url) as dump:
        seen: dict[str, int] = {}
        async with open_restore(url_of(back)) as restore:
            await restore.prepare(replaces=False)
            async for table, columns, rows in dump.rows():
                if not seen:
                    row = (await store.list_open_conversations(limit=1))[0]
                    late = await store.append(draft(row.id, 77, body="too late"))
                seen[table] = seen.get(table, 0) + len(rows)
                await restore.insert(table, columns, rows)
            await restore.finish()
        heads = await store.heads([row.id])
    async with opened(url_of(back)) as store:
        report = await store.audit()
        assert report.is_sound
        assert report.messages == seen["message"]
        assert await store.heads([row.id]) == {row.id: late.message.seq - 1}
    assert heads == {row.id: late.message.seq}


@pytest.mark.parametrize(
    "database_url", [name for name in ENGINES if name != "sqlite"], indirect=True
)
async def test_a_dump_goes_into_any_engine_and_back(
    tmp_path: Path, database_url: str
) -> None:
    source, back = tmp_path / "a.db", tmp_path / "b.db"
    await fill(url_of(source))
    await dumped(url_of(source), database_url)
    async with opened(database_url) as store:
        assert (await store.audit()).is_sound
    await dumped(database_url, url_of(back))
    assert rows_of(back) == rows_of(source)


async def test_nothing_half_restored_is_opened_and_a_second_run_finishes(
    tmp_path: Path,
) -> None:
    source, target = tmp_path / "a.db", tmp_path / "b.db"
    await fill(url_of(source))
    async with open_dump(url_of(source)) as dump, open_restore(url_of(target)) as half:
        await half.prepare(replaces=False)
        async for table, columns, rows in dump.rows():
            if table == "message":
                break
            await half.insert(table, columns, rows)
    with pytest.raises(ConfigurationError, match="half restored"):
        async with opened(url_of(target)):
            pass
    with pytest.raises(Conflict, match="nothing to back up"):
        async with open_dump(url_of(target)):
            pass
    await dumped(url_of(source), url_of(target))
    assert rows_of(target) == rows_of(source)


async def test_what_is_there_goes_only_when_asked(tmp_path: Path) -> None:
    target = url_of(tmp_path / "a.db")
    await fill(target)
    async with open_restore(target) as restore:
        with pytest.raises(Conflict):
            await restore.prepare(replaces=False)
        async with opened(target) as store:
            assert await store.find_conversation(ConversationId(1)) is None
        await restore.prepare(replaces=True)
        with pytest.raises(Invalid, match="'nonsense'"):
            await restore.insert("nonsense", ["id"], [[1]])
        await restore.finish()
    assert not any(rows_of(tmp_path / "a.db").values())


def test_another_version_of_the_tables_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="the kefu that wrote it"):
        require_revision("0001")
