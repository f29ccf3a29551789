"""The methods of the desk, called through a real session."""

import anyio
import msgspec
import pytest

from kefu_core.abc.archive import ConversationFilter
from kefu_core.client import Rejected
from kefu_core.desk.access import RIGHTS
from kefu_core.desk.calls import CALLS
from kefu_core.model import ConversationStatus, MessageKind, Role
from kefu_core.protocol import frames as f
from kefu_core.types import ConversationId, Seq
from tests.core.desk.world import LIMITS, world

pytestmark = pytest.mark.anyio


async def test_opening_twice_gives_the_same_conversation() -> None:
    async with world() as w, w.client("v1") as visitor:
        first = await visitor.open_conversation()
        assert await visitor.open_conversation() == first
        sent = await visitor.send(first, "有人吗？")
        assert sent.seq == 1
        row = (await visitor.call("conversation.open"))["conversation"]
        assert (row["id"], row["last_seq"], row["last_line"]) == (first, 1, "有人吗？")


async def test_one_visitor_has_a_conversation_on_each_site() -> None:
    async with world() as w, w.client("v1") as here, w.client("v1@2") as there:
        first, second = await here.open_conversation(), await there.open_conversation()
        assert first != second
        with pytest.raises(Rejected):
            await there.fetch(first)


async def test_another_tab_hears_of_a_conversation_that_was_opened() -> None:
    async with world() as w, w.client("v1") as visitor:
        tab = await w.live("v1")
        opened = await visitor.open_conversation()
        head = await tab.until(f.Head)
        assert head == f.Head(conversation=ConversationId(opened), last_seq=Seq(0))
        tab.cut()


async def test_a_tab_on_another_site_hears_of_nothing() -> None:
    async with world() as w, w.client("v1") as visitor:
        tab = await w.live("v1@2")
        await visitor.open_conversation()
        await tab.send(f.Ping())
        await tab.until(f.Pong)
        assert not any(isinstance(frame, f.Head) for frame in tab.seen)


async def test_a_conversation_that_is_found_again_costs_nothing() -> None:
    limits = msgspec.structs.replace(LIMITS, new_conversations_per_h=1)
    async with world(limits) as w, w.client("v1") as visitor:
        for _ in range(5):
            await visitor.open_conversation()


async def test_new_conversations_of_one_visitor_are_limited() -> None:
    limits = msgspec.structs.replace(LIMITS, new_conversations_per_h=1)
    async with world(limits) as w:
        here, there = await w.live("v1"), await w.live("v1@2")
        await here.send(f.Call(id="1", method="conversation.open"))
        assert isinstance(await here.until(f.Reply, f.ErrorFrame), f.Reply)
        await there.send(f.Call(id="2", method="conversation.open"))
        refused = await there.until(f.Reply, f.ErrorFrame)
        assert refused.code == "rate_limited"
        assert 3_500 < refused.after_s <= 3_600
        here.cut()
        there.cut()


async def test_new_conversations_of_one_address_are_limited() -> None:
    limits = msgspec.structs.replace(LIMITS, new_conversations_per_address_h=1)
    async with world(limits) as w:
        for token, address, code in (
            ("v1", "192.0.2.1", None),
            ("v2", "192.0.2.1", "rate_limited"),
            ("v2", "192.0.2.2", None),
        ):
            wire = await w.live(token, address=address)
            await wire.send(f.Call(id="1", method="conversation.open"))
            answer = await wire.until(f.Reply, f.ErrorFrame)
            assert getattr(answer, "code", None) == code, (token, address)
            wire.cut()


async def test_a_conversation_is_taken_once_and_its_log_says_by_whom() -> None:
    async with world() as w, w.client("a1") as agent, w.client("a2") as other:
        conversation = await w.conversation()
        await w.say(conversation, "v1", "在吗")
        for _ in range(2):
            row = (
                await agent.call("conversation.take", {"conversation": conversation})
            )["conversation"]
            assert (row["status"], row["assignee"], row["last_seq"]) == (
                "active",
                "a1",
                2,
            )
        with pytest.raises(Rejected, match="Somebody else") as refused:
            await other.call("conversation.take", {"conversation": conversation})
        assert refused.value.wire_code == "conflict"
        page = await agent.fetch(conversation)
        assert page.messages[-1].kind is MessageKind.ASSIGNMENT
        assert page.messages[-1].data == {"assignee": "a1"}
        assert page.messages[-1].sender == "a1"


async def test_of_two_agents_who_take_at_once_one_is_told_yes() -> None:
    async with world() as w, w.client("a1") as agent, w.client("a2") as other:
        conversation = await w.conversation()
        answers: list[str] = []

        async def take(client: object) -> None:
            try:
                await client.call(  # type: ignore[attr-defined]
                    "conversation.take", {"conversation": conversation}
                )
                answers.append("yes")
            except Rejected as error:
                answers.append(error.wire_code)

        await agent.wait_live()
        await other.wait_live()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take, agent)
            tasks.start_soon(take, other)
        assert sorted(answers) == ["conflict", "yes"]
        row = await w.store.find_conversation(conversation)
        assert row is not None
        assert row.last_seq == 1


