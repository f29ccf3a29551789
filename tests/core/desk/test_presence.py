"""Who is there: a lease that receiving renews, and what each agent chose."""

import random
from typing import Any

import anyio
import msgspec
import pytest

from kefu_core.client import Rejected
from kefu_core.desk import Desk
from kefu_core.hub import Hub
from kefu_core.ids import IdGenerator
from kefu_core.node import monotonic, unix_ms
from kefu_core.protocol import frames as f
from kefu_core.records import AgentPresence, AgentStatus
from tests.core.desk.world import LIMITS, World, eventually, world

pytestmark = pytest.mark.anyio


def rows(w: World) -> dict[int, Any]:
    """Return the list of agents as it is now."""
    return w.hub.lists.topic("agents").rows


def status(w: World, agent: int) -> str:
    return str(rows(w)[agent]["status"])


async def lease(w: World, agent: int) -> int:
    found = await w.store.find_record(AgentPresence, agent)
    assert found is not None
    return found.lease_until


async def test_colleagues_see_who_comes_and_what_each_of_them_chose() -> None:
    async with world() as w:
        wire = await w.live("a2")
        await wire.send(f.Watch(topic="agents"))
        snapshot = await wire.until(f.Snapshot)
        assert {row["status"] for row in snapshot.rows} <= {"offline", "online"}
        async with w.client("a1") as agent:
            await eventually(lambda: status(w, 1) == "online")
            chosen = await agent.call("presence.set", {"status": "busy"})
            assert chosen["agent"]["status"] == "busy"
            assert status(w, 1) == "busy"
            seen = (await agent.call("agents.present", {}))["agents"]
            assert [(row["id"], row["status"]) for row in seen] == [
                (1, "busy"),
                (2, "online"),
            ]
            with pytest.raises(Rejected, match="status"):
                await agent.call("presence.set", {"status": "offline"})
        wire.cut()


async def test_who_receives_nowhere_is_offline_when_the_lease_ends() -> None:
    limits = msgspec.structs.replace(LIMITS, agent_lease_s=0.6)
    async with world(limits) as w:
        watcher = await w.live("a2")
        await watcher.send(f.Watch(topic="agents"))
        one, two = await w.live("a1"), await w.live("a1")
        await eventually(lambda: status(w, 1) == "online")
        one.cut()
        first = unix_ms() + 700
        with anyio.fail_after(5):
            # The other tab renews it.
            while (await lease(w, 1)) < first:
                await anyio.sleep(0.02)
        assert status(w, 1) == "online"
        two.cut()
        await eventually(lambda: status(w, 1) == "offline")
        watcher.cut()


async def test_what_was_chosen_outlives_the_lease() -> None:
    async with world() as w:
        await w.desk.presence.choose(1, AgentStatus.AWAY)
        await w.store.renew_presence([1], until=unix_ms() + 60_000, now=unix_ms())
        await w.desk.presence.tell()
        assert (rows(w)[1]["status"], rows(w)[1]["chosen"]) == ("away", "away")


async def test_an_agent_on_two_nodes_is_there_while_one_of_them_serves_it() -> None:
    async with world() as w, anyio.create_task_group() as tasks:
        desk = Desk(
            w.store,
            w.authenticate,
            LIMITS,
            IdGenerator(unix_ms),
            unix_ms,
            revalidate=w.revalidate,
            now=monotonic,
        )
        other = Hub(
            w.store, desk, LIMITS, now=monotonic, now_ms=unix_ms, rng=random.Random(0)
        )
        desk.attach(other)
        wire = await w.live("a1")
        await w.desk.presence.renew()
        await desk.presence.renew()
        seen = {row["id"]: row["status"] for row in await desk.presence.rows()}
        assert seen == {1: "online", 2: "offline"}
        wire.cut()
        tasks.cancel_scope.cancel()


async def test_choosing_and_renewing_at_once_lose_neither() -> None:
    async with world() as w:
        until = unix_ms() + 60_000

        async def renew() -> None:
            for number in range(50):
                at = until + number
                await w.store.renew_presence([1], until=at, now=unix_ms())

        async def choose() -> None:
            for chosen in (AgentStatus.BUSY, AgentStatus.AWAY) * 10:
                await w.desk.presence.choose(1, chosen)
                await w.desk.presence.note_assigned(1)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(renew)
            tasks.start_soon(choose)
        found = await w.store.find_record(AgentPresence, 1)
        assert found is not None
        assert (found.status, found.lease_until) == (AgentStatus.AWAY, until + 49)


async def test_the_list_says_how_much_each_has_to_do() -> None:
    async with world() as w, w.client("a1") as agent:
        watcher = await w.live("a2")
        await watcher.send(f.Watch(topic="agents"))
        first, second = await w.conversation("v1"), await w.conversation("v2")
        for number in (first, second):
            await agent.call("conversation.take", {"conversation": number})
        await eventually(lambda: rows(w)[1]["active"] == 2)
        await agent.call("conversation.close", {"conversation": first})
        await eventually(lambda: rows(w)[1]["active"] == 1)
        watcher.cut()


async def test_who_logs_out_is_offline_at_once_unless_another_tab_receives() -> None:
    async with world() as w:
        presence = w.desk.presence

        async def of_one() -> str:
            return next(r["status"] for r in await presence.rows() if r["id"] == 1)

        one, two = await w.live("a1"), await w.live("a1")
        await presence.renew()
        one.cut()
        await presence.leave(1)
        assert await of_one() == "online"
        two.cut()
        await eventually(lambda: not w.hub.connection_count)
        await presence.leave(1)
        assert await of_one() == "offline"
        # Coming again is seen at the next turn, however soon.
        again = await w.live("a1")
        await presence.renew()
        assert await of_one() == "online"
        again.cut()
