"""The audit names every fault that is planted, and raises no alarm without one."""

import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from kefu_core.abc.audit import AuditReport, FaultKind
from kefu_core.model import Agent, Cursor, MessageKind
from kefu_core.store import audit
from kefu_core.store.rows import MESSAGE_COLUMNS, digest_of
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import Clock, draft
from kefu_core.types import ConversationId, ParticipantId, Seq
from tests.core.upkeep.world import ANA, SHOP, everything, guest, memory_store, talk

pytestmark = pytest.mark.anyio
Plant = Callable[[sqlite3.Connection, int], object]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {}


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "LOOK_AGAIN_S", 0.01)


@asynccontextmanager
async def sql_store(path: Path) -> AsyncGenerator[SqlStore]:
    clock = Clock()
    url = f"sqlite+aiosqlite:///{path}"
    async with SqlStore(url, now=time.monotonic, now_ms=clock) as store:
        await store.put_site(SHOP)
        await store.put_agent(ANA)
        yield store


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(path)
    with database:
        yield database
    database.close()


async def filled(path: Path) -> list[int]:
    """Leave three conversations, the second with everything in it."""
    async with sql_store(path) as store:
        ids = [await talk(store, 1, ["a", "b"])]
        ids.append(await everything(store, 2))
        ids.append(await talk(store, 3, ["a"]))
        return [int(number) for number in ids]


async def audited(path: Path) -> AuditReport:
    async with sql_store(path) as store:
        return await store.audit()


def sql(statement: str, *values: Any) -> Plant:
    """Return what runs a statement; `:id` is the conversation with everything."""

    def plant(database: sqlite3.Connection, number: int) -> object:
        names = {"id": number} | {f"v{n}": value for n, value in enumerate(values)}
        return database.execute(statement, names)

    return plant


def row(sets: str) -> Plant:
    return sql(f"UPDATE conversation SET {sets} WHERE id = :id")


def spoilt(seq: int, sets: str) -> Plant:
    where = f"WHERE conversation_id = :id AND seq = {seq}"
    return sql(f"UPDATE message SET {sets} {where}")


def gone(seq: int) -> Plant:
    return sql(f"DELETE FROM message WHERE conversation_id = :id AND seq = {seq}")


def cursor_row(sets: str) -> Plant:
    return sql(f"UPDATE participant SET {sets} WHERE conversation_id = :id")


def label_row(sets: str) -> Plant:
    return sql(f"UPDATE conversation_label SET {sets} WHERE label = '急'")


WAS_NOTE = {"kind": "erased", "data": '{"was":"note"}'}


def changed(seq: int, **columns: Any) -> Plant:
    """Return what changes a message and its digest: damage that no digest shows."""

    def plant(database: sqlite3.Connection, number: int) -> None:
        where = "WHERE conversation_id = ? AND seq = ?"
        names = ", ".join(MESSAGE_COLUMNS)
        row = database.execute(
            f"SELECT {names} FROM message {where}", (number, seq)
        ).fetchone()
        after = dict(zip(MESSAGE_COLUMNS, row, strict=True)) | columns
        values = [after[name] for name in MESSAGE_COLUMNS]
        sets = ", ".join(f"{name} = ?" for name in (*MESSAGE_COLUMNS, "digest"))
        database.execute(
            f"UPDATE message SET {sets} {where}",
            (*values, digest_of(values), number, seq),
        )

    return plant


def without_unique_keys(database: sqlite3.Connection, number: int) -> None:
    """Plant a repeated key: the index that forbids it goes with its table."""
    database.execute("CREATE TABLE copy AS SELECT * FROM message")
    database.execute("DROP TABLE message")
    database.execute("ALTER TABLE copy RENAME TO message")
    changed(7, key="k1")(database, number)


