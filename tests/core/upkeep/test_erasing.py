"""Erasing one visitor: both sides, resumable, and nobody else."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from kefu_core.abc.archive import ConversationFilter
from kefu_core.errors import NotFound
from kefu_core.model import MessageKind
from kefu_core.types import ParticipantId
from kefu_core.upkeep.erasing import ErasureReport, erase_visitor
from tests.core.upkeep.world import everything, guest, memory_store, talk

V1 = ParticipantId("v1")


@pytest.mark.anyio
async def test_both_sides_texts_and_the_name_go_and_the_rest_stays() -> None:
    async with memory_store() as store:
        mine = await everything(store, 1)
        other = await everything(store, 2)
        told: list[int] = []
        report = await erase_visitor(store, V1, on_progress=told.append)
        assert report == ErasureReport(conversations=1, messages=4)
        assert told == [4]
        kinds = [message.kind for message in await store.history(mine)]
        assert kinds == [
            MessageKind.ERASED,
            MessageKind.ASSIGNMENT,
            MessageKind.ERASED,
            MessageKind.ERASED,
            MessageKind.LABELS,
            MessageKind.CLOSE,
            MessageKind.ERASED,
            MessageKind.REOPEN,
        ]
        assert [p.name for p in await store.people([V1, guest(2).id])] == ["", "访客2"]
        assert MessageKind.ERASED not in {m.kind for m in await store.history(other)}
        again = await erase_visitor(store, V1)
        assert again == ErasureReport(conversations=1, messages=0)
        with pytest.raises(NotFound):
            await erase_visitor(store, ParticipantId("v404"))


@pytest.mark.anyio
async def test_a_visitors_walk_meets_its_own_conversations_only() -> None:
    async with memory_store() as store:
        mine = await talk(store, 1, ["a"])
        await talk(store, 2, ["a"])
        walk = await store.walk_conversations(ConversationFilter(visitors=(V1,)))
        assert [row.id for row in walk.conversations] == [mine]


CHILD = """
import sys, time, anyio
from kefu_core.store.sql import SqlStore
from kefu_core.upkeep import erasing

async def main():
    clock = lambda: time.time_ns() // 1_000_000
    async with SqlStore(sys.argv[1], now=time.monotonic, now_ms=clock) as store:
        erasing.PAUSE_S = 0
        def told(count):
            print(count, flush=True)
        print(await erasing.erase_visitor(store, "v1", on_progress=told), flush=True)

anyio.run(main)
"""


def test_it_may_be_killed_at_any_moment_and_run_again(tmp_path: Path) -> None:
    path = tmp_path / "kefu.db"
    url = f"sqlite+aiosqlite:///{path}"
    subprocess.run(
        [sys.executable, "-c", CHILD, url], capture_output=True, timeout=60, check=False
    )
    with sqlite3.connect(path) as database:
        database.execute(
            "INSERT INTO site (id, name, embed_key, allowed_origins, locale)"
            " VALUES (1, 's', 'k', '', 'en')"
        )
        database.execute(
            "INSERT INTO visitor (id, site_id, name, created_at)"
            " VALUES (1, 1, 'secret', 0)"
        )
        database.execute(
            "INSERT INTO conversation (id, site_id, visitor, status, last_seq, last_at,"
            " last_line, opened_at) VALUES (1, 1, 'v1', 'queued', 3000, 9, 'secret', 0)"
        )
        database.executemany(
            "INSERT INTO message (conversation_id, seq, sender, key, kind, body, at)"
            " VALUES (1, ?, 'v1', ?, 'text', 'secret', 9)",
            [(seq, f"k{seq}") for seq in range(1, 3001)],
        )
    database.close()
    reached = 0
    for kill_after in (2, 5, 3):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, url], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            for number, line in enumerate(child.stdout):
                if number == kill_after:
                    child.kill()
                    reached += int(line)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    database = sqlite3.connect(path)
    rows = database.execute("SELECT kind, body, data FROM message").fetchall()
    names = database.execute("SELECT name FROM visitor").fetchall()
    lines = database.execute("SELECT last_line FROM conversation").fetchall()
    database.close()
    assert 0 < reached < 3000
    assert "ErasureReport" in done.stdout
    assert rows == [("erased", "", '{"was":"text"}')] * 3000
    assert (names, lines) == ([("",)], [("",)])
