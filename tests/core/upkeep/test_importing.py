"""Archives come back as they were, and hostile ones do no harm."""

import io
import json
import re
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import anyio
import pytest

from kefu_core.abc.archive import ConversationFilter, SearchQuery
from kefu_core.abc.store import Store
from kefu_core.errors import Invalid
from kefu_core.model import MessageKind
from kefu_core.store.memory import MemoryStore
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import Clock, draft
from kefu_core.upkeep import importing
from kefu_core.upkeep.export import ExportFormat, export
from kefu_core.upkeep.importing import ImportReport, import_archive
from kefu_core.upkeep.records import Record
from tests.core.upkeep.world import everything, memory_store, talk

pytestmark = pytest.mark.anyio
NOW = Clock().ms
Lines = list[dict[str, Any]]


async def exported(store: Store) -> bytes:
    chunks = export(
        store, ConversationFilter(), ExportFormat.JSONL, None, now_ms=lambda: NOW
    )
    async with aclosing(chunks):
        return b"".join([chunk async for chunk in chunks])


async def imported(store: Store, data: bytes) -> ImportReport:
    return await import_archive(store, io.BytesIO(data), now_ms=lambda: NOW)


async def archive() -> bytes:
    """Return an archive of three conversations, one with everything in it."""
    async with memory_store() as store:
        await talk(store, 1, ["a"] * 450)
        await everything(store, 2)
        await talk(store, 3, ["b", "c"])
        return await exported(store)


@asynccontextmanager
async def empty_store() -> AsyncGenerator[MemoryStore]:
    async with MemoryStore(now=time.monotonic, now_ms=Clock()) as store:
        yield store


def without(data: bytes, *fields: str) -> Lines:
    """Return an archive's records without what differs between installations."""
    records = [json.loads(line) for line in data.splitlines()]
    for record in records:
        for field in ("epoch", "allowed_origins", *fields):
            record.pop(field, None)
    return records


async def test_what_was_exported_comes_back_and_a_second_run_changes_nothing() -> None:
    data = await archive()
    async with empty_store() as store:
        report = await imported(store, data)
        assert report == ImportReport(
            conversations=3, messages=460, new_conversations=3, new_messages=460
        )
        assert without(await exported(store)) == without(data)
        assert (await store.audit()).is_sound
        (agent,) = await store.agents()
        assert (agent.name, agent.is_active) == ("安娜", False)
        (site,) = await store.sites()
        assert (site.name, site.allowed_origins) == ("茶馆", ())
        again = await imported(store, data)
        assert again == ImportReport(conversations=3, messages=460)
        assert without(await exported(store)) == without(data)


async def test_a_conversation_that_grew_is_continued() -> None:
    async with memory_store() as source, empty_store() as target:
        conversation = await talk(source, 1, ["a", "b"])
        await imported(target, await exported(source))
        await source.append(draft(conversation, 9, body="c"))
        report = await imported(target, await exported(source))
        assert (report.new_conversations, report.new_messages) == (0, 1)
        bodies = [m.body for m in await target.history(conversation)]
        assert bodies == ["a", "b", "c"]
        row = await target.find_conversation(conversation)
        assert row == await source.find_conversation(conversation)


async def test_what_went_on_differently_is_told_and_never_mixed() -> None:
    async with memory_store() as source, empty_store() as target:
        conversation = await talk(source, 1, ["a", "b"])
        other = await talk(source, 2, ["x"])
        await imported(target, await exported(source))
        await source.append(draft(conversation, 8, body="there"))
        await target.append(draft(conversation, 9, body="here"))
        report = await imported(target, await exported(source))
        (fault,) = report.faults
        assert fault.line == 7
        assert fault.text.startswith("another message is here at this seq; the rest")
        assert (report.left_out, report.new_messages) == (1, 0)
        bodies = [m.body for m in await target.history(conversation)]
        assert bodies == ["a", "b", "here"]
        assert [m.body for m in await target.history(other)] == ["x"]


async def test_what_was_erased_here_stays_erased_and_agrees() -> None:
    async with memory_store() as source, empty_store() as target:
        conversation = await talk(source, 1, ["a", "b"])
        data = await exported(source)
        await imported(target, data)
        await target.erase_conversation(conversation)
        await source.append(draft(conversation, 9))
        report = await imported(target, await exported(source))
        assert (report.fault_count, report.new_messages) == (0, 1)
        kinds = [m.kind for m in await target.history(conversation)]
        assert kinds == [MessageKind.ERASED, MessageKind.ERASED, MessageKind.TEXT]
        await source.erase_conversation(conversation)
        assert (await imported(target, await exported(source))).fault_count == 0


