"""Canned replies: everybody's own, a team's, and those of all."""

from typing import Any

import pytest

from kefu_core.client import Rejected
from kefu_core.records import AuditEntry
from tests.core.desk.world import world

pytestmark = pytest.mark.anyio


async def test_everybody_has_their_own_and_sees_those_of_all_and_of_their_teams() -> (
    None
):
    async with world() as w, w.client("a2") as admin, w.client("a1") as agent:
        team = (await admin.call("team.put", {"name": "tea", "agents": [1]}))["team"]
        for params in (
            {"body": "mine", "shortcut": "/a"},
            {"body": "ours", "scope": "team", "team": team["id"], "shortcut": "b"},
            {"body": "all", "scope": "all", "shortcut": "发货"},
        ):
            await admin.call("reply.put", params)
        await agent.call("reply.put", {"body": "您好，{visitor}", "shortcut": "hi"})
        seen = (await agent.call("replies.list", {}))["rows"]
        assert [(row["shortcut"], row["may_change"]) for row in seen] == [
            ("b", False),
            ("hi", True),
            ("发货", False),
        ]
        seen = (await admin.call("replies.list", {}))["rows"]
        assert [row["body"] for row in seen] == ["mine", "ours", "all"]
        # What is one's own is nobody else's business.
        entries = await w.store.list_records(AuditEntry, after=0)
        written = [entry.action for entry in entries]
        assert written.count("reply.put") == 2


async def test_one_is_changed_and_deleted_by_who_may() -> None:
    async with world() as w, w.client("a2") as admin, w.client("a1") as agent:
        made = await admin.call("reply.put", {"body": "x", "scope": "all"})
        number = made["reply"]["id"]
        own = (await agent.call("reply.put", {"body": "mine"}))["reply"]["id"]
        for who, method, params in (
            (agent, "reply.delete", {"reply": number}),
            (agent, "reply.put", {"reply": number, "body": "y", "scope": "own"}),
            (admin, "reply.put", {"reply": own, "body": "y"}),
        ):
            with pytest.raises(Rejected) as refused:
                await who.call(method, params)
            assert refused.value.wire_code == "not_found"
        with pytest.raises(Rejected, match="Only an admin"):
            await agent.call("reply.put", {"body": "y", "scope": "all"})
        changed = await admin.call(
            "reply.put", {"reply": number, "body": "y", "scope": "own"}
        )
        assert (changed["reply"]["body"], changed["reply"]["scope"]) == ("y", "own")
        await admin.call("reply.delete", {"reply": own})
        assert (await agent.call("replies.list", {}))["rows"] == []


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"body": "  "}, "empty"),
        ({"body": "{password}"}, "{visitor}, {agent}, {site}"),
        ({"body": "x", "shortcut": "a b"}, "letters, digits"),
        ({"body": "x", "shortcut": "\u202ea"}, "letters, digits"),
        ({"body": "x", "title": "a\nb"}, "line break"),
        ({"body": "x", "scope": "team"}, "goes with"),
        ({"body": "x", "team": 5}, "goes with"),
        ({"body": "x", "scope": "team", "team": 5}, "no such team"),
        ({"body": "x", "reply": 5}, "no such thing"),
    ],
)
async def test_what_is_no_reply_is_refused(params: dict[str, Any], words: str) -> None:
    async with world() as w, w.client("a2") as admin:
        with pytest.raises(Rejected, match=words):
            await admin.call("reply.put", params)
        assert (await admin.call("replies.list", {}))["rows"] == []


async def test_a_reply_has_the_same_in_other_languages() -> None:
    async with world() as w, w.client("a1") as agent:
        texts = {"pt-br": "Olá, {visitor}", "en": " Hello "}
        reply = {"body": "您好，{visitor}", "translations": texts}
        made = (await agent.call("reply.put", reply))["reply"]
        assert made["translations"] == {"pt-BR": "Olá, {visitor}", "en": "Hello"}
        (row,) = (await agent.call("replies.list", {}))["rows"]
        assert row == made
        for wrong in (
            {"?": "x"},
            {"en": "x", "EN": "y"},
            {"en": "Hello, {visitante}"},
            {"en": " "},
        ):
            with pytest.raises(Rejected) as refused:
                await agent.call("reply.put", {**reply, "translations": wrong})
            assert refused.value.wire_code == "bad_request"
