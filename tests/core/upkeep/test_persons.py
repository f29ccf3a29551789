"""What is known of visitors is in an archive, and comes back where nothing is known."""

from typing import Any

import msgspec
import pytest

from kefu_core.errors import Invalid
from kefu_core.records import Ban, BanKind, PageView, Visit, VisitorProfile
from kefu_core.types import ParticipantId, UnixMs
from kefu_core.upkeep.persons import check_facts
from kefu_core.upkeep.records import PersonRecord
from tests.core.upkeep.test_importing import exported, imported
from tests.core.upkeep.world import memory_store, talk

V1 = ParticipantId("v1")
pytestmark = pytest.mark.anyio


async def test_what_is_known_of_a_visitor_comes_back_where_nothing_is_known() -> None:
    async with memory_store() as source, memory_store() as target:
        await talk(source, 1, ["hello"])
        await talk(source, 2, ["hello"])
        facts: dict[str, Any] = {
            "email": "lin@example.cn",
            "phone": "123456",
            "notes": "VIP <b>",
            "attributes": {"plan": "pro", "orders": 3, "vip": True},
        }
        for number in (1, 2):
            profile = await source.find_record(VisitorProfile, number)
            assert profile is not None
            await source.put_records(msgspec.structs.replace(profile, **facts))
        # The second is known here, and was erased.
        await target.put_records(VisitorProfile(id=2, site_id=1, revision=1))
        data = await exported(source)
        assert (await imported(target, data)).new_conversations == 2
        known = await target.find_record(VisitorProfile, 1)
        assert known is not None
        assert {name: getattr(known, name) for name in facts} == facts
        erased = await target.find_record(VisitorProfile, 2)
        assert erased is not None
        assert (erased.email, erased.notes, erased.attributes) == ("", "", {})
        # What is changed here stays so when the archive comes again.
        changed = msgspec.structs.replace(known, email="", revision=known.revision + 1)
        await target.put_records(changed)
        await imported(target, data)
        assert await target.find_record(VisitorProfile, 1) == changed


async def test_visits_and_bans_are_in_an_archive_and_are_not_brought_back() -> None:
    async with memory_store() as source, memory_store() as target:
        for number in (1, 2):
            await talk(source, number, ["hello"])
        at = UnixMs(5)
        stays = [
            Visit(id=7, site_id=1, visitor=V1, started_at=at, last_seen_at=at),
            Visit(id=8, site_id=2, visitor=V1, started_at=at, last_seen_at=at),
        ]
        pages = [PageView(id=n, visit_id=n, url="https://x.cn/茶") for n in (7, 8)]
        bans = [
            Ban(id=n, kind=BanKind.VISITOR, value=V1, site_id=n, reason="rude <b>")
            for n in (1, 2)
        ]
        place = Ban(id=3, kind=BanKind.ADDRESS, value="203.0.113.5")
        await source.put_records(*stays, *pages, *bans, place)
        data = await exported(source)
        lines = [msgspec.json.decode(line) for line in data.splitlines()]
        (visit,) = [line for line in lines if line["t"] == "visit"]
        assert (visit["id"], visit["visitor"]) == (7, V1)
        assert [page["url"] for page in visit["pages"]] == ["https://x.cn/茶"]
        banned = {line["id"]: line.get("bans") for line in lines if "role" in line}
        assert banned["v1"] == [{"at": 0, "until": 0}]
        assert banned["v2"] is None
        assert b"rude" not in data
        assert b"203.0" not in data
        report = await imported(target, data)
        assert (report.new_conversations, report.fault_count) == (2, 0)
        assert await target.list_records(Visit) == []
        assert await target.list_records(Ban) == []


@pytest.mark.parametrize(
    "facts",
    [
        {"email": "x" * 321},
        {"notes": "a\0b"},
        {"phone": "\ud800"},
        {"attributes": {"x" * 101: 1}},
        {"attributes": {"a": 2**60}},
        {"attributes": {"a": float("inf")}},
        {"attributes": {f"{n}": n for n in range(101)}},
    ],
)
def test_what_cannot_be_known_of_a_visitor_is_refused(facts: dict[str, Any]) -> None:
    record = PersonRecord(id="v1", name="x", role="visitor", **facts)
    with pytest.raises(Invalid):
        check_facts(record)