async def test_a_mended_file_continues_where_the_broken_one_ended() -> None:
    whole = await archive()
    lines = whole.splitlines(keepends=True)
    broken = b"".join([*lines[:200], b"{\n", *lines[201:]])
    async with empty_store() as store:
        report = await imported(store, broken)
        assert [fault.line for fault in report.faults] == [201, 202, len(lines)]
        assert report.left_out > 200
        assert report.new_messages == 459 - report.left_out
        assert (await store.audit()).is_sound
        report = await imported(store, whole)
        assert report.fault_count == 0
        assert without(await exported(store)) == without(whole)


# -- hostile archives -----------------------------------------------------------------


def changed(whole: bytes, place: int, /, **fields: Any) -> bytes:
    """Return an archive in which one record has other fields."""
    lines = whole.splitlines()
    lines[place] = json.dumps(json.loads(lines[place]) | fields).encode()
    return b"\n".join(lines) + b"\n"


def inserted(data: bytes, place: int, line: bytes) -> bytes:
    lines = data.splitlines()
    return b"\n".join([*lines[:place], line, *lines[place:]]) + b"\n"


def dropped(data: bytes, place: int) -> bytes:
    lines = data.splitlines()
    return b"\n".join([*lines[:place], *lines[place + 1 :]]) + b"\n"


def deep(levels: int) -> Any:
    value: Any = None
    for _ in range(levels):
        value = {"a": value}
    return value


async def small() -> bytes:
    """Return an archive: header, site, person, conversation, 4 messages, …, end."""
    async with memory_store() as store:
        await talk(store, 1, ["a", "b", "c", "d"])
        await talk(store, 2, ["x"])
        return await exported(store)


