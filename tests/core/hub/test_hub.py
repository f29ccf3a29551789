"""The hub, real sessions and the memory store, over streams that can be cut."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from kefu_core.abc.handler import Handler
from kefu_core.abc.streams import FrameStream, PeerInfo
from kefu_core.client import Client
from kefu_core.errors import Invalid, NotFound, Unauthorized
from kefu_core.hub import Hub
from kefu_core.limits import Limits
from kefu_core.model import (
    Conversation,
    Draft,
    Person,
    Principal,
    Role,
    Site,
)
from kefu_core.node import monotonic, unix_ms
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON, MSGPACK
from kefu_core.store.memory import MemoryStore
from kefu_core.transports.memory import MemoryStream, memory_pair
from kefu_core.types import ConversationId, ParticipantId

pytestmark = pytest.mark.anyio

LIMITS = Limits(
    visitor_messages_burst=10_000,
    frames_per_s=1e5,
    frames_burst=100_000,
    receipt_interval_s=0.01,
    drain_s=1.0,
)


class PlainHandler(Handler):
    """Tokens are participants; visitors read their own conversations, agents all."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    async def authenticate(self, token: str, peer: PeerInfo) -> Principal:
        if not token:
            raise Unauthorized
        role = Role.AGENT if token.startswith("a") else Role.VISITOR
        return Principal(participant=ParticipantId(token), role=role, site_id=1)

    async def revalidate(self, principal: Principal) -> bool:
        return True

    async def load_conversation(
        self, principal: Principal, conversation: ConversationId
    ) -> Conversation:
        row = await self.store.find_conversation(conversation)
        if row is None or not (
            principal.is_agent or row.visitor == principal.participant
        ):
            raise NotFound
        return row

    def draft(
        self, principal: Principal, conversation: Conversation, send: f.Send
    ) -> Draft:
        if send.body == "bad":
            raise Invalid
        return Draft(
            conversation=conversation.id,
            sender=principal.participant,
            key=send.key,
            kind=send.kind,
            body=send.body,
        )

    async def conversations(self, principal: Principal) -> Sequence[Conversation]:
        if principal.is_agent:
            return []
        return await self.store.conversations_of_visitor(principal.participant)

    async def call(
        self, principal: Principal, method: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        return {"echo": params}

    def may_watch(self, principal: Principal, topic: str) -> bool:
        return principal.is_agent


class World:
    """One node and whoever connects to it."""

    def __init__(
        self, store: MemoryStore, hub: Hub, tasks: anyio.abc.TaskGroup
    ) -> None:
        self.store = store
        self.hub = hub
        self.tasks = tasks
        self.streams: list[MemoryStream] = []

    async def conversation(self, visitor: str = "v1") -> ConversationId:
        person = Person(id=ParticipantId(visitor), name="", role=Role.VISITOR)
        return (await self.store.open_conversation(1, person)).id

    def client(self, who: str, codec: Any = MSGPACK) -> Client:
        async def dial() -> FrameStream:
            ours, theirs = memory_pair(codec, LIMITS)
            self.streams.append(ours)
            self.tasks.start_soon(self.hub.serve, theirs)
            return ours

        rng = random.Random(1)
        return Client(token=who, dial=dial, rng=rng)

    def cut(self) -> None:
        for stream in self.streams:
            stream.cut()


@asynccontextmanager
async def world(limits: Limits = LIMITS) -> AsyncIterator[World]:
    store = MemoryStore(limits, now=monotonic, now_ms=unix_ms)
    async with store, anyio.create_task_group() as tasks:
        await store.put_site(Site(id=1, name="shop", embed_key="k"))
        hub = Hub(
            store,
            PlainHandler(store),
            limits,
            now=monotonic,
            now_ms=unix_ms,
            rng=random.Random(0),
        )
        await tasks.start(hub.run)
        yield World(store, hub, tasks)
        await hub.drain()
        tasks.cancel_scope.cancel()
        assert hub.connection_count == 0
        assert not hub._followers
        assert not hub._rings


async def bodies(client: Client, count: int) -> list[str]:
    """Take messages until there are so many."""
    found: list[str] = []
    with anyio.fail_after(10):
        async for event in client.events():
            if isinstance(event, f.MessageFrame):
                found.append(event.body)
                if len(found) == count:
                    return found
    raise AssertionError("the client ended")


async def test_a_visitor_and_an_agent_talk() -> None:
    async with world() as w, w.client("v1", JSON) as visitor, w.client("a1") as agent:
        conversation = await w.conversation()
        await visitor.follow(conversation)
        await agent.follow(conversation)
        first = await visitor.send(conversation, "有货吗？")
        second = await agent.send(conversation, "有的。")
        assert (first.seq, second.seq) == (1, 2)
        assert await bodies(visitor, 2) == ["有货吗？", "有的。"]
        assert await bodies(agent, 2) == ["有货吗？", "有的。"]


async def test_somebody_elses_conversation_looks_like_none() -> None:
    async with world() as w, w.client("v2") as stranger:
        conversation = await w.conversation("v1")
        await stranger.wait_live()
        answers = []
        for target in (conversation, 12345):
            try:
                await stranger.fetch(target)
            except Exception as error:
                answers.append(str(error))
        assert len(answers) == 2
        assert answers[0] == answers[1]


async def test_a_reader_that_stops_costs_a_bounded_amount_and_delays_nobody() -> None:
    async with world() as w, w.client("v1") as visitor, w.client("a1") as agent:
        conversation = await w.conversation()
        await agent.follow(conversation)
        ours, theirs = memory_pair(JSON, LIMITS, buffered_batches=1)
        w.tasks.start_soon(w.hub.serve, theirs)
        await ours.send([JSON.encode(f.Hello(token="a2"))])
        assert isinstance((await ours.receive())[0], f.Welcome)
        await ours.send([JSON.encode(f.Follow(conversation=conversation))])
        await visitor.wait_live()
        for number in range(3_000):
            visitor.send_nowait(conversation, f"m{number:04}" + "x" * 200)
        assert len(await bodies(agent, 3_000)) == 3_000
        stuck = [c for c in w.hub._connections if c.me == "a2"]
        assert len(stuck[0].outbox) <= LIMITS.outbox_frames_max + 4
        assert stuck[0].outbox.size_bytes <= LIMITS.outbox_bytes_max + 65_536
        seqs: list[int] = []
        with anyio.fail_after(10):
            while len(seqs) < 3_000:
                for item in await ours.receive():
                    if isinstance(item, f.MessageFrame):
                        seqs.append(item.seq)
        assert seqs == list(range(1, 3_001))
        ours.cut()


async def test_a_drain_answers_what_was_sent_and_asks_to_come_back() -> None:
    async with world() as w, w.client("v1") as visitor:
        conversation = await w.conversation()
        await visitor.follow(conversation)
        await visitor.send(conversation, "before")
        await w.hub.drain()
        assert w.hub.connection_count == 0
        assert not visitor._closed
        w.hub.is_draining = False
        sent = await visitor.send(conversation, "after")
        assert sent.seq == 2
