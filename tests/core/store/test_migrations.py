"""An older database with data in it, brought to the newest schema."""

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.databases import PrivateServer
from kefu_core.abc.archive import ConversationFilter
from kefu_core.errors import ConfigurationError
from kefu_core.folding import active_at
from kefu_core.model import Draft
from kefu_core.store import migrating, schema
from kefu_core.store.desk_tables import metadata
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import AGENT, SITE, VISITOR, draft
from kefu_core.types import ConversationId, Seq
from tests.depth import times

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


OPENED = 1_799_000_000_123
ROWS = [
    (1, seq, "v1", f"k{seq}", "text", f"发货 {seq}", None, None, OPENED + seq * 1_000)
    for seq in range(1, 1_001)
]


async def first_schema(path: Path) -> None:
    """Make a database as the first schema had it, with a thousand messages."""
    engine = schema.open_writer(schema.parse_url(f"sqlite+aiosqlite:///{path}"))
    async with engine.begin() as connection:

        def to_first(sync_connection: object) -> None:
            config = migrating.config_for(sync_connection)
            command.upgrade(config, "0001")

        await connection.run_sync(to_first)
    await engine.dispose()
    with sqlite3.connect(path) as old:
        old.execute("INSERT INTO installation VALUES (1, 'epoch')")
        old.execute("INSERT INTO site VALUES (1, 'shop', 'k', '', 'zh-CN')")
        old.execute("INSERT INTO visitor VALUES (1, 1, '访客', ?)", (OPENED,))
        last = ROWS[-1]
        old.execute(
            "INSERT INTO conversation "
            "VALUES (1, 1, 'v1', 'queued', NULL, ?, ?, 'v1', ?, ?, ?)",
            (last[1], last[8], last[5], ROWS[0][8], OPENED),
        )
        old.executemany("INSERT INTO message VALUES (?,?,?,?,?,?,?,?,?)", ROWS)
    old.close()


def open_store(path: Path) -> SqlStore:
    url = f"sqlite+aiosqlite:///{path}"
    return SqlStore(url, now=time.monotonic, now_ms=lambda: OPENED + 10_000_000)


async def test_an_older_database_is_refused_with_what_to_run(tmp_path: Path) -> None:
    await first_schema(tmp_path / "kefu.db")
    with pytest.raises(ConfigurationError, match="run: kefu db upgrade"):
        async with open_store(tmp_path / "kefu.db"):
            raise AssertionError("opened on a schema it does not know")


async def test_an_upgrade_keeps_every_message_and_the_log_goes_on(
    tmp_path: Path,
) -> None:
    path = tmp_path / "kefu.db"
    await first_schema(path)
    assert await schema.upgrade(f"sqlite+aiosqlite:///{path}") == schema.newest()
    async with open_store(path) as store:
        assert store.epoch == "epoch"
        log = [
            message
            for after in range(0, 1_000, 100)
            for message in await store.history(ConversationId(1), after=Seq(after))
        ]
        assert [(m.seq, m.key, m.body, m.at) for m in log] == [
            (row[1], row[3], row[5], row[8]) for row in ROWS
        ]
        again = await store.append(_repeat())
        assert (again.duplicate, again.message.seq) == (True, 3)
        new = await store.append(draft(ConversationId(1), 2_000, sender=AGENT))
        assert new.message.seq == 1_001
        assert [
            row.id for row in await store.find_conversations(ConversationFilter())
        ] == [1]
        assert (await store.sites())[0].name == SITE.name
    with sqlite3.connect(path) as found:
        old, digest = found.execute(
            "SELECT min(digest), max(digest) FROM message WHERE seq <= 1000"
        ).fetchone()
        assert (old, digest) == (None, None)
        row = found.execute(
            "SELECT active_at, kept_from, last_at FROM conversation"
        ).fetchone()
        assert row == (active_at(new.message.at), OPENED, new.message.at)
    found.close()


def _repeat() -> Draft:
    return draft(ConversationId(1), 3, key="k3", body="发货 3", sender=VISITOR.id)


async def test_a_second_upgrade_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kefu.db"
    await first_schema(path)
    url = f"sqlite+aiosqlite:///{path}"
    for _ in range(2):
        assert await schema.upgrade(url) == schema.newest()
        await schema.check(url)