M2, CONVERSATION = 5, 3
HOSTILE: dict[str, tuple[Callable[[bytes], bytes], int, int | None]] = {
    # name: what is done to the small archive, faults at least, messages that go in
    "a huge line": (lambda d: inserted(d, M2, b'"' + b"a" * 3_000_000), 1, 5),
    "a huge text": (lambda d: changed(d, M2, body="a" * 100_000), 1, 2),
    "deep nesting": (lambda d: changed(d, M2, data=deep(17)), 1, 2),
    "bottomless nesting": (lambda d: inserted(d, M2, b"[" * 200_000), 1, 5),
    "a wrong type": (lambda d: changed(d, M2, seq="2"), 1, 2),
    "data that is a list": (lambda d: changed(d, M2, data=[1]), 1, 2),
    "a hole": (lambda d: dropped(d, M2), 1, 2),
    "a seq twice": (lambda d: inserted(d, M2, d.splitlines()[M2 - 1]), 1, 5),
    "seq zero": (lambda d: changed(d, M2, seq=0), 1, 2),
    "a negative id": (lambda d: changed(d, CONVERSATION, id=-5), 1, 1),
    "an id beyond 53 bits": (lambda d: changed(d, CONVERSATION, id=2**53), 1, 1),
    "an id beyond 64 bits": (lambda d: changed(d, CONVERSATION, id=2**80), 1, 1),
    "a NUL": (lambda d: changed(d, M2, body="a\0b"), 1, 2),
    "a NUL in data": (lambda d: changed(d, M2, data={"\0": 1}), 1, 2),
    "half a surrogate pair": (lambda d: changed(d, M2, body="\ud800"), 1, 2),
    "bytes that are no text": (lambda d: d.replace(b'"b"', b'"\xff\xfe"'), 1, 2),
    "an unknown kind": (lambda d: changed(d, M2, kind="dance"), 1, 2),
    "a placeholder": (lambda d: changed(d, M2, kind="placeholder"), 1, 2),
    "an unknown record": (lambda d: inserted(d, M2, b'{"t":"exec"}'), 1, 5),
    "a second header": (lambda d: inserted(d, M2, d.splitlines()[0]), 1, 5),
    "a key twice": (lambda d: changed(d, M2, key="t0"), 1, 2),
    "an empty key": (lambda d: changed(d, M2, key=""), 1, 2),
    "time running backwards": (lambda d: changed(d, M2, at=1), 1, 2),
    "a time to come": (lambda d: changed(d, M2, at=NOW + 10**9), 1, 2),
    "another visitor": (lambda d: changed(d, M2, sender="v2"), 1, 2),
    "no participant": (lambda d: changed(d, M2, sender="root"), 1, 2),
    "no visitor": (lambda d: changed(d, CONVERSATION, visitor="a7"), 1, 1),
    "a site that is not there": (lambda d: changed(d, CONVERSATION, site=9), 1, 1),
    "erased with content": (
        lambda d: changed(d, M2, kind="erased", data={"was": "text"}),
        *(1, 2),
    ),
    "a name like a path": (lambda d: changed(d, 1, name="../../etc/passwd"), 0, 5),
    "a key like a path": (lambda d: changed(d, 1, embed_key="../x"), 1, 0),
    "a cut": (lambda d: d[: len(d) // 2], 1, None),
    "CRLF": (lambda d: d.replace(b"\n", b"\r\n"), 0, 5),
    "a byte order mark": (lambda d: b"\xef\xbb\xbf" + d, 0, 5),
    "blank lines": (lambda d: d.replace(b"\n", b"\n\n"), 0, 5),
    "no end": (lambda d: dropped(d, len(d.splitlines()) - 1), 1, 5),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_archive_is_told_by_line_and_does_no_harm(name: str) -> None:
    spoil, faults, messages = HOSTILE[name]
    data = spoil(await small())
    async with empty_store() as store:
        report = await imported(store, data)
        assert report.fault_count >= faults
        assert (report.fault_count == 0) is (faults == 0)
        assert all(1 <= f.line <= data.count(b"\n") + 2 for f in report.faults)
        if messages is not None:
            assert report.new_messages == messages
        found = await store.audit()
        assert found.is_sound, found.faults
        assert found.messages == report.new_messages
        again = await imported(store, data)
        assert (again.new_messages, again.new_conversations) == (0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"PK\x03\x04 a zip",
        b"\x1f\x8b\x08\x00 a gzip bomb",
        b"SQLite format 3\x00",
        b'{"t":"header","format":"other","version":1,"epoch":"","at":0}\n',
        b'{"t":"header","format":"kefu-archive","version":2,"epoch":"","at":0}\n',
        b'{"t":"end","conversations":0,"messages":0}\n',
        b"[" * 3_000_000,
    ],
)
async def test_what_is_no_archive_of_ours_is_refused_whole(data: bytes) -> None:
    async with empty_store() as store:
        with pytest.raises(Invalid, match=r"[Aa]rchive"):
            await imported(store, data)
        assert await store.sites() == []


async def test_a_thousand_faults_are_counted_and_a_hundred_told() -> None:
    header = (await small()).splitlines()[0]
    async with empty_store() as store:
        report = await imported(store, header + b"\n" + b"{\n" * 1_000)
    assert (report.fault_count, len(report.faults)) == (1_001, 100)


async def test_the_page_shows_an_archive_that_goes_in_and_names_every_field() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/archive.md").read_text("utf-8")
    (block,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    async with empty_store() as store:
        report = await imported(store, block.encode())
        assert report == ImportReport(
            conversations=1, messages=2, new_conversations=1, new_messages=2
        )
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.MULTILINE))
    for record in get_args(Record):
        named = re.findall(r"`(\w+)`", rows[record.__struct_config__.tag])
        assert set(record.__struct_fields__) <= set(named)


# -- in a database --------------------------------------------------------------------


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_it_goes_into_every_database_and_is_found_there(
    database_url: str, anyio_backend: str
) -> None:
    data = await archive()
    async with SqlStore(database_url, now=time.monotonic, now_ms=Clock()) as store:
        report = await imported(store, data)
        assert report == ImportReport(
            conversations=3, messages=460, new_conversations=3, new_messages=460
        )
        assert without(await exported(store)) == without(data)
        assert (await store.audit()).is_sound
        found = await store.search(SearchQuery(text="明天发货"))
        assert [hit.message.seq for hit in found.hits] == [3]
        again = await imported(store, data)
        assert again == ImportReport(conversations=3, messages=460)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_beside_a_server_that_writes_nothing_is_mixed(
    tmp_path: Path, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_BATCH", 10)
    data = await archive()
    url = f"sqlite+aiosqlite:///{tmp_path / 'kefu.db'}"
    async with (
        SqlStore(url, now=time.monotonic, now_ms=Clock()) as server,
        SqlStore(url, now=time.monotonic, now_ms=Clock()) as command,
    ):
        # The beginning of a log is there, and its visitor goes on writing.
        await imported(server, b"".join(data.splitlines(keepends=True)[:60]))
        (row,) = await server.find_conversations(ConversationFilter())
        is_over = False

        async def write() -> None:
            number = 0
            while not is_over:
                number += 1
                await server.append(draft(row.id, body="live", key=f"live {number}"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            report = await imported(command, data)
            is_over = True
        assert report.new_conversations == 2
        assert (await server.audit()).is_sound
        log = await server.history(row.id, limit=10_000)
        bodies = [message.body for message in log]
        live = bodies.index("live")
        assert live >= row.last_seq
        assert set(bodies[live:]) == {"live"}
