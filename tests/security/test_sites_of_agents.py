"""An agent who answers for one site learns nothing of another, by no way there is."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from kefu_core.desk.access import sees_row
from kefu_core.model import MessageKind
from kefu_core.protocol import frames as f
from kefu_core.records import OfflineMessage
from kefu_core.types import ConversationId, ParticipantId
from kefu_server.app import KefuApp
from tests.core.desk.world import PRINCIPALS, World, eventually, world
from tests.security.test_access_matrix import conversation_with_rows
from tests.security.test_api_matrix import Served, become, serving
from tests.server.conftest import connect

pytestmark = pytest.mark.anyio
OTHER = "a3"


async def own(w: World) -> ConversationId:
    """Return a conversation of the second site, with a text in it."""
    number = await w.conversation("v5", 2)
    await w.say(number, "v5", "of the second site")
    return number


def ids(rows: Any) -> set[int]:
    return {row["id"] for row in rows}


async def test_the_lists_that_it_watches_have_its_own_rows_only_and_stay_so() -> None:
    async with world() as w:
        hidden, seen = await conversation_with_rows(w), await own(w)
        await w.desk.left.load()
        await w.desk.presence.tell()
        wire = await w.live(OTHER)
        snapshots: dict[str, Any] = {}
        for topic in ("conversations", "offline", "agents"):
            await wire.send(f.Watch(topic=topic))
            snapshots[topic] = await wire.until(f.Snapshot)
        assert ids(snapshots["conversations"].rows) == {seen}
        assert snapshots["offline"].rows == []
        assert ids(snapshots["agents"].rows) == {1, 2, 3}
        await w.say(hidden, "v1", "canary one")
        await w.say(hidden, "a1", "canary two", MessageKind.NOTE)
        await w.say(seen, "v5", "and again")
        event = await wire.until(f.Event)
        assert (event.put["id"], event.put["last_line"]) == (seen, "and again")
        version = snapshots["conversations"].version
        assert event.version == version + 1, "a change that is not seen leaves no hole"
        assert "canary" not in str([x for x in wire.seen if x is not event])
        wire.cut()
        await eventually(lambda: not w.hub.connection_count)
        assert all(not topic._views for topic in w.hub.lists._topics.values())


async def test_what_it_asks_for_is_of_its_own_sites() -> None:
    async with world() as w:
        hidden, seen = await conversation_with_rows(w), await own(w)
        await w.store.put_records(
            OfflineMessage(id=78, site_id=2, visitor=ParticipantId("v5"), body="mine")
        )
        async with w.client(OTHER) as agent:
            listed = await agent.call("conversations.list", {})
            assert ids(listed["rows"]) == {seen}
            left = await agent.call("offline.list", {})
            assert ids(left["rows"]) == {78}
            for site, expected in ((1, set()), (2, {78}), (9, set())):
                found = await agent.call("offline.list", {"site": site})
                assert ids(found["rows"]) == expected
            sites = (await agent.call("sites.list", {}))["sites"]
            assert ids(sites) == {2}
            asked = {"ids": ["v1", "v5", "a1"]}
            people = (await agent.call("people.get", asked))["people"]
            assert [person["id"] for person in people] == ["v5", "a1"]
        again = await w.live("a1")
        await again.send(f.Watch(topic="conversations"))
        snapshot = await again.until(f.Snapshot)
        assert ids(snapshot.rows) == {hidden, seen}
        again.cut()


async def test_colleagues_are_those_with_a_site_in_common() -> None:
    async with world() as w:
        await conversation_with_rows(w)
        one = await w.store.find_agent(agent_id=1)
        assert one is not None
        await w.store.put_agent(msgspec.structs.replace(one, sites=(1,)))
        async with w.client(OTHER) as agent:
            for method in ("agents.list", "agents.present"):
                seen = (await agent.call(method, {}))["agents"]
                assert {str(row["id"]).removeprefix("a") for row in seen} == {"2", "3"}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_history_search_facets_and_exports_have_its_own_sites_only(
    tmp_path: Path, anyio_backend: str
) -> None:
    async with serving(tmp_path) as app:
        w = Served(app)
        hidden, seen = await conversation_with_rows(w), await own(w)
        await w.say(hidden, "v1", "canary of the second site")
        await label(w, hidden, "canary-label")
        await label(w, seen, "mine")
        while await w.store.index_some():
            pass
        async with connect(app) as client:
            become(app, client, OTHER)
            base = "/api/history"
            for path in (
                f"{base}/conversations",
                f"{base}/conversations?text=second",
                f"{base}/search?q=second",
                f"{base}/facets",
                f"{base}/export?format=jsonl",
                f"{base}/export?format=csv",
                f"{base}/conversations?site=1",
                f"{base}/export?format=jsonl&site=1",
                f"{base}/conversations?visitor=v1",
            ):
                answer = await client.get(path)
                assert answer.status_code == 200, (path, answer.text)
                assert "canary" not in answer.text, path
                is_mine = "site=1" not in path and "v1" not in path
                assert (str(seen) in answer.text or "mine" in answer.text) is is_mine
            for path in (
                f"{base}/conversations/{hidden}",
                f"{base}/conversations/{hidden}/messages",
                f"{base}/export?format=jsonl&conversation={hidden}",
            ):
                absent = path.replace(str(hidden), "12345")
                refused, never = await client.get(path), await client.get(absent)
                assert refused.status_code == never.status_code == 404, path
                assert refused.json() == never.json()


async def label(w: World, conversation: ConversationId, text: str) -> None:
    params = {"conversation": conversation, "labels": [text]}
    await w.desk.call(PRINCIPALS["a2"], "conversation.label", params)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_taking_a_site_from_an_agent_ends_what_it_had_open(
    tmp_path: Path, anyio_backend: str
) -> None:
    async with serving(tmp_path) as app:
        assert await sessions(app) == 1
        desk, admin = app.state.services.desk, PRINCIPALS["a2"]
        await desk.call(admin, "agent.put", {"agent": 1, "capacity": 3})
        assert await sessions(app) == 1
        await desk.call(admin, "agent.put", {"agent": 1, "sites": [2]})
        assert await sessions(app) == 0


async def sessions(app: KefuApp) -> int:
    return len(await app.state.services.store.sessions_of_agent(1))


def test_a_list_whose_rows_name_no_site_is_for_those_who_serve_all() -> None:
    mine = frozenset({1})
    assert not sees_row(mine, {"id": 1})
    assert sees_row(mine, {"id": 1, "site_id": 1})
    assert not sees_row(mine, {"id": 1, "site_id": 2})
    assert sees_row(mine, {"id": 1, "sites": []})
    assert not sees_row(mine, {"id": 1, "sites": [2, 3]})