async def test_closing_again_changes_nothing_and_a_visitors_text_reopens() -> None:
    async with world() as w, w.client("a1") as agent, w.client("v1") as visitor:
        conversation = await visitor.open_conversation()
        for _ in range(2):
            row = (
                await agent.call("conversation.close", {"conversation": conversation})
            )["conversation"]
            assert (row["status"], row["last_seq"]) == ("closed", 1)
        await visitor.send(conversation, "还有一个问题")
        assert w.rows[conversation]["status"] == "queued"
        row = (await agent.call("conversation.take", {"conversation": conversation}))[
            "conversation"
        ]
        assert row["status"] == "active"


async def test_a_closed_conversation_may_be_taken_by_anybody() -> None:
    async with world() as w, w.client("a1") as agent, w.client("a2") as other:
        conversation = await w.conversation()
        await agent.call("conversation.take", {"conversation": conversation})
        await agent.call("conversation.close", {"conversation": conversation})
        row = (await other.call("conversation.take", {"conversation": conversation}))[
            "conversation"
        ]
        assert (row["status"], row["assignee"]) == ("active", "a2")
        stored = await w.store.find_conversation(conversation)
        assert stored is not None
        assert stored.status is ConversationStatus.ACTIVE


async def test_labels_replace_those_before_and_the_list_shows_them() -> None:
    async with world() as w, w.client("a1") as agent:
        conversation = await w.conversation()
        for labels, stored in (
            ([" vip ", "退款", "vip"], ["vip", "退款"]),
            (["退款"], ["退款"]),
            ([], []),
        ):
            params = {"conversation": conversation, "labels": labels}
            for _ in range(2):
                row = (await agent.call("conversation.label", params))["conversation"]
                assert row["labels"] == stored
            assert list(w.rows[conversation]["labels"]) == stored
            found = await w.store.find_conversations(ConversationFilter(label="退款"))
            assert len(found) == ("退款" in stored)
        log = await w.store.history(conversation)
        assert [message.kind for message in log] == [MessageKind.LABELS] * 3
        assert {message.sender for message in log} == {"a1"}


async def test_a_visitor_learns_its_own_name_and_those_its_conversation_shows() -> None:
    async with world() as w, w.client("v1") as visitor, w.client("a1") as agent:
        mine = await w.conversation("v1")
        await w.say(await w.conversation("v2"), "a1", "hello")
        await w.say(mine, "a1", "a note", MessageKind.NOTE)
        ids = {"ids": ["a1", "a2", "a9", "v2"]}
        assert (await visitor.call("people.get", ids))["people"] == []
        await w.say(mine, "a1", "hello")
        assigned = {"conversation": mine, "agent": 2}
        await agent.call("conversation.assign", assigned)
        ids = {"ids": ["v1", "v2", "a1", "a2", "a9", "s0", "a1"]}
        people = (await visitor.call("people.get", ids))["people"]
        assert people == [
            {"id": "v1", "name": "访客 1", "role": "visitor"},
            {"id": "a1", "name": "name of a1", "role": "agent"},
            {"id": "a2", "name": "name of a2", "role": "agent"},
        ]
        seen = (await agent.call("people.get", ids))["people"]
        assert [(p["id"], p["role"]) for p in seen] == [
            ("v1", "visitor"),
            ("v2", "visitor"),
            ("a1", "agent"),
            ("a2", "admin"),
        ]


async def test_agents_page_through_all_conversations() -> None:
    async with world() as w, w.client("a1") as agent:
        for number in range(7):
            await w.say(await w.conversation(f"v{number}"), f"v{number}", "hi")
        found: list[int] = []
        params: dict[str, object] = {"limit": 3}
        while rows := (await agent.call("conversations.list", params))["rows"]:
            found += [row["id"] for row in rows]
            assert all(row["unread"] == 1 for row in rows)
            last = rows[-1]
            params["before"] = {"last_at": last["last_at"], "id": last["id"]}
        assert len(found) == len(set(found)) == 7


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("conversation.take", {}),
        ("conversation.take", {"conversation": 0}),
        ("conversation.take", {"conversation": "1"}),
        ("conversation.take", {"conversation": -1}),
        ("conversation.take", {"conversation": 1, "assignee": "a2"}),
        ("conversation.close", {"conversation": None}),
        ("conversation.label", {"conversation": 1}),
        ("conversation.label", {"conversation": 1, "labels": ["a", " "]}),
        ("conversation.label", {"conversation": 1, "labels": ["x" * 41]}),
        ("conversation.label", {"conversation": 1, "labels": ["x"] * 21}),
        ("conversation.label", {"conversation": 1, "labels": ["a\0"]}),
        ("people.get", {"ids": "a1"}),
        ("people.get", {"ids": ["x"]}),
        ("people.get", {"ids": ["a1\0"]}),
        ("people.get", {"ids": ["a1"] * 101}),
        ("conversations.list", {"limit": 0}),
        ("conversations.list", {"limit": 1000}),
        ("conversations.list", {"before": {"last_at": 1}}),
        ("conversations.list", {"order": "asc"}),
    ],
)
async def test_wrong_parameters_are_named(
    method: str, params: dict[str, object]
) -> None:
    async with world() as w, w.client("a1") as agent:
        with pytest.raises(Rejected, match=method) as refused:
            await agent.call(method, params)
        assert refused.value.wire_code == "bad_request"


def test_every_right_is_a_method_and_every_method_somebodys_right() -> None:
    assert set(RIGHTS) == set(Role)
    assert frozenset.union(*(r.calls for r in RIGHTS.values())) == set(CALLS)
