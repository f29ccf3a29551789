"""Two nodes over one database route at once: each conversation once, none too much."""

import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import pytest

from kefu_core.desk import Desk
from kefu_core.desk.routing import as_read
from kefu_core.errors import Conflict, StoreUnavailable, Unauthorized
from kefu_core.hub import Hub
from kefu_core.ids import IdGenerator
from kefu_core.limits import Limits
from kefu_core.model import (
    Agent,
    ConversationStatus,
    Draft,
    MessageKind,
    Person,
    Principal,
    Role,
    Site,
)
from kefu_core.node import monotonic, unix_ms
from kefu_core.site import Routing, RoutingMethod, SiteSettings
from kefu_core.store.sql import SqlStore
from kefu_core.types import ConversationId, ParticipantId, UnixMs

CAPACITY = {1: 3, 2: 2}
VISITORS = 12
ACTIVE = ConversationStatus.ACTIVE


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def nobody(token: str, peer: object) -> Principal:
    raise Unauthorized


async def anybody(principal: Principal) -> bool:
    return True


@asynccontextmanager
async def nodes(url: str, count: int) -> AsyncIterator[list[Desk]]:
    """Open the same database several times, each with a desk of its own."""
    limits = Limits()
    async with AsyncExitStack() as stack:
        desks = []
        for number in range(count):
            store = SqlStore(url, limits=limits, now=time.monotonic, now_ms=unix_ms)
            await stack.enter_async_context(store)
            ids = IdGenerator(unix_ms, random.Random(number))
            desk = Desk(
                store, nobody, limits, ids, unix_ms, revalidate=anybody, now=monotonic
            )
            rng = random.Random(number)
            hub = Hub(store, desk, limits, now=monotonic, now_ms=unix_ms, rng=rng)
            desk.attach(hub)
            desks.append(desk)
        yield desks


async def fill(desk: Desk) -> list[ConversationId]:
    """Let agents be there and visitors wait; return the conversations."""
    routing = Routing(method=RoutingMethod.LEAST_BUSY)
    await desk.store.put_site(
        Site(id=1, name="s", embed_key="k", settings=SiteSettings(routing=routing))
    )
    for number, capacity in CAPACITY.items():
        await desk.store.put_agent(
            Agent(
                id=number,
                login=f"l{number}",
                name="n",
                password_hash="-",
                capacity=capacity,
            )
        )
    until, now = UnixMs(unix_ms() + 60_000), UnixMs(unix_ms())
    await desk.store.renew_presence(CAPACITY, until=until, now=now)
    found = []
    for number in range(1, VISITORS + 1):
        person = Person(id=ParticipantId(f"v{number}"), name="", role=Role.VISITOR)
        row = await desk.store.open_conversation(1, person)
        draft = Draft(conversation=row.id, sender=person.id, key="k", body="hi")
        await desk.store.append(draft)
        found.append(row.id)
    return found


async def turn(desk: Desk) -> None:
    """Take a turn; a database that was busy is asked again, as by the next sweep."""
    for _ in range(20):
        try:
            return await desk.router.turn()
        except StoreUnavailable:
            await anyio.sleep(0.05)
    raise AssertionError("the database stayed away")


async def answered(desk: Desk, ids: list[ConversationId]) -> Counter[str]:
    rows = (await desk.store.conversations_by_id(ids)).values()
    return Counter(str(row.assignee) for row in rows if row.status is ACTIVE)


@pytest.mark.anyio
async def test_what_two_admins_change_of_a_site_at_once_is_both_kept(
    database_url: str,
) -> None:
    admin = Principal(participant=ParticipantId("a1"), role=Role.ADMIN, site_id=0)
    async with nodes(database_url, 2) as (one, two):
        await one.store.put_site(Site(id=1, name="s", embed_key="k"))
        for number in range(1, 4):
            parts = [
                (one, {"talk": {"greeting": f"g{number}"}}),
                (two, {"watching": {"is_on": number % 2 > 0}}),
            ]
            async with anyio.create_task_group() as tasks:
                for desk, settings in parts:
                    params = {"site": 1, "settings": settings}
                    tasks.start_soon(desk.call, admin, "site.put", params)
            (site,) = await one.store.sites()
            assert site.settings.talk.greeting == f"g{number}"
            assert site.settings.watching.is_on is (number % 2 > 0)


@pytest.mark.anyio
async def test_two_nodes_give_each_conversation_once_and_nobody_too_many(
    database_url: str,
) -> None:
    async with nodes(database_url, 2) as (one, two):
        ids = await fill(one)
        async with anyio.create_task_group() as tasks:
            for desk in (one, two, one, two):
                tasks.start_soon(turn, desk)
        assert await answered(two, ids) == {"a1": 3, "a2": 2}
        for number in ids:
            log = await one.store.history(number)
            given = [m for m in log if m.kind is MessageKind.ASSIGNMENT]
            assert len(given) <= 1
        assert len(await two.store.list_queued(limit=99)) == VISITORS - 5


@pytest.mark.anyio
async def test_commits_of_two_nodes_at_once_keep_to_an_agents_capacity(
    database_url: str,
) -> None:
    async with nodes(database_url, 2) as desks:
        ids = await fill(desks[0])
        rows = await desks[0].store.conversations_by_id(ids)
        refused: list[ConversationId] = []

        async def give(desk: Desk, number: ConversationId) -> None:
            draft = Draft(
                conversation=number,
                sender=ParticipantId("s0"),
                key="give",
                kind=MessageKind.ASSIGNMENT,
                data={"assignee": "a1"},
                given=as_read(rows[number], capacity=CAPACITY[1]),
            )
            try:
                await desk.store.append(draft)
            except Conflict:
                refused.append(number)

        async with anyio.create_task_group() as tasks:
            for at, number in enumerate(ids):
                # Different conversations on each: only the agent is in common.
                tasks.start_soon(give, desks[at % 2], number)
        assert await answered(desks[1], ids) == {"a1": 3}
        assert len(refused) == VISITORS - 3
