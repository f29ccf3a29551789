"""Who did what is written by one module, and never changed."""

import re
from pathlib import Path

import pytest

from kefu_core.desk.journal import Journal
from kefu_core.ids import IdGenerator
from kefu_core.node import monotonic, unix_ms
from kefu_core.records import AuditEntry
from kefu_core.store.memory import MemoryStore
from tests.core.desk.world import PRINCIPALS, world

ROOT = Path(__file__).parents[3]


def test_only_the_journal_makes_entries() -> None:
    makers = {
        str(path.relative_to(ROOT))
        for folder in ("kefu_core", "kefu_server")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"(?<!class )\bAuditEntry\(", path.read_text("utf-8"))
    }
    assert makers == {"kefu_core/desk/journal.py"}


@pytest.mark.anyio
async def test_an_entry_says_when_who_what_and_from_where() -> None:
    store = MemoryStore(now=monotonic, now_ms=unix_ms)
    journal = Journal(store, IdGenerator(unix_ms), lambda: 5)
    await journal.write("a7", "x", "y" * 300, {"n": 1}, address="192.0.2.1")
    (entry,) = await store.list_records(AuditEntry)
    assert (entry.at, entry.who, entry.action, entry.target, entry.data) == (
        5,
        "a7",
        "x",
        "y" * 200,
        {"n": 1},
    )
    assert entry.address == "192.0.2.1"


@pytest.mark.anyio
async def test_admins_read_it_by_person_and_by_what_was_done() -> None:
    async with world() as w:
        for who, action in (("a1", "x"), ("cli", "x"), ("", "login.refused")):
            await w.desk.journal.write(who, action, address="192.0.2.1")
        for asked, expected in (
            ({"who": "cli"}, [("cli", "x")]),
            ({"who": ""}, [("", "login.refused")]),
            ({"action": "x"}, [("cli", "x"), ("a1", "x")]),
        ):
            answer = await w.desk.call(PRINCIPALS["a2"], "audit.list", asked)
            rows = answer["rows"]
            assert [(row["who"], row["action"]) for row in rows] == expected
            assert {row["address"] for row in rows} == {"192.0.2.1"}
