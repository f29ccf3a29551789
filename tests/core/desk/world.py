"""One node with a real desk over the memory store, and clients by token."""

import random
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import msgspec

from kefu_core.abc.streams import FrameStream, PeerInfo
from kefu_core.client import Client
from kefu_core.desk import Desk
from kefu_core.errors import ConnectionClosed, Unauthorized
from kefu_core.hub import Hub
from kefu_core.ids import IdGenerator
from kefu_core.limits import Limits
from kefu_core.model import Agent, Draft, MessageKind, Person, Principal, Role, Site
from kefu_core.node import monotonic, unix_ms
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON
from kefu_core.store.memory import MemoryStore
from kefu_core.transports.memory import MemoryStream, memory_pair
from kefu_core.types import ConversationId, ParticipantId

LIMITS = Limits(
    visitor_messages_burst=10_000,
    agent_messages_burst=10_000,
    frames_per_s=1e5,
    frames_burst=100_000,
    receipt_interval_s=0.01,
    left_messages_per_h=1_000,
    drain_s=1.0,
)


def principal(token: str, role: Role, site_id: int) -> Principal:
    """Return the principal that a token of the same name stands for."""
    participant = ParticipantId(token.partition("@")[0])
    return Principal(
        participant=participant,
        role=role,
        site_id=site_id,
        name="" if role is Role.VISITOR else f"name of {participant}",
        session=f"session-canary-{token}",
    )


PRINCIPALS = {
    "v1": principal("v1", Role.VISITOR, 1),
    "v1@2": principal("v1", Role.VISITOR, 2),
    "v2": principal("v2", Role.VISITOR, 1),
    "a1": principal("a1", Role.AGENT, 0),
    "a2": principal("a2", Role.ADMIN, 0),
    "a3": msgspec.structs.replace(principal("a3", Role.AGENT, 0), sites=frozenset({2})),
}
"""Whom the tokens of the tests stand for; every other token is refused."""
SEVERAL = {
    "v3+v1": msgspec.structs.replace(
        principal("v3", Role.VISITOR, 1), aliases=(ParticipantId("v1"),)
    )
}
"""Visitors with several numbers; apart, so that no two of the others are one person."""


class World:
    """One node and whoever connects to it."""

    def __init__(
        self, store: MemoryStore, limits: Limits, tasks: anyio.abc.TaskGroup
    ) -> None:
        self.store = store
        self.limits = limits
        self.tasks = tasks
        self.revoked: set[str] = set()
        self.streams: list[MemoryStream] = []
        self.at_s = 0.0
        """Seconds by which the desk's clock is ahead."""
        self.desk = Desk(
            store,
            self.authenticate,
            limits,
            IdGenerator(unix_ms),
            unix_ms,
            revalidate=self.revalidate,
            find_revoked=self.find_revoked,
            now=lambda: monotonic() + self.at_s,
        )
        self.hub = Hub(
            store,
            self.desk,
            limits,
            now=monotonic,
            now_ms=unix_ms,
            rng=random.Random(0),
        )

    async def authenticate(self, token: str, peer: PeerInfo) -> Principal:
        known = PRINCIPALS | SEVERAL
        if token not in known or token in self.revoked:
            raise Unauthorized
        return msgspec.structs.replace(known[token], address=peer.address)

    async def revalidate(self, principal: Principal) -> bool:
        return principal.participant not in self.revoked

    async def find_revoked(self, agents: Collection[Principal]) -> set[Principal]:
        revoked = {f"session-canary-{token}" for token in self.revoked}
        return {agent for agent in agents if agent.session in revoked}

    async def conversation(self, visitor: str = "v1", site: int = 1) -> ConversationId:
        person = Person(id=ParticipantId(visitor), name="", role=Role.VISITOR)
        return (await self.store.open_conversation(site, person)).id

    async def say(
        self,
        conversation: ConversationId,
        sender: str,
        body: str,
        kind: MessageKind = MessageKind.TEXT,
        data: dict[str, Any] | None = None,
    ) -> None:
        """Append a message as the server itself would."""
        await self.hub.append(
            Draft(
                conversation=conversation,
                sender=ParticipantId(sender),
                key=f"k{random.getrandbits(64)}",
                kind=kind,
                body=body,
                data=data,
            )
        )

    def client(self, token: str, codec: Any = JSON) -> Client:
        async def dial() -> FrameStream:
            return self.stream(codec)

        return Client(token=token, dial=dial, rng=random.Random(1))

    def stream(self, codec: Any = JSON, *, address: str = "") -> MemoryStream:
        """Return the client's end of a connection that is served."""
        ours, theirs = memory_pair(codec, self.limits)
        theirs.peer = PeerInfo(transport="memory", address=address)
        self.streams.append(ours)
        self.tasks.start_soon(self.hub.serve, theirs)
        return ours

    async def live(self, token: str, codec: Any = JSON, *, address: str = "") -> "Wire":
        """Return a connection that was welcomed."""
        wire = Wire(self.stream(codec, address=address))
        await wire.send(f.Hello(token=token))
        await wire.until(f.Welcome)
        return wire

    @property
    def rows(self) -> dict[int, dict[str, Any]]:
        """The agents' list as it is now."""
        return self.hub.lists.topic("conversations").rows


