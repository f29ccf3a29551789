"""One node over the memory store, and whoever connects to it.

A `Client` is somebody who behaves; a `Peer` says the frames it is told to say and
reads only when it is told to read.
"""

import math
import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio

from kefu_core.abc.streams import FrameStream
from kefu_core.client import Client
from kefu_core.errors import (
    ConnectionClosed,
)
from kefu_core.hub import Connection, Hub
from kefu_core.limits import Limits
from kefu_core.model import (
    Appended,
    Draft,
    MessageKind,
    Person,
    Role,
    Site,
)
from kefu_core.node import monotonic, unix_ms
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON, MSGPACK, BadFrame, Codec
from kefu_core.transports.memory import MemoryStream, memory_pair
from kefu_core.types import ConversationId, ParticipantId
from tests.core.hub.application import Faults, FaultyStore, Gate, PlainHandler

__all__ = ["LIMITS", "Faults", "FaultyStore", "Gate", "Peer", "World", "bodies"]
__all__ += ["send", "world"]

LIMITS = Limits(
    visitor_messages_burst=10_000,
    frames_per_s=1e5,
    frames_burst=100_000,
    receipt_interval_s=0.01,
    revocation_check_s=0.01,
    drain_s=1.0,
)

F = TypeVar("F", bound=f.Frame)


class Peer:
    """A client's end that is driven frame by frame."""

    def __init__(self, stream: MemoryStream) -> None:
        self.stream = stream
        self.served = anyio.Event()
        """Set when the node is done with this connection."""
        self.log: list[f.Frame | BadFrame] = []
        """Everything that was read."""
        self.may_not_read = False
        self._unseen: deque[f.Frame | BadFrame] = deque()

    async def say(self, *frames: f.Frame) -> None:
        """Write frames as one batch."""
        await self.stream.send([self.stream.codec.encode(frame) for frame in frames])

    async def expect(self, kind: type[F], **fields: object) -> F:
        """Read on to the next frame of a kind with these fields."""
        with anyio.fail_after(10):
            while True:
                while self._unseen:
                    frame = self._unseen.popleft()
                    if isinstance(frame, kind) and all(
                        getattr(frame, name) == value for name, value in fields.items()
                    ):
                        return frame
                await self._read()

    async def bodies(self, count: int) -> list[str]:
        """Read on until there are so many messages."""
        return [(await self.expect(f.MessageFrame)).body for _ in range(count)]

    async def until_answered(self) -> None:
        """Wait until every request before this one is answered."""
        await self.say(f.Call(id="barrier", method="echo"))
        await self.expect(f.Reply, id="barrier")

    async def until_closed(self) -> int:
        """Read to the end; returns the code it was closed with."""
        with anyio.fail_after(10):
            while True:
                try:
                    await self._read()
                except ConnectionClosed as closed:
                    await self.served.wait()
                    return closed.close_code

    def of(self, kind: type[F]) -> list[F]:
        """All frames of a kind that were read."""
        return [frame for frame in self.log if isinstance(frame, kind)]

    async def _read(self) -> None:
        frames = await self.stream.receive()
        self.log += frames
        self._unseen += frames


