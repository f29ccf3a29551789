"""Admins make and change sites; every change is written down, and no secret shows."""

from typing import Any

import pytest

from kefu_core.client import Rejected
from kefu_core.records import AuditEntry
from tests.core.desk.world import world

pytestmark = pytest.mark.anyio


async def test_a_site_is_made_changed_and_found_by_its_key() -> None:
    async with world() as w, w.client("a2") as admin:
        made = await admin.call(
            "site.put", {"name": "Tea", "allowed_origins": ["https://tea.example"]}
        )
        site = made["site"]
        assert (site["name"], site["locale"]) == ("Tea", "zh-CN")
        changed = await admin.call(
            "site.put", {"site": site["id"], "locale": "en", "retention_days": 30}
        )
        assert changed["site"] == {**site, "locale": "en", "retention_days": 30}
        stored = await w.store.find_site(site["embed_key"])
        assert stored is not None
        assert stored.allowed_origins == ("https://tea.example",)
        assert len((await admin.call("sites.list"))["sites"]) == 3


async def test_agents_see_names_and_nothing_else() -> None:
    async with world() as w, w.client("a1") as agent:
        sites = (await agent.call("sites.list"))["sites"]
        assert [site["name"] for site in sites] == ["shop 1", "shop 2"]
        assert {site["embed_key"] for site in sites} == {""}
        for method, params in (
            ("site.put", {"name": "x"}),
            ("site.secret", {"site": 1}),
        ):
            with pytest.raises(Rejected):
                await agent.call(method, params)


async def test_a_secret_is_made_once_shown_to_admins_and_replaced_on_demand() -> None:
    async with world() as w, w.client("a2") as admin:
        first = (await admin.call("site.secret", {"site": 1}))["secret"]
        assert len(first) > 40
        assert (await admin.call("site.secret", {"site": 1}))["secret"] == first
        put = await admin.call("site.put", {"site": 1, "new_secret": True})
        assert first not in str(put)
        second = (await admin.call("site.secret", {"site": 1}))["secret"]
        assert second != first
        entries = await w.store.list_records(AuditEntry, after=0)
        assert [entry.action for entry in entries] == [
            "site.secret",
            "site.secret",
            "site.put",
            "site.secret",
        ]
        assert first not in str(entries)
        assert entries[2].data == {"changed": ["secret"]}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "needs a name"),
        ({"name": " "}, "printable"),
        ({"name": "a\u202eb"}, "printable"),
        ({"name": "x" * 101}, "name"),
        ({"name": "x", "allowed_origins": ["https://x.example/"]}, "not an origin"),
        ({"name": "x", "locale": "de"}, "locale"),
        ({"name": "x", "retention_days": -1}, "retention_days"),
        ({"name": "x", "settings": {"moon": {}}}, "no settings 'moon'"),
        ({"name": "x", "settings": {"hours": 1}}, "hours"),
        ({"name": "x", "settings": {"hours": {"of_the_moon": 1}}}, "of_the_moon"),
        ({"name": "x", "settings": {"translation": {"language": "English"}}}, "tag"),
        ({"name": "x", "settings": {"translation": {"holds_s": 11}}}, "holds_s"),
        ({"name": "x", "settings": {"translation": {"chars_per_day": -1}}}, "per_day"),
        ({"name": "x", "settings": {"translation": {"warn_at": 2}}}, "warn_at"),
        ({"name": "x", "secret": "mine"}, "secret"),
        ({"name": "x", "embed_key": "mine"}, "embed_key"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    params: dict[str, Any], words: str
) -> None:
    async with world() as w, w.client("a2") as admin:
        with pytest.raises(Rejected, match=words):
            await admin.call("site.put", params)
        assert len(await w.store.sites()) == 2


async def test_a_site_that_is_not_there_is_not_found() -> None:
    async with world() as w, w.client("a2") as admin:
        for method in ("site.put", "site.secret"):
            with pytest.raises(Rejected) as refused:
                await admin.call(method, {"site": 999})
            assert refused.value.wire_code == "not_found"
