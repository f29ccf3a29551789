"""Teams: made by admins, chosen by visitors, handed to by agents."""

import pytest

from kefu_core.client import Rejected
from kefu_core.model import MessageKind
from kefu_core.records import AuditEntry
from tests.core.desk.world import eventually, world

pytestmark = pytest.mark.anyio


async def test_a_team_is_made_changed_and_deleted_and_it_is_written_down() -> None:
    async with world() as w, w.client("a2") as admin:
        made = await admin.call("team.put", {"name": " 售前 ", "agents": [1, 2, 1]})
        number = made["team"]["id"]
        assert made["team"] == {"id": number, "name": "售前", "agents": [1, 2]}
        await admin.call("team.put", {"team": number, "agents": [2]})
        listed = (await admin.call("teams.list", {}))["teams"]
        assert listed == [{"id": number, "name": "售前", "agents": [2]}]
        with pytest.raises(Rejected, match="already a team") as refused:
            await admin.call("team.put", {"name": "售前"})
        assert refused.value.wire_code == "conflict"
        await admin.call("team.delete", {"team": number})
        assert (await admin.call("teams.list", {}))["teams"] == []
        entries = await w.store.list_records(AuditEntry, after=0)
        actions = [entry.action for entry in entries]
        assert actions == ["team.put", "team.put", "team.delete"]


async def test_a_team_is_not_deleted_while_texts_are_its_own() -> None:
    async with world() as w, w.client("a2") as admin:
        team = (await admin.call("team.put", {"name": "售前"}))["team"]["id"]
        other = (await admin.call("team.put", {"name": "售后"}))["team"]["id"]
        text = {"scope": "team", "title": "Hello", "body": "您好"}
        made = await admin.call("reply.put", {**text, "team": team})
        with pytest.raises(Rejected, match="still has canned replies") as refused:
            await admin.call("team.delete", {"team": team})
        assert refused.value.wire_code == "conflict"
        reply = made["reply"]["id"]
        await admin.call("reply.put", {**text, "reply": reply, "team": other})
        await admin.call("team.delete", {"team": team})
        teams = (await admin.call("teams.list", {}))["teams"]
        assert [each["id"] for each in teams] == [other]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "needs a name"),
        ({"name": "  "}, "printable"),
        ({"name": "a\u202eb"}, "printable"),
        ({"name": "a\nb"}, "line break"),
        ({"name": "tea", "agents": [99]}, "no agent 99"),
        ({"team": 5, "name": "tea"}, "no such team"),
    ],
)
async def test_what_is_no_team_is_refused(
    params: dict[str, object], words: str
) -> None:
    async with world() as w, w.client("a2") as admin:
        with pytest.raises(Rejected, match=words):
            await admin.call("team.put", params)
        assert (await admin.call("teams.list", {}))["teams"] == []


async def test_a_visitor_chooses_a_team_by_opening_until_somebody_answers() -> None:
    async with world() as w, w.client("a2") as admin, w.client("v1") as visitor:
        teams = [
            (await admin.call("team.put", {"name": name}))["team"]["id"]
            for name in ("tea", "pots")
        ]
        opened = await visitor.call("conversation.open", {"team": teams[0]})
        number = opened["conversation"]["id"]
        await eventually(lambda: w.rows[number]["team_id"] == teams[0])
        assert w.rows[number]["queued_at"] > 0
        for _ in range(2):  # Repeated, it says nothing twice.
            await visitor.call("conversation.open", {"team": teams[1]})
        [*_, line] = await w.store.history(number)
        assert (line.seq, line.sender) == (2, "v1")
        assert line.data == {"assignee": None, "team": teams[1]}
        await admin.call("conversation.take", {"conversation": number})
        await visitor.call("conversation.open", {"team": teams[0]})
        assert (await w.store.history(number))[-1].seq == 3
        with pytest.raises(Rejected, match="no such team"):
            await visitor.call("conversation.open", {"team": 12_345})


async def test_a_conversation_is_handed_to_a_team_with_a_note() -> None:
    async with world() as w, w.client("a2") as admin:
        number = await w.conversation("v1")
        await w.say(number, "v1", "tea?")
        await admin.call("conversation.take", {"conversation": number})
        team = (await admin.call("team.put", {"name": "tea"}))["team"]["id"]
        params = {"conversation": number, "team": team, "note": "asks for tea"}
        handed = (await admin.call("conversation.assign", params))["conversation"]
        assert (handed["status"], handed["team_id"]) == ("queued", team)
        kinds = [m.kind for m in await w.store.history(number)]
        assert kinds[-2:] == [MessageKind.NOTE, MessageKind.ASSIGNMENT]
        back = await admin.call("conversation.assign", {**params, "team": 0})
        assert back["conversation"]["team_id"] == 0
        with pytest.raises(Rejected, match="not both"):
            await admin.call("conversation.assign", {**params, "agent": 2})
        with pytest.raises(Rejected, match="no such team"):
            await admin.call("conversation.assign", {**params, "team": 99})
