"""A visitor's place in the queue: its own, true, and told while it changes."""

from typing import Any

import pytest

from kefu_core.protocol import frames as f
from kefu_core.records import Team
from kefu_core.types import ConversationId
from tests.core.desk.world import Wire, World, eventually, world

pytestmark = pytest.mark.anyio


async def waiting(w: World, visitor: str, site: int = 1) -> ConversationId:
    number = await w.conversation(visitor, site)
    await w.say(number, visitor, "anybody?")
    return number


async def watching(w: World, visitor: str, site: int = 1) -> Wire:
    token = visitor if site == 1 else f"{visitor}@{site}"
    wire = await w.live(token)
    await wire.send(f.Watch(topic=f"queue.{site}.{visitor}"))
    await wire.until(f.Snapshot)
    return wire


def place(w: World, visitor: str, site: int = 1) -> Any:
    """Return the place that a visitor is told; None for no row."""
    found = w.hub.lists.find(f"queue.{site}.{visitor}")
    rows = list(found.rows.values()) if found is not None else []
    return rows[0]["position"] if rows else None


async def test_the_place_moves_up_as_those_ahead_are_answered() -> None:
    async with world() as w, w.client("a1") as agent:
        first = await waiting(w, "v1")
        second = await waiting(w, "v2")
        wire = await watching(w, "v2")
        await eventually(lambda: place(w, "v2") == 2)
        await agent.call("conversation.take", {"conversation": first})
        await eventually(lambda: place(w, "v2") == 1)
        event = await wire.until(f.Event)
        row = await w.store.find_conversation(second)
        assert row is not None
        assert event.put is not None
        assert (event.put["id"], event.put["since"]) == (second, row.queued_at)
        await agent.call("conversation.take", {"conversation": second})
        await eventually(lambda: place(w, "v2") is None)
        wire.cut()


async def test_who_waits_for_another_site_or_team_is_not_ahead() -> None:
    async with world() as w, w.client("a1") as agent:
        await w.store.put_records(Team(id=7, name="tea", agents=(1,)))
        other = await waiting(w, "v1", 2)
        mine = await waiting(w, "v2")
        wire = await watching(w, "v2")
        await eventually(lambda: place(w, "v2") == 1)
        third = await waiting(w, "v1")
        params = {"conversation": third, "team": 7}
        await agent.call("conversation.assign", params)
        theirs = await watching(w, "v1")
        await eventually(lambda: place(w, "v1") == 1)
        assert {other, mine, third} <= set(w.rows)
        wire.cut()
        theirs.cut()


async def test_what_nobody_watches_any_more_is_forgotten() -> None:
    async with world() as w:
        await waiting(w, "v1")
        wire = await watching(w, "v1")
        await eventually(lambda: place(w, "v1") == 1)
        wire.cut()
        await eventually(lambda: not w.hub.connection_count)
        await w.desk.places.tell()
        assert w.hub.lists.find("queue.1.v1") is None
