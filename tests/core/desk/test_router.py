"""Routing over a store, by several nodes at once: nothing twice, nothing forgotten."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kefu_core.desk import Desk
from kefu_core.desk.routing import able, team_of
from kefu_core.errors import RefusedError, StoreUnavailable, Unauthorized
from kefu_core.hub import Hub
from kefu_core.ids import IdGenerator
from kefu_core.limits import Limits
from kefu_core.model import (
    Agent,
    Appended,
    Conversation,
    ConversationStatus,
    Cursor,
    Draft,
    MessageKind,
    Person,
    Principal,
    Role,
    Site,
)
from kefu_core.records import AgentStatus, Team
from kefu_core.site import Routing, RoutingMethod, SiteSettings
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ConversationId, ParticipantId, UnixMs
from tests.core.desk.world import LIMITS

pytestmark = pytest.mark.anyio

M = RoutingMethod
LEASE_MS = int(LIMITS.agent_lease_s * 1000)
CAPACITY = {1: 1, 2: 2, 3: 0}
"""Of the agents; 0 for as many as there are."""
ACTIVE = ConversationStatus.ACTIVE


class Clock:
    """Unix milliseconds that tests set."""

    def __init__(self) -> None:
        self.ms = 1_000_000

    def __call__(self) -> int:
        return self.ms

    def seconds(self) -> float:
        return self.ms / 1000


class Watch:
    """Looks after every commit of a node whether all promises hold."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.faults: list[str] = []

    def message_committed(self, appended: Appended) -> None:
        for agent, most in CAPACITY.items():
            count = sum(
                row.status is ACTIVE and row.assignee == f"a{agent}"
                for row in self._store._rows.values()
            )
            if most and count > most:
                self.faults.append(f"a{agent} answers {count}, and {most} is all")

    def message_found(self, repeated: Appended) -> None:
        pass

    def cursor_advanced(self, cursor: Cursor) -> None:
        pass

    def history_erased(self) -> None:
        pass


class Shop:
    """Some nodes over one store, and a clock; nobody connects, leases are renewed."""

    def __init__(self, store: MemoryStore, clock: Clock, nodes: int) -> None:
        self.store, self.clock = store, clock
        self.desks: list[Desk] = []
        self.watches: list[Watch] = []
        for number in range(nodes):
            ids = IdGenerator(clock, random.Random(number))
            desk = Desk(
                store,
                self.nobody,
                LIMITS,
                ids,
                clock,
                revalidate=self.anybody,
                now=clock.seconds,
            )
            hub = Hub(
                store,
                desk,
                LIMITS,
                now=clock.seconds,
                now_ms=clock,
                rng=random.Random(number),
            )
            desk.attach(hub)
            watch = Watch(store)
            hub.observers.append(watch)
            self.watches.append(watch)
            self.desks.append(desk)

    async def nobody(self, token: str, peer: object) -> Principal:
        raise Unauthorized

    async def anybody(self, principal: Principal) -> bool:
        return True

    async def site(self, number: int = 1, **routing: Any) -> None:
        await self.store.put_site(
            Site(
                id=number,
                name="shop",
                embed_key=f"k{number}",
                settings=SiteSettings(routing=Routing(**routing)),
            )
        )

    async def come(self, *agents: int) -> None:
        until, now = UnixMs(self.clock.ms + LEASE_MS), UnixMs(self.clock.ms)
        await self.store.renew_presence(agents, until=until, now=now)

    async def ask(self, visitor: int, site: int = 1, node: int = 0) -> Conversation:
        """Let a visitor write."""
        person = Person(id=ParticipantId(f"v{visitor}"), name="", role=Role.VISITOR)
        row = await self.store.open_conversation(site, person)
        self.clock.ms += 1
        draft = Draft(
            conversation=row.id, sender=person.id, key=f"k{self.clock.ms}", body="hi"
        )
        appended = await self.desks[node].hub.append(draft)
        assert appended.conversation is not None
        return appended.conversation

    async def turn(self, node: int = 0) -> None:
        await self.desks[node].router.turn()

    async def call(
        self, node: int, who: int, method: str, **params: Any
    ) -> dict[str, Any] | None:
        """Call as an agent; None for a refusal."""
        me = ParticipantId(f"a{who}")
        principal = Principal(participant=me, role=Role.AGENT, site_id=0)
        try:
            return await self.desks[node].call(principal, method, params)
        except RefusedError:
            return None

    async def row(self, number: ConversationId) -> Conversation:
        found = await self.store.find_conversation(number)
        assert found is not None
        return found


@asynccontextmanager
async def shop(nodes: int = 1, **routing: Any) -> AsyncIterator[Shop]:
    """Run nodes that share one site, its routing as said, and three agents."""
    clock = Clock()
    limits = Limits()
    store = MemoryStore(limits, now=clock.seconds, now_ms=clock)
    async with store:
        for number, capacity in CAPACITY.items():
            await store.put_agent(
                Agent(
                    id=number,
                    login=f"l{number}",
                    name=f"n{number}",
                    password_hash="-",
                    capacity=capacity,
                )
            )
        s = Shop(store, clock, nodes)
        await s.site(1, **routing)
        yield s
        assert [watch.faults for watch in s.watches] == [[]] * nodes


