"""Agents say how texts are translated; every site has its own."""

from typing import Any

import pytest

from kefu_core.client import Rejected
from kefu_core.desk import glossary
from kefu_core.records import AuditEntry, GlossaryEntry
from tests.core.desk.world import world

pytestmark = pytest.mark.anyio
FREIGHT: dict[str, Any] = {
    "site": 1,
    "source": "pt-br",
    "target": "zh-cn",
    "text": " frete ",
    "translation": "运费",
}


async def test_a_correction_is_set_listed_changed_and_deleted() -> None:
    async with world() as w, w.client("a1") as agent:
        made = (await agent.call("glossary.set", FREIGHT))["entry"]
        assert (made["text"], made["source"], made["target"], made["agent"]) == (
            "frete",
            "pt-BR",
            "zh-CN",
            1,
        )
        again = await agent.call("glossary.set", {**FREIGHT, "translation": "邮费"})
        assert again["entry"]["id"] == made["id"]
        await agent.call("glossary.set", {**FREIGHT, "source": ""})
        rows = (await agent.call("glossary.list", {"site": 1}))["rows"]
        assert [row["translation"] for row in rows] == ["运费", "邮费"]
        page = {"site": 1, "before": rows[0]["id"], "limit": 1}
        assert (await agent.call("glossary.list", page))["rows"] == [rows[1]]
        await agent.call("glossary.delete", {"entry": made["id"]})
        assert len(await w.store.list_records(GlossaryEntry)) == 1
        written = await w.store.list_records(AuditEntry, after=0)
        actions = [entry.action for entry in written]
        assert actions.count("glossary.set") == 3
        assert actions.count("glossary.delete") == 1


async def test_admins_delete_everybodys_and_agents_their_own() -> None:
    async with world() as w, w.client("a2") as admin, w.client("a1") as agent:
        theirs = (await admin.call("glossary.set", FREIGHT))["entry"]["id"]
        rows = (await agent.call("glossary.list", {"site": 1}))["rows"]
        assert [row["may_delete"] for row in rows] == [False]
        with pytest.raises(Rejected) as refused:
            await agent.call("glossary.delete", {"entry": theirs})
        assert refused.value.wire_code == "not_found"
        own = (await agent.call("glossary.set", {**FREIGHT, "text": "oi"}))["entry"]
        await admin.call("glossary.delete", {"entry": own["id"]})
        await admin.call("glossary.delete", {"entry": theirs})
        assert await w.store.list_records(GlossaryEntry) == []


async def test_other_sites_are_nobodys_business() -> None:
    async with world() as w, w.client("a2") as admin, w.client("a3") as agent:
        made = (await admin.call("glossary.set", FREIGHT))["entry"]["id"]
        for method, params in (
            ("glossary.set", FREIGHT),
            ("glossary.list", {"site": 1}),
            ("glossary.list", {"site": 404}),
            ("glossary.delete", {"entry": made}),
        ):
            with pytest.raises(Rejected) as refused:
                await agent.call(method, params)
            assert refused.value.wire_code == "not_found"
        await agent.call("glossary.set", {**FREIGHT, "site": 2})
        rows = (await agent.call("glossary.list", {"site": 2}))["rows"]
        assert len(rows) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": "Chinese"}, "tag"),
        ({"source": "Portuguese"}, "tag"),
        ({"target": ""}, "target"),
        ({"target": "pt-PT"}, "the same"),
        ({"text": "  "}, "empty"),
        ({"translation": "\n"}, "empty"),
        ({"text": "a\0b"}, "NUL"),
        ({"text": "x" * 4_001}, "text"),
    ],
)
async def test_what_is_no_correction_is_told_so(
    changes: dict[str, Any], words: str
) -> None:
    async with world() as w, w.client("a1") as agent:
        with pytest.raises(Rejected, match=words):
            await agent.call("glossary.set", {**FREIGHT, **changes})
        assert await w.store.list_records(GlossaryEntry) == []


async def test_a_site_has_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glossary, "ENTRIES_MAX", 2)
    async with world() as w, w.client("a1") as agent:
        for text in ("um", "dois"):
            await agent.call("glossary.set", {**FREIGHT, "text": text})
        with pytest.raises(Rejected, match="2 corrections"):
            await agent.call("glossary.set", {**FREIGHT, "text": "três"})
        await agent.call("glossary.set", {**FREIGHT, "text": "um", "translation": "1"})
        await agent.call("glossary.set", {**FREIGHT, "site": 2})
        assert len(await w.store.list_records(GlossaryEntry)) == 3
