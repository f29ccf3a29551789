"""Who a visitor is: seen by agents of its site, and never overwritten unseen."""

from typing import Any

import pytest

from kefu_core.client import Rejected
from kefu_core.desk.profiles import TOLD_MAX, Profiles
from kefu_core.hub.lists import WatchedList
from kefu_core.protocol import frames as f
from kefu_core.records import VisitorProfile
from kefu_core.types import ParticipantId
from tests.core.desk.world import eventually, world

pytestmark = pytest.mark.anyio

LIN = {
    "name": " 林晓 ",
    "email": "lin@example.cn",
    "phone": "+86 138 0013 8000",
    "notes": "VIP\r\n<b>calls back</b>",
}


async def test_what_an_agent_writes_is_kept_shown_in_lists_and_told_to_others() -> None:
    async with world() as w, w.client("a1") as agent:
        conversation = await w.conversation()
        await w.say(conversation, "v1", "hello")
        wire = await w.live("a2")
        await wire.send(f.Watch(topic="profiles"))
        await wire.until(f.Snapshot)
        known = await agent.call("visitor.get", {"visitor": 1})
        before = known["visitor"]
        assert [row["id"] for row in known["conversations"]] == [conversation]
        params = {"visitor": 1, "revision": before["revision"], **LIN}
        after = (await agent.call("visitor.put", params))["visitor"]
        assert after == before | {
            "name": "林晓",
            "email": "lin@example.cn",
            "phone": "+86 138 0013 8000",
            "notes": "VIP\n<b>calls back</b>",
            "revision": before["revision"] + 1,
        }
        assert (await agent.call("visitor.get", {"visitor": 1}))["visitor"] == after
        assert w.rows[conversation]["visitor_name"] == "林晓"
        event = await wire.until(f.Event)
        told = {"id": 1, "site_id": 1, "revision": after["revision"], "told": 1}
        assert event.put == told
        # What changes nothing is not told, and costs no revision.
        same = {"visitor": 1, "revision": after["revision"], "name": "林晓"}
        assert (await agent.call("visitor.put", same))["visitor"] == after
        wire.cut()


async def test_of_two_who_change_the_same_the_second_is_refused() -> None:
    async with world() as w, w.client("a1") as one, w.client("a2") as other:
        await w.conversation()
        seen = (await one.call("visitor.get", {"visitor": 1}))["visitor"]["revision"]
        await one.call("visitor.put", {"visitor": 1, "revision": seen, "name": "one"})
        with pytest.raises(Rejected) as refused:
            await other.call(
                "visitor.put", {"visitor": 1, "revision": seen, "notes": "other"}
            )
        assert refused.value.wire_code == "conflict"
        now = (await other.call("visitor.get", {"visitor": 1}))["visitor"]
        assert (now["name"], now["notes"]) == ("one", "")
        # Whoever looks at what was erased cannot write it back.
        await w.store.forget_visitor(ParticipantId("v1"))
        with pytest.raises(Rejected):
            await one.call(
                "visitor.put", {"visitor": 1, "revision": now["revision"], "name": "x"}
            )


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"name": "x" * 101}, "100"),
        ({"name": "a\nb"}, "line break"),
        ({"email": "a@b"}, "e-mail"),
        ({"email": "a@b.example\r\nBcc: c@d.example"}, "line break"),
        ({"phone": "call me"}, "telephone"),
        ({"notes": "x" * 5_001}, "5000"),
        ({"notes": "a\0b"}, "NUL"),
        ({"attributes": {"plan": "free"}}, "attributes"),
        ({"is_verified": True}, "is_verified"),
        ({"site_id": 2}, "site_id"),
        ({"revision": -1}, "revision"),
    ],
)
async def test_what_cannot_be_kept_is_refused_with_a_reason(
    changed: dict[str, Any], why: str
) -> None:
    async with world() as w, w.client("a1") as agent:
        await w.conversation()
        with pytest.raises(Rejected, match=why):
            await agent.call("visitor.put", {"visitor": 1, "revision": 0, **changed})
        assert (await agent.call("visitor.get", {"visitor": 1}))["visitor"][
            "name"
        ] == ""


async def test_who_answers_for_another_site_hears_nothing_of_it() -> None:
    async with world() as w, w.client("a2") as admin:
        await w.conversation()
        await w.conversation("v5", 2)
        wire = await w.live("a3")
        await wire.send(f.Watch(topic="profiles"))
        await wire.until(f.Snapshot)
        for visitor in (1, 5):
            params = {"visitor": visitor, "revision": 0, "name": f"name {visitor}"}
            await admin.call("visitor.put", params)
        event = await wire.until(f.Event)
        assert event.put["id"] == 5
        hidden = f.Call(id="h", method="visitor.get", params={"visitor": 1})
        absent = f.Call(id="h", method="visitor.get", params={"visitor": 123})
        assert await wire.answers(hidden) == await wire.answers(absent)
        wire.cut()
        await eventually(lambda: w.hub.connection_count <= 1)


def test_the_list_holds_what_changed_last() -> None:
    topic, profiles = WatchedList("profiles"), Profiles()
    profiles.attach(topic)
    for number in [*range(1, TOLD_MAX + 1), 1, TOLD_MAX + 1]:
        profiles.changed(VisitorProfile(id=number, site_id=1))
    assert len(topic.rows) == TOLD_MAX
    assert 2 not in topic.rows
    assert {1, 3, TOLD_MAX + 1} <= set(topic.rows)