async def test_nobody_gets_anything_where_people_take_by_hand() -> None:
    async with shop() as s:
        await s.come(1, 2, 3)
        row = await s.ask(1)
        await s.turn()
        assert await s.row(row.id) == row


async def test_the_one_who_has_waited_longest_is_first() -> None:
    async with shop(method=M.LEAST_BUSY) as s:
        first, second = await s.ask(1), await s.ask(2)
        await s.come(1)
        await s.turn()
        assert (await s.row(first.id)).assignee == "a1"
        assert (await s.row(second.id)).status is ConversationStatus.QUEUED
        [*_, line] = await s.store.history(first.id)
        assert (line.sender, line.data) == (
            "s0",
            {"assignee": "a1", "reason": "routing"},
        )
        await s.call(0, 1, "conversation.close", conversation=first.id)
        await s.turn()
        assert (await s.row(second.id)).assignee == "a1"


async def test_round_robin_gives_to_each_in_turn() -> None:
    async with shop(method=M.ROUND_ROBIN) as s:
        await s.come(2, 3)
        got = []
        for visitor in range(1, 5):
            row = await s.ask(visitor)
            s.clock.ms += 10
            await s.turn()
            got.append((await s.row(row.id)).assignee)
        assert got == ["a2", "a3", "a2", "a3"]


async def test_a_visitor_who_comes_back_meets_the_same_agent() -> None:
    async with shop(method=M.PREVIOUS_FIRST) as s:
        await s.come(2)
        row = await s.ask(1)
        await s.turn()
        await s.call(0, 2, "conversation.close", conversation=row.id)
        await s.come(1, 2, 3)
        await s.ask(1)
        await s.turn()
        assert (await s.row(row.id)).assignee == "a2"


async def test_who_is_gone_loses_what_waits_and_keeps_what_is_answered() -> None:
    async with shop(method=M.MANUAL, requeue_after_s=20) as s:
        await s.come(2)
        waiting, answered = await s.ask(1), await s.ask(2)
        for row in (waiting, answered):
            await s.call(0, 2, "conversation.take", conversation=row.id)
        await s.call(
            0, 2, "message.send", conversation=answered.id, key="k" * 8, body="yes?"
        )
        s.clock.ms = 1_000_000 + LEASE_MS + 19_999
        await s.turn()
        assert (await s.row(waiting.id)).assignee == "a2"
        s.clock.ms += 1
        await s.turn()
        back = await s.row(waiting.id)
        assert (back.status, back.assignee) == (ConversationStatus.QUEUED, None)
        [*_, line] = await s.store.history(waiting.id)
        assert line.data == {"assignee": None, "reason": "offline"}
        assert (await s.row(answered.id)).assignee == "a2"
        await s.ask(2)
        s.clock.ms += 20_000
        await s.turn()
        assert (await s.row(answered.id)).assignee is None


async def test_a_switched_off_accounts_visitors_wait_for_others() -> None:
    async with shop(method=M.LEAST_BUSY) as s:
        await s.come(2, 3)
        row = await s.ask(1)
        await s.call(0, 2, "conversation.take", conversation=row.id)
        await s.store.put_agent(
            Agent(id=2, login="l2", name="n", password_hash="-", is_active=False)
        )
        await s.turn()
        await s.turn()
        assert (await s.row(row.id)).assignee == "a3"


async def test_a_team_that_is_away_holds_up_nobody_else() -> None:
    async with shop(method=M.LEAST_BUSY) as s:
        await s.store.put_records(Team(id=7, name="tea", agents=(1,)))
        first, second = await s.ask(1), await s.ask(2)
        await s.call(0, 1, "conversation.assign", conversation=first.id, team=7)
        await s.come(3)
        await s.turn()
        assert (await s.row(first.id)).status is ConversationStatus.QUEUED
        assert (await s.row(second.id)).assignee == "a3"
        await s.come(1)
        await s.turn()
        assert (await s.row(first.id)).assignee == "a1"


async def test_a_turn_that_the_database_refuses_is_taken_up_by_the_next() -> None:
    async with shop(method=M.LEAST_BUSY) as s:
        await s.come(3)
        row = await s.ask(1)

        async def away(drafts: object) -> None:
            raise StoreUnavailable("gone for a moment")

        s.store.before_commit = away
        with pytest.raises(StoreUnavailable):
            await s.turn()
        s.store.before_commit = None
        await s.turn()
        assert (await s.row(row.id)).assignee == "a3"


async def test_coming_wakes_the_router_and_the_queue_is_given_out() -> None:
    async with shop(method=M.LEAST_BUSY) as s, anyio.create_task_group() as tasks:
        desk = s.desks[0]
        await s.come(3)
        tasks.start_soon(desk.router.run)
        row = await s.ask(1)
        with anyio.fail_after(5):
            while (await s.row(row.id)).assignee != "a3":
                await anyio.sleep(0.005)
        tasks.cancel_scope.cancel()


