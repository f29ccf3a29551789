"""Exports: complete, bounded, and nothing in them acts."""

import csv
import io
import json
import tracemalloc
from contextlib import aclosing
from datetime import UTC, tzinfo
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Store
from kefu_core.errors import NotFound
from kefu_core.ids import SYSTEM
from kefu_core.model import MessageKind
from kefu_core.testing.stores import Clock, draft
from kefu_core.types import ConversationId, UnixMs
from kefu_core.upkeep.csv_table import COLUMNS, local_time, safe_cell
from kefu_core.upkeep.export import ExportFormat, Selection, export
from tests.core.upkeep.world import (
    ANA_ID,
    SHOP,
    everything,
    guest,
    memory_store,
    talk,
)

pytestmark = pytest.mark.anyio
SHANGHAI = ZoneInfo("Asia/Shanghai")
ALL = ConversationFilter()
NOW = 1_790_000_000_000


async def exported(
    store: Store,
    format: ExportFormat,
    selection: Selection = ALL,
    tz: tzinfo = SHANGHAI,
    **more: Any,
) -> bytes:
    chunks = export(store, selection, format, tz, now_ms=lambda: NOW, **more)
    async with aclosing(chunks):
        return b"".join([chunk async for chunk in chunks])


def records(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.decode().splitlines()]


# -- archives -------------------------------------------------------------------------


async def test_an_archive_has_everything_in_the_order_in_which_it_is_needed() -> None:
    async with memory_store() as store:
        conversation = await everything(store)
        log = await store.history(conversation)
        found = records(await exported(store, ExportFormat.JSONL))
    assert [record["t"] for record in found] == [
        *("header", "site", "person", "conversation", "person"),
        *["message"] * 8,
        *("cursor", "end"),
    ]
    assert found[0] == {
        "t": "header",
        "format": "kefu-archive",
        "version": 1,
        "epoch": "memory",
        "at": NOW,
    }
    assert found[1]["embed_key"] == "tea"
    assert [found[2]["id"], found[4]["id"]] == ["v1", "a7"]
    assert found[3] == {
        "t": "conversation",
        "id": conversation,
        "site": 1,
        "visitor": "v1",
        "opened_at": log[0].at,
        "last_seq": 8,
    }
    for message, record in zip(log, found[5:13], strict=True):
        assert record == {
            "t": "message",
            "conversation": conversation,
            "seq": message.seq,
            "sender": message.sender,
            "key": message.key,
            "kind": message.kind.value,
            "body": message.body,
            "at": message.at,
            **({"data": message.data} if message.data is not None else {}),
            **({"ref": message.ref} if message.ref is not None else {}),
        }
    assert found[13]["read"] == 7
    assert found[14] == {"t": "end", "conversations": 1, "messages": 8}


async def test_a_selection_is_one_conversation_or_a_filter() -> None:
    async with memory_store() as store:
        ids = [await talk(store, n, ["a", "b"]) for n in (1, 2, 3)]
        one = records(await exported(store, ExportFormat.JSONL, ids[1]))
        some = records(
            await exported(
                store, ExportFormat.JSONL, ConversationFilter(visitors=(guest(3).id,))
            )
        )
        none = records(
            await exported(store, ExportFormat.JSONL, ConversationFilter(site_id=9))
        )
        with pytest.raises(NotFound):
            await exported(store, ExportFormat.JSONL, ConversationId(5))
    assert {r["conversation"] for r in one if r["t"] == "message"} == {ids[1]}
    assert {r["conversation"] for r in some if r["t"] == "message"} == {ids[2]}
    assert [r["t"] for r in none] == ["header", "end"]


async def test_what_is_written_during_an_export_is_left_for_the_next_one() -> None:
    async with memory_store() as store:
        first = await talk(store, 1, ["a"] * 900)
        chunks = export(store, ALL, ExportFormat.JSONL, UTC, now_ms=lambda: NOW)
        async with aclosing(chunks):
            data = await anext(chunks)
            await store.append(draft(first, key="late"))
            async for chunk in chunks:
                data += chunk
    found = records(data)
    messages = [r for r in found if r["t"] == "message"]
    assert len(messages) == 900
    assert found[-1] == {"t": "end", "conversations": 1, "messages": 900}


async def test_memory_does_not_grow_with_what_is_exported() -> None:
    async def peak(store: Store, format: ExportFormat) -> tuple[int, int]:
        size = 0
        tracemalloc.start()
        chunks = export(store, ALL, format, UTC, now_ms=lambda: NOW)
        async with aclosing(chunks):
            async for chunk in chunks:
                size += len(chunk)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size, most

    async with memory_store() as store:
        for number in range(1, 21):
            await talk(store, number, ["长" * 400] * 400)
        for format in ExportFormat:
            size, most = await peak(store, format)
            assert size > 8_000_000
            assert most < 3_000_000