FAULTS: list[tuple[str, Plant, FaultKind, int | None]] = [
    (
        "hole",
        gone(4),
        FaultKind.HOLE,
        5,
    ),
    (
        "no beginning",
        gone(1),
        FaultKind.HOLE,
        2,
    ),
    (
        "seq zero",
        spoilt(1, "seq = 0, digest = NULL"),
        FaultKind.HOLE,
        0,
    ),
    (
        "cut off",
        gone(8),
        FaultKind.HEAD,
        None,
    ),
    (
        "head behind",
        row("last_seq = 7"),
        FaultKind.HEAD,
        8,
    ),
    ("repeated key", without_unique_keys, FaultKind.KEY, 7),
    (
        "flipped letter",
        spoilt(4, "body = 'x'"),
        FaultKind.DIGEST,
        4,
    ),
    ("time", changed(5, at=5), FaultKind.TIME, 5),
    (
        "status",
        row("status = 'closed'"),
        FaultKind.FOLD,
        None,
    ),
    (
        "last line",
        row("last_line = 'x'"),
        FaultKind.FOLD,
        None,
    ),
    (
        "unknown status",
        row("status = 'lost'"),
        FaultKind.KIND,
        None,
    ),
    (
        "labels on the row",
        row("labels = '{'"),
        FaultKind.DATA,
        None,
    ),
    (
        "labels in the table",
        sql("DELETE FROM conversation_label WHERE label = '急'"),
        FaultKind.LABELS,
        None,
    ),
    (
        "label's place",
        label_row("active_at = 0"),
        FaultKind.LABELS,
        None,
    ),
    (
        "place in lists",
        row("active_at = 900000"),
        FaultKind.LISTED,
        None,
    ),
    (
        "cursor beyond the head",
        cursor_row("delivered = 99"),
        FaultKind.CURSOR,
        None,
    ),
    (
        "read beyond delivered",
        cursor_row("delivered = 1, read = 5"),
        FaultKind.CURSOR,
        None,
    ),
    ("unknown kind", changed(4, kind="dance"), FaultKind.KIND, 4),
    ("stored placeholder", changed(4, kind="placeholder"), FaultKind.KIND, 4),
    ("undecodable data", changed(3, data="{"), FaultKind.DATA, 3),
    ("data that is a list", changed(3, data="[1]"), FaultKind.DATA, 3),
    (
        "another visitor",
        changed(4, sender="v1", body="", **WAS_NOTE),
        FaultKind.SENDER,
        4,
    ),
    ("no participant", changed(4, sender="root"), FaultKind.SENDER, 4),
    ("no agent", changed(4, sender="a9"), FaultKind.SENDER, 4),
    (
        "erased with content",
        changed(4, **WAS_NOTE),
        FaultKind.ERASED,
        4,
    ),
    (
        "kept too long",
        row("kept_from = 9000000000000"),
        FaultKind.ERASED,
        1,
    ),
    (
        "orphaned message",
        spoilt(8, "conversation_id = 5, digest = NULL"),
        FaultKind.ORPHAN,
        None,
    ),
    (
        "orphaned cursor",
        cursor_row("conversation_id = 9007199254740991"),
        FaultKind.ORPHAN,
        None,
    ),
    (
        "late delivery of nothing",
        sql("INSERT INTO late_delivery VALUES (9007199254740991, 'v1', 1, 2, 0, 0)"),
        FaultKind.ORPHAN,
        None,
    ),
    (
        "orphaned label",
        label_row("conversation_id = 5"),
        FaultKind.ORPHAN,
        None,
    ),
    (
        "no site",
        row("site_id = 5"),
        FaultKind.ORPHAN,
        None,
    ),
    ("no visitor", sql("DELETE FROM visitor WHERE id = 2"), FaultKind.ORPHAN, None),
    (
        "visitor of no site",
        sql("UPDATE visitor SET site_id = 5 WHERE id = 2"),
        FaultKind.ORPHAN,
        None,
    ),
    (
        "login of nobody",
        sql("INSERT INTO agent_session VALUES ('x', 5, 0, 0, '', '')"),
        FaultKind.ORPHAN,
        None,
    ),
    (
        "rating of nothing",
        sql("INSERT INTO rating VALUES (5, 9, 1, 7, 3, '', 0)"),
        FaultKind.ORPHAN,
        None,
    ),
    (
        "token of nobody",
        sql("INSERT INTO api_token VALUES (5, 'x', 'x', '[]', 99, 0, 0, 0)"),
        FaultKind.ORPHAN,
        None,
    ),
    (
        "document of nothing",
        sql("INSERT INTO search_document VALUES (5, :id, 99)"),
        FaultKind.SEARCH,
        99,
    ),
    (
        "document of a line",
        sql("INSERT INTO search_document VALUES (5, :id, 6)"),
        FaultKind.SEARCH,
        6,
    ),
]


