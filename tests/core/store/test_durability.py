"""What was acknowledged is there after the process is killed."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from kefu_core.errors import ConfigurationError
from kefu_core.store.dialects.base import READERS
from kefu_core.store.engine import open_readers, open_writer, parse_url

FULL = 2

CHILD = """
import sys, time, anyio
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import SITE, VISITOR, draft

async def main():
    clock = lambda: time.time_ns() // 1_000_000
    async with SqlStore(sys.argv[1], now=time.monotonic, now_ms=clock) as store:
        await store.put_site(SITE)
        conversation = (await store.open_conversation(SITE.id, VISITOR)).id

        async def write(worker):
            for number in range(10**9):
                one = draft(conversation, key=f"{sys.argv[2]}.{worker}.{number}")
                appended = await store.append(one)
                print(one.key, appended.message.seq, flush=True)

        async with anyio.create_task_group() as tasks:
            for worker in range(8):
                tasks.start_soon(write, worker)

anyio.run(main)
"""


def _acknowledged_until_killed(url: str, life: int) -> Iterator[tuple[str, int]]:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, url, str(life)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        for count, line in enumerate(child.stdout):
            if count == 150 + 37 * life:
                child.kill()
            if line.endswith("\n"):
                key, seq = line.split()
                yield key, int(seq)


def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "kefu.db"
    acknowledged: dict[str, int] = {}
    for life in range(3):
        acknowledged.update(
            _acknowledged_until_killed(f"sqlite+aiosqlite:///{path}", life)
        )
    database = sqlite3.connect(path)
    rows = database.execute("SELECT key, seq FROM message ORDER BY seq").fetchall()
    database.close()
    assert len(acknowledged) > 450
    assert {key: seq for key, seq in rows if key in acknowledged} == acknowledged
    assert [seq for _, seq in rows] == list(range(1, len(rows) + 1))


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_every_connection_syncs_fully_and_only_the_writer_may_write(
    tmp_path: Path, anyio_backend: str
) -> None:
    url = parse_url(f"sqlite+aiosqlite:///{tmp_path / 'kefu.db'}")
    writer, readers = open_writer(url), open_readers(url)
    connections = [await writer.connect()]
    connections += [await readers.connect() for _ in range(READERS)]
    found = []
    for connection in connections:
        values = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in ("synchronous", "foreign_keys", "journal_mode", "query_only")
        ]
        found.append(tuple(values))
        await connection.close()
    await readers.dispose()
    await writer.dispose()
    assert found == [(FULL, 1, "wal", 0), *[(FULL, 1, "wal", 1)] * READERS]


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("rubbish", "cannot be read"),
        ("oracle://x/y", "not supported"),
        ("sqlite+aiosqlite://", "needs a file"),
        ("sqlite+aiosqlite:////no/such/folder/kefu.db", "does not exist"),
    ],
)
def test_a_url_that_cannot_work_is_explained(url: str, word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        parse_url(url)
