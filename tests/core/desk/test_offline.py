"""Left messages: what is kept, once, and what is refused with a reason."""

import msgspec
import pytest

from kefu_core.client import Rejected
from kefu_core.desk.offline import check_email, plain_page
from kefu_core.errors import Invalid
from kefu_core.model import Agent
from kefu_core.node import unix_ms
from kefu_core.protocol import frames as f
from kefu_core.records import AgentPresence, AgentStatus, OfflineMessage
from kefu_core.types import ParticipantId, UnixMs
from tests.core.desk.world import LIMITS, World, eventually, world

pytestmark = pytest.mark.anyio

LEAVE = {
    "key": "key-0001",
    "body": "你们几点上班？",
    "name": "李雷",
    "email": "li@example.cn",
    "page": "https://shop.example/tea?token=secret#top",
}


def open_rows(w: World) -> list[int]:
    return sorted(w.hub.lists.topic("offline").rows)


async def test_a_message_that_is_left_is_listed_with_what_was_said() -> None:
    async with world() as w, w.client("v1") as visitor, w.client("a1") as agent:
        left = await visitor.call("offline.leave", LEAVE)
        (row,) = (await agent.call("offline.list"))["rows"]
        assert row["id"] == left["id"]
        assert (row["body"], row["name"]) == ("你们几点上班？", "李雷")
        assert (row["site_id"], row["visitor"], row["status"]) == (1, "v1", "open")
        # What a shop keeps in its URLs is its own.
        assert row["page"] == "https://shop.example/tea"
        assert open_rows(w) == [left["id"]]


async def test_leaving_it_again_leaves_it_once_and_costs_nothing() -> None:
    limits = msgspec.structs.replace(LIMITS, left_messages_per_h=1)
    async with world(limits) as w:
        wire = await w.live("v1")
        leave = f.Call(id="i", method="offline.leave", params=LEAVE)
        first, *others = await wire.answers(leave, leave, leave)
        assert isinstance(first, f.Reply)
        assert others == [first, first]
        assert len(await w.store.list_records(OfflineMessage)) == 1
        other = msgspec.structs.replace(leave, params={**LEAVE, "key": "key-0002"})
        (refused,) = await wire.answers(other)
        assert (refused.code, refused.retry) == ("rate_limited", "same")
        wire.cut()


async def test_a_key_of_something_else_is_a_conflict() -> None:
    async with world() as w, w.client("v1") as visitor, w.client("v2") as other:
        await visitor.call("offline.leave", LEAVE)
        with pytest.raises(Rejected):
            await visitor.call("offline.leave", {**LEAVE, "body": "another"})
        # Another visitor's keys are its own.
        await other.call("offline.leave", {**LEAVE, "body": "another"})
        assert len(await w.store.list_records(OfflineMessage)) == 2


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"body": " \n"}, "empty"),
        ({"body": "x" * 5_001}, "at most 5000"),
        ({"body": "a\0b"}, "NUL"),
        ({"name": "x" * 101}, "100"),
        ({"name": "a\nBcc: everybody@example.com"}, "line break"),
        ({"name": "a\u2028b"}, "line break"),
        ({"email": "a@b.example\r\nBcc: c@d.example"}, "e-mail"),
        ({"email": "not an address"}, "e-mail"),
        ({"email": "a@b.example, c@d.example"}, "e-mail"),
        ({"email": "<a@b.example>"}, "e-mail"),
        ({"email": "a@localhost"}, "e-mail"),
        ({"email": "", "phone": ""}, "needed to answer"),
        ({"phone": "call me"}, "telephone"),
        ({"key": "short"}, "key"),
        ({"key": "k" * 65}, "key"),
        ({"language": "../../etc"}, "language"),
        ({"site_id": 2}, "site_id"),
        ({"page": "x" * 1_001}, "1000"),
    ],
)
async def test_what_cannot_be_kept_is_refused_with_a_reason(
    changed: dict[str, str], why: str
) -> None:
    async with world() as w, w.client("v1") as visitor:
        with pytest.raises(Rejected, match=why):
            await visitor.call("offline.leave", {**LEAVE, **changed})
        assert await w.store.list_records(OfflineMessage) == []


@pytest.mark.parametrize("page", ["javascript:alert(1)", "data:,x", "https://[", "/x"])
def test_a_page_that_is_none_is_left_out(page: str) -> None:
    assert plain_page(page) == ""


@pytest.mark.parametrize(
    "text", ["a@b.example", "o'brien+tea@sub.example.co.uk", "x_y-z@1.example"]
)
def test_addresses_that_mail_can_be_sent_to_are_taken(text: str) -> None:
    assert check_email(text) == text