@pytest.mark.parametrize(
    ("plant", "kind", "seq"),
    [pytest.param(*fault[1:], id=fault[0]) for fault in FAULTS],
)
async def test_every_planted_fault_is_named(
    tmp_path: Path, plant: Plant, kind: FaultKind, seq: int | None
) -> None:
    path = tmp_path / "kefu.db"
    ids = await filled(path)
    with opened(path) as database:
        plant(database, ids[1])
    report = await audited(path)
    assert not report.is_sound
    assert (kind, seq) in {(fault.kind, fault.seq) for fault in report.faults}
    named = {fault.conversation for fault in report.faults}
    assert not named & {ids[0], ids[2]}


async def test_what_is_sound_is_called_sound(tmp_path: Path) -> None:
    path = tmp_path / "kefu.db"
    ids = await filled(path)
    assert await audited(path) == AuditReport(
        conversations=3, messages=11, without_digest=0, faults=[], counts={}
    )
    with opened(path) as database:
        database.execute("UPDATE message SET digest = NULL WHERE seq = 1")
    async with sql_store(path) as store:
        for number in ids:
            await store.erase_conversation(number, limit=2)
        report = await store.audit()
    assert (report.without_digest, report.counts) == (0, {})


async def test_flipped_bytes_of_the_file_are_found(tmp_path: Path) -> None:
    path = tmp_path / "kefu.db"
    async with sql_store(path) as store:
        for number in range(1, 30):
            await talk(store, number, ["a" * 300] * 20)
    content = path.read_bytes()
    # The beginning of a page in mid-log, which says how the rest is read.
    page = content.index(b"a" * 300, len(content) // 2) // 4_096 * 4_096
    with path.open("r+b") as file:
        file.seek(page)
        file.write(b"\xff" * 100)
    report = await audited(path)
    assert report.counts[FaultKind.DAMAGE] >= 1
    assert "what comes after" in report.faults[-1].text


async def test_a_store_in_memory_is_audited_too() -> None:
    async with memory_store() as store:
        number = await everything(store)
        assert (await store.audit()).is_sound
        store._logs[number].pop(3)
        assert set((await store.audit()).counts) == {FaultKind.HOLE}


async def test_the_first_hundred_are_listed_and_all_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "kefu.db"
    async with sql_store(path) as store:
        await talk(store, 1, ["a"] * 1_500)
        await talk(store, 2, ["a"] * 1_000)
    with opened(path) as database:
        database.execute("UPDATE message SET body = 'b' WHERE seq % 2 = 0")
    told: list[tuple[int, int]] = []
    async with sql_store(path) as store:
        report = await store.audit(on_progress=lambda *seen: told.append(seen))
    assert len(report.faults) == 100
    assert report.counts == {FaultKind.DIGEST: 1_250, FaultKind.FOLD: 2}
    assert report.messages == 2_500
    assert told[-1] == (2, 2_500)


def cursor(conversation: int, who: str, read: int) -> Cursor:
    return Cursor(
        conversation=ConversationId(conversation),
        participant=ParticipantId(who),
        delivered=Seq(read),
        read=Seq(read),
    )


async def test_what_is_being_written_raises_no_alarm(tmp_path: Path) -> None:
    async def write(store: SqlStore, worker: int) -> None:
        for number in range(10_000):
            sender = "a7" if number % 3 else f"v{worker}"
            kind = MessageKind.TEXT
            data = None
            if number % 50 == 7:
                kind, data = MessageKind.LABELS, {"labels": [f"l{number}"]}
                sender = "a7"
            row = await store.open_conversation(1, guest(worker))
            await store.append(
                draft(row.id, number, sender=sender, kind=kind, data=data)
            )
            await store.advance_cursors(
                [cursor(row.id, "a7", number + 1), cursor(row.id, sender, number + 1)]
            )
            if number % 40 == 9:
                await store.erase_conversation(row.id, limit=5)

    async with sql_store(tmp_path / "kefu.db") as store:
        await store.put_agent(Agent(id=8, login="bo", name="bo", password_hash="x"))
        async with anyio.create_task_group() as tasks:
            for worker in (1, 2, 3):
                tasks.start_soon(write, store, worker)
            messages = 0
            while messages < 300:
                report = await store.audit()
                assert report.faults == []
                messages = report.messages
            tasks.cancel_scope.cancel()