UPGRADE = """
import asyncio, sys
from kefu_core.store import migrating, schema
print("go", flush=True)
asyncio.run(schema.upgrade(sys.argv[1]))
"""


def upgrade_and_kill(path: Path, after_s: float) -> bool:
    """Begin an upgrade in another process; return whether the kill came in time."""
    command = [sys.executable, "-c", UPGRADE, f"sqlite+aiosqlite:///{path}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(after_s)
        process.kill()
        return process.wait() == -9


async def test_an_upgrade_killed_again_and_again_is_finished_by_the_next(
    tmp_path: Path,
) -> None:
    path = tmp_path / "kefu.db"
    await first_schema(path)
    rng = random.Random(7)
    killed = 0
    for _ in range(times(20, 100)):
        killed += upgrade_and_kill(path, rng.uniform(0.0, 0.25))
        found = sqlite3.connect(path)
        assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = found.execute(
            "SELECT conversation_id, seq, sender, key, kind, body, data, ref, at "
            "FROM message ORDER BY seq"
        ).fetchall()
        found.close()
        assert rows == ROWS
        if await schema.current(f"sqlite+aiosqlite:///{path}") == schema.newest():
            path.unlink()
            await first_schema(path)
    assert killed > 0
    assert await schema.upgrade(f"sqlite+aiosqlite:///{path}") == schema.newest()
    async with open_store(path) as store:
        assert (await store.append(_repeat())).message.seq == 3


async def test_two_that_upgrade_at_once_both_find_it_done(
    fresh_database_url: str,
) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(schema.upgrade, fresh_database_url)
    await schema.check(fresh_database_url)


async def test_the_migrations_bring_the_tables_that_the_code_declares(
    fresh_database_url: str,
) -> None:
    """With every column, key and constraint: the last of them keep messages single."""
    await schema.upgrade(fresh_database_url)
    engine = create_async_engine(fresh_database_url)
    async with engine.connect() as connection:
        found = await connection.run_sync(
            lambda sync: compare_metadata(
                MigrationContext.configure(sync, opts={"compare_type": False}),
                metadata,
            )
        )
    await engine.dispose()
    assert found == []


async def test_half_an_upgrade_is_finished_where_tables_change_at_once(
    mysql_server: PrivateServer,
) -> None:
    """MySQL commits each change of a table: a kill leaves some of them done."""
    url = mysql_server.create("halfway")
    await schema.upgrade(url)
    mysql_server.run_sql(
        "UPDATE alembic_version SET version_num = '0001';"
        "DROP TABLE search_posting; DROP TABLE conversation_label;"
        "ALTER TABLE conversation DROP COLUMN labels;"
        "ALTER TABLE conversation DROP INDEX ix_conversation_active_at_id;",
        "halfway",
    )
    assert await schema.upgrade(url) == schema.newest()
    said = mysql_server.run_sql("SHOW CREATE TABLE conversation;", "halfway")
    assert "labels" in said
    assert "ix_conversation_active_at_id" in said
    assert "search_posting" in mysql_server.run_sql("SHOW TABLES;", "halfway")
    mysql_server.drop("halfway")


async def test_a_newer_schema_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "kefu.db"
    await schema.upgrade(f"sqlite+aiosqlite:///{path}")
    with sqlite3.connect(path) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    with pytest.raises(ConfigurationError, match="newer than this program"):
        async with open_store(path):
            raise AssertionError("opened on a schema it does not know")


async def test_the_newest_schema_is_the_one_that_alembic_would_bring() -> None:
    scripts = ScriptDirectory.from_config(migrating.base_config())
    assert scripts.get_current_head() == schema.newest()


async def test_opening_a_database_of_the_right_schema_needs_no_alembic(
    tmp_path: Path,
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'kefu.db'}"
    code = (
        "import asyncio, sys; from kefu_core.store import schema\n"
        "asyncio.run(schema.check(sys.argv[1])); assert 'alembic' not in sys.modules"
    )
    await schema.upgrade(url)
    await anyio.run_process([sys.executable, "-c", code, url], check=True)