async def test_nobody_takes_or_is_handed_more_than_its_capacity() -> None:
    async with shop() as s:
        one, two, three = [await s.ask(visitor) for visitor in (1, 2, 3)]
        assert await s.call(0, 1, "conversation.take", conversation=one.id)
        assert not await s.call(0, 1, "conversation.take", conversation=two.id)
        params: dict[str, Any] = {"conversation": two.id, "agent": 1, "note": "tea"}
        assert not await s.call(0, 2, "conversation.assign", **params)
        assert len(await s.store.history(two.id)) == 1  # And no note either.
        assert await s.call(0, 3, "conversation.take", conversation=three.id)
        assert await s.call(0, 1, "conversation.take", conversation=one.id)


# -- whatever happens ----------------------------------------------------------------


class Chaos:
    """Agents and visitors who do what they like, on two nodes."""

    def __init__(self, s: Shop, seed: int) -> None:
        self.s = s
        self.rng = random.Random(seed)

    async def act(self) -> None:
        """Do one thing that anybody may do."""
        s, rng = self.s, self.rng
        node, agent = rng.randrange(2), rng.choice((1, 2, 3))
        rows = list(s.store._rows.values())
        number = rng.choice(rows).id if rows else ConversationId(1)
        match rng.randrange(12):
            case 0 | 1 | 2:
                await s.ask(rng.randrange(1, 7), node=node)
            case 3:
                await s.come(agent)
            case 4:
                s.clock.ms += rng.choice((1, 1_000, LEASE_MS, 2 * LEASE_MS))
            case 5:
                chosen = rng.choice(list(AgentStatus))
                await s.desks[node].presence.choose(agent, chosen)
            case 6:
                await s.call(node, agent, "conversation.take", conversation=number)
            case 7:
                await s.call(node, agent, "conversation.close", conversation=number)
            case 8:
                await s.call(node, agent, "conversation.reopen", conversation=number)
            case 9:
                # To another: whoever hands something to itself takes it over.
                to = rng.choice(({}, {"agent": agent % 2 + 1}, {"team": 7}))
                await s.call(
                    node, agent, "conversation.assign", conversation=number, **to
                )
            case 10:
                body = {"key": f"key-{rng.random()}", "body": "yes?"}
                await s.call(node, agent, "message.send", conversation=number, **body)
            case 11:
                await s.turn(node)

    async def at_once(self, count: int) -> None:
        """Do several things and two nodes' turns in one moment."""
        async with anyio.create_task_group() as tasks:
            for _ in range(count):
                tasks.start_soon(self.act)
            tasks.start_soon(self.s.turn, 0)
            tasks.start_soon(self.s.turn, 1)

    async def settle(self) -> None:
        """Take turns until nothing changes."""
        while True:
            before = dict(self.s.store._rows)
            await self.s.turn(0)
            await self.s.turn(1)
            if self.s.store._rows == before:
                return

    async def check(self, method: RoutingMethod) -> None:
        """Assert that nothing was given twice and nothing is forgotten."""
        s = self.s
        colleagues = await s.desks[0].presence.colleagues()
        there = {each.who: each for each in colleagues}
        teams = await s.store.list_records(Team)
        for row in s.store._rows.values():
            _assert_given_once(s.store._logs.get(row.id, []))
            if row.queued_at and method is not M.MANUAL:
                team = team_of(row, Routing(), teams)
                assert not able(row, team, colleagues), "somebody could answer this"
            elif row.status is ACTIVE and row.waiting_since and row.assignee:
                agent = there[row.assignee]
                waits_ms = s.clock.ms - max(agent.lease_until, row.waiting_since)
                assert agent.is_there or waits_ms < 20_000, "nobody answers this"
            elif row.status is ConversationStatus.QUEUED:
                assert row.queued_at or not row.waiting_since, "waits outside the queue"


def _assert_given_once(log: list[Any]) -> None:
    """Of every conversation that routing gave, nobody had it at that moment."""
    assignee = None
    for message in log:
        data = message.data or {}
        if message.kind is MessageKind.ASSIGNMENT:
            if data.get("reason") == "routing":
                assert assignee is None, "given to two"
            if data.get("reason") == "offline":
                assert assignee is not None, "taken from nobody"
            is_take = message.sender == data.get("assignee")
            assert not (is_take and assignee is not None), "taken from another"
            assignee = data.get("assignee")
        elif message.kind in (MessageKind.CLOSE, MessageKind.REOPEN):
            assignee = None


@pytest.mark.parametrize("method", list(M))
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.lists(st.integers(1, 5), max_size=25))
def test_whatever_happens_nothing_is_given_twice_or_forgotten_or_too_much(
    method: RoutingMethod, seed: int, steps: list[int]
) -> None:
    async def run() -> None:
        async with shop(2, method=method, requeue_after_s=20) as s:
            await s.store.put_records(Team(id=7, name="tea", agents=(1, 2)))
            chaos = Chaos(s, seed)
            for count in steps:
                await chaos.at_once(count)
                assert [watch.faults for watch in s.watches] == [[], []]
                await chaos.settle()
                await chaos.check(method)

    anyio.run(run)