@pytest.mark.parametrize("text", ["a@-b.example", ".a@b.cn", "a..b@c.cn", "a@b..cn"])
def test_other_addresses_are_not(text: str) -> None:
    with pytest.raises(Invalid):
        check_email(text)


async def test_handling_and_reopening_move_it_between_the_lists() -> None:
    async with world() as w, w.client("v1") as visitor, w.client("a1") as agent:
        number = (await visitor.call("offline.leave", LEAVE))["id"]
        handled = await agent.call("offline.handle", {"message": number})
        assert handled["message"]["agent"] == "a1"
        assert open_rows(w) == []
        # The second agent is told who was first.
        async with w.client("a2") as second:
            again = await second.call("offline.handle", {"message": number})
            assert again["message"] == handled["message"]
        (row,) = (await agent.call("offline.list", {"status": "handled"}))["rows"]
        assert row == handled["message"]
        reopened = await agent.call("offline.reopen", {"message": number})
        assert (reopened["message"]["status"], reopened["message"]["agent"]) == (
            "open",
            None,
        )
        assert open_rows(w) == [number]


async def test_the_list_is_read_page_by_page_and_by_site() -> None:
    async with world() as w, w.client("a1") as agent:
        for number in range(1, 8):
            await w.store.put_records(
                OfflineMessage(
                    id=number, site_id=number % 2 + 1, visitor="v1", key=f"key{number}"
                )
            )
        seen: list[int] = []
        before: dict[str, int] = {}
        while rows := (await agent.call("offline.list", {"limit": 3, **before}))[
            "rows"
        ]:
            seen += [row["id"] for row in rows]
            before = {"before": seen[-1]}
        assert seen == [7, 6, 5, 4, 3, 2, 1]
        rows = (await agent.call("offline.list", {"site": 2}))["rows"]
        assert [row["id"] for row in rows] == [7, 5, 3, 1]


async def test_what_another_node_did_is_seen_at_the_next_look() -> None:
    async with world() as w, w.client("v1") as visitor:
        number = (await visitor.call("offline.leave", LEAVE))["id"]
        await w.store.delete_records(OfflineMessage, [number])
        await w.store.put_records(OfflineMessage(id=5, site_id=1, visitor="v2"))
        await w.desk.left.load()
        assert open_rows(w) == [5]


async def test_a_site_is_staffed_while_an_agent_who_may_serve_it_is_connected() -> None:
    async def only_the_second_site(store) -> None:  # type: ignore[no-untyped-def]
        agent = await store.find_agent(agent_id=1)
        await store.put_agent(msgspec.structs.replace(agent, sites=(2,)))

    async with world(before=only_the_second_site) as w:
        visitor = await w.live("v1")
        await visitor.send(f.Watch(topic="staffed.1"))
        snapshot = await visitor.until(f.Snapshot)
        assert snapshot.rows == [{"id": 1, "staffed": False}]
        assert not await w.desk.staffing.is_staffed(2)
        served = await w.live("a1")
        assert await w.desk.staffing.is_staffed(2)
        assert not await w.desk.staffing.is_staffed(1)
        other = await w.live("a2")
        event = await visitor.until(f.Event)
        assert event.put == {"id": 1, "staffed": True}
        served.cut()
        other.cut()
        agents = (ParticipantId("a1"), ParticipantId("a2"))
        await eventually(lambda: not any(map(w.hub.connections_of, agents)))
        assert not await w.desk.staffing.is_staffed(1)
        visitor.cut()


async def test_an_agent_on_another_node_is_there_by_its_lease_unless_away() -> None:
    async with world() as w:

        async def is_staffed(presence: AgentPresence) -> bool:
            await w.store.put_records(presence)
            w.at_s += 60
            return await w.desk.staffing.is_staffed(1)

        until = UnixMs(unix_ms() + 60_000)
        away = AgentPresence(id=1, status=AgentStatus.AWAY, lease_until=until)
        assert await is_staffed(AgentPresence(id=1, lease_until=until))
        assert not await is_staffed(away)
        assert not await is_staffed(AgentPresence(id=1, lease_until=UnixMs(1)))
        wire = await w.live("a1")
        assert await is_staffed(AgentPresence(id=1, lease_until=UnixMs(1)))
        assert not await is_staffed(away)
        wire.cut()


def test_an_account_without_sites_serves_all_of_them() -> None:
    assert Agent(id=1, login="a", name="a", password_hash="h").sites is None
