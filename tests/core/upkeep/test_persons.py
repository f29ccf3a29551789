"""What is known of visitors is in an archive, and comes back where nothing is known."""

from typing import Any

import msgspec
import pytest

from kefu_core.errors import Invalid
from kefu_core.records import VisitorProfile
from kefu_core.upkeep.persons import check_facts
from kefu_core.upkeep.records import PersonRecord
from tests.core.upkeep.test_importing import exported, imported
from tests.core.upkeep.world import memory_store, talk

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