class World:
    """One node and whoever connects to it."""

    def __init__(self, limits: Limits, tasks: anyio.abc.TaskGroup) -> None:
        self.limits = limits
        self.ms = 0
        """The wall clock of the node and its store; 0: the machine's."""
        self.store = FaultyStore(limits, now_ms=lambda: self.ms or unix_ms())
        self.handler = PlainHandler(self.store)
        self.skipped_s = 0.0
        """How far the hub's clock is ahead of the machine's."""
        self.hub = Hub(
            self.store,
            self.handler,
            limits,
            now=lambda: monotonic() + self.skipped_s,
            now_ms=lambda: self.ms or unix_ms(),
            rng=random.Random(0),
        )
        self.streams: list[MemoryStream] = []
        self.peers: list[Peer] = []
        self._tasks = tasks

    async def conversation(self, visitor: str = "v1") -> ConversationId:
        """Open a conversation of a visitor."""
        person = Person(id=ParticipantId(visitor), name="", role=Role.VISITOR)
        return (await self.store.open_conversation(1, person)).id

    async def append(
        self,
        conversation: ConversationId,
        *bodies: str,
        sender: str = "a1",
        kind: MessageKind = MessageKind.TEXT,
    ) -> Appended:
        """Let the server append messages; returns the last."""
        for body in bodies:
            draft = Draft(
                conversation=conversation,
                sender=ParticipantId(sender),
                key=f"server {body}",
                kind=kind,
                body=body,
            )
            appended = await self.hub.append(draft)
        return appended

    def client(self, who: str, codec: Codec = MSGPACK) -> Client:
        """Return a client that comes back when it is cut off."""

        async def dial() -> FrameStream:
            ours, theirs = memory_pair(codec, self.limits)
            self.streams.append(ours)
            self._tasks.start_soon(self.hub.serve, theirs)
            return ours

        rng = random.Random(1)
        return Client(token=who, dial=dial, rng=rng)

    async def connect(
        self, codec: Codec = JSON, *, buffered_batches: float = math.inf
    ) -> Peer:
        """Return a peer that has not said hello."""
        ours, theirs = memory_pair(
            codec, self.limits, buffered_batches=buffered_batches
        )
        peer = Peer(ours)
        peer.may_not_read = buffered_batches < math.inf
        self.peers.append(peer)
        self.streams.append(ours)

        async def serve() -> None:
            try:
                await self.hub.serve(theirs)
            finally:
                peer.served.set()

        self._tasks.start_soon(serve)
        return peer

    async def peer(
        self,
        who: str,
        codec: Codec = JSON,
        *,
        buffered_batches: float = math.inf,
        **hello: Any,
    ) -> Peer:
        """Return a peer that was welcomed."""
        peer = await self.connect(codec, buffered_batches=buffered_batches)
        await peer.say(f.Hello(token=who, **hello))
        await peer.expect(f.Welcome)
        return peer

    async def follower(
        self, who: str, conversation: ConversationId, **options: Any
    ) -> Peer:
        """Return a peer that follows a conversation from its beginning."""
        peer = await self.peer(who, **options)
        await peer.say(f.Follow(conversation=conversation))
        await peer.expect(f.Head)
        return peer

    def connection(self, who: str) -> Connection:
        """Return the newest connection of a participant, to look at what it holds."""
        return [c for c in self.hub._connections if c.me == who][-1]

    def cut(self) -> None:
        """Break every connection at once."""
        for stream in self.streams:
            stream.cut()


@asynccontextmanager
async def world(limits: Limits = LIMITS) -> AsyncIterator[World]:
    """Run a node; at the end nothing may be left of who was connected."""
    async with anyio.create_task_group() as tasks:
        w = World(limits, tasks)
        async with w.store:
            await w.store.put_site(Site(id=1, name="shop", embed_key="k"))
            await tasks.start(w.hub.run)
            try:
                yield w
                for peer in w.peers:
                    if peer.may_not_read:
                        peer.stream.cut()  # Else the drain would wait for it.
                        await peer.served.wait()
                await w.hub.drain()
                for peer in w.peers:
                    await peer.served.wait()
            finally:
                w.cut()
            tasks.cancel_scope.cancel()
            hub = w.hub
            assert hub.connection_count == hub.hello_pending == 0
            assert not hub._followers
            assert not hub._rings
            assert not hub._rows
            assert not hub._by_participant
            assert all(t.watcher_count == 0 for t in hub.lists._topics.values())


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


def send(conversation: ConversationId, n: int, body: str | None = None) -> f.Send:
    """Return the n-th send of a connection; its key and text are named after n."""
    text = f"m{n}" if body is None else body
    return f.Send(key=f"k{n}", conversation=conversation, n=n, body=text)