class Wire:
    """The client's end of a connection, frame by frame."""

    def __init__(self, stream: MemoryStream) -> None:
        self.stream = stream
        self.seen: list[Any] = []
        """Every frame that came."""

    async def send(self, *frames: f.Frame) -> None:
        await self.stream.send([self.stream.codec.encode(frame) for frame in frames])

    async def until(self, *kinds: type[f.Frame]) -> Any:
        """Return the next frame of these kinds, noting all that come before it."""
        with anyio.fail_after(5):
            while True:
                found = None
                for frame in await self.stream.receive():
                    self.seen.append(frame)
                    if found is None and isinstance(frame, kinds):
                        found = frame
                if found is not None:
                    return found

    async def answers(self, *frames: f.Frame) -> list[Any]:
        """Send frames; return all that comes until they were worked off.

        An unknown method is called last: requests are answered in order, so that its
        refusal says that everything before it was answered. Sends are answered by the
        log, so they are waited for one by one.
        """
        start = len(self.seen)
        await self.send(*frames, f.Call(id="the end", method="no such method"))
        keys = {frame.key for frame in frames if isinstance(frame, f.Send)}
        while True:
            since = self.seen[start:]
            answered = {getattr(x, "key", None) for x in since}
            ends = any(getattr(x, "id", None) == "the end" for x in since)
            if ends and keys <= answered:
                return [x for x in since if getattr(x, "id", None) != "the end"]
            try:
                await self.until(f.Frame)
            except ConnectionClosed:
                return [x for x in since if getattr(x, "id", None) != "the end"]

    async def all_until_closed(self) -> list[Any]:
        """Return every frame of a connection that the server ends."""
        with anyio.fail_after(5), suppress(ConnectionClosed):
            while True:
                await self.until(f.Frame)
        return self.seen

    def cut(self) -> None:
        self.stream.cut()


@asynccontextmanager
async def world(limits: Limits = LIMITS, *, before: Any = None) -> AsyncIterator[World]:
    """Run a node with two sites and two agents; `before` fills the store first."""
    store = MemoryStore(limits, now=monotonic, now_ms=unix_ms)
    async with store, anyio.create_task_group() as tasks:
        for number in (1, 2):
            await store.put_site(
                Site(
                    id=number, name=f"shop {number}", embed_key=f"canary-embed-{number}"
                )
            )
            await store.put_agent(
                Agent(
                    id=number,
                    login=f"canary-login-{number}",
                    name=f"name of a{number}",
                    password_hash=f"canary-hash-{number}",
                    role=Role.ADMIN if number == 2 else Role.AGENT,
                )
            )
        if before is not None:
            await before(store)
        w = World(store, limits, tasks)
        await tasks.start(w.hub.run)
        w.desk.attach(w.hub)
        await w.desk.start(tasks)
        try:
            yield w
        finally:
            for stream in w.streams:
                stream.cut()
        await w.hub.drain()
        tasks.cancel_scope.cancel()
        assert w.hub.connection_count == 0


async def eventually(condition: Any) -> None:
    """Wait until background work has made something true."""
    with anyio.fail_after(5):
        while not condition():
            await anyio.sleep(0.005)