async def test_progress_counts_conversations_and_messages() -> None:
    told: list[tuple[int, int]] = []
    async with memory_store() as store:
        for number in (1, 2):
            await talk(store, number, ["a"] * 700)
        await exported(
            store,
            ExportFormat.CSV,
            on_progress=lambda *counts: told.append(counts),
        )
    assert told == [(0, 500), (0, 700), (1, 700), (1, 1200), (1, 1400), (2, 1400)]


# -- tables ---------------------------------------------------------------------------


async def test_a_table_opens_right_in_a_chinese_excel() -> None:
    async with memory_store() as store:
        conversation = await everything(store)
        data = await exported(store, ExportFormat.CSV)
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.replace(b"\r\n", b"").count(b"\r") == 0
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert rows[0] == list(COLUMNS)
    assert len(rows) == 9
    assert rows[3] == [
        f"#{conversation}",
        *("茶馆", "访客1", "3"),
        *local_time(UnixMs(Clock().ms), SHANGHAI),
        *("a7", "安娜", "agent", "text", "明天发货,\n后天到。"),
        *('{"page":["a",1,null]}', "1"),
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＠"])
async def test_no_cell_is_a_formula(start: str) -> None:
    hostile = start + "cmd|' /C calc'!A0"
    async with memory_store() as store:
        await store.open_conversation(1, guest(9, hostile))
        await talk(store, 9, [hostile, "a" + hostile])
        data = await exported(store, ExportFormat.CSV)
    for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")):
        for cell in row:
            assert not cell.startswith(start)
    assert safe_cell("a=b") == "a=b"


def test_times_are_local_and_say_how_far_from_utc() -> None:
    at = UnixMs(1_700_000_000_000)
    assert local_time(at, SHANGHAI) == ("2023-11-15 06:13:20", "UTC+08:00")
    assert local_time(at, UTC) == ("2023-11-14 22:13:20", "UTC+00:00")
    half = ZoneInfo("America/St_Johns")
    assert local_time(at, half) == ("2023-11-14 18:43:20", "UTC-03:30")
    assert local_time(UnixMs(2**60), UTC) == (str(2**60), "")


# -- pages ----------------------------------------------------------------------------


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_a_page_shows_everything_and_runs_nothing() -> None:
    hostile = '</p><script>alert(1)</script><img src=x onerror="x">&amp;\u202etxt'
    async with memory_store() as store:
        await everything(store)
        await store.open_conversation(1, guest(2, hostile[:90]))
        await talk(store, 2, [hostile])
        page = (await exported(store, ExportFormat.HTML)).decode()
    reader = _Reader()
    reader.feed(page)
    assert reader.open == []
    assert reader.tags <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "small"),
        *("p", "article", "strong", "time", "em", "bdi"),
    }
    assert reader.attributes <= {
        *("lang", "charset", "http-equiv", "content", "name", "id", "class"),
        *("dir", "title"),
    }
    assert hostile in reader.text
    for text in (
        "请问这件几天能到?😀",
        "VIP 客户",
        "内部备注",
        "退货",
        "已分配给",
        "安娜",
    ):
        assert text in reader.text
    assert "default-src 'none'" in page


async def test_a_page_speaks_english_where_that_is_asked_for() -> None:
    async with memory_store() as store:
        await everything(store)
        page = (await exported(store, ExportFormat.HTML, language="en")).decode()
    assert '<html lang="en">' in page
    for text in ("internal note", "Assigned to", "Labels:", "1 conversations"):
        assert text in page


async def test_a_page_names_the_agent_whom_the_system_quotes() -> None:
    async with memory_store() as store:
        row = await store.open_conversation(SHOP.id, guest(1))
        data = {"about": "invitation", "agent": ANA_ID}
        await store.append(
            draft(
                row.id,
                sender=SYSTEM,
                kind=MessageKind.AUTO,
                body="<b>Tea</b>?",
                data=data,
            )
        )
        page = (await exported(store, ExportFormat.HTML)).decode()
        assert "<bdi>安娜</bdi>: <bdi>&lt;b&gt;Tea&lt;/b&gt;?</bdi>" in page
        archive = (await exported(store, ExportFormat.JSONL)).decode()
        assert '"id":"a7","name":"安娜"' in archive
