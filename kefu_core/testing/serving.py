"""A real node behind real sockets, for suites that drive it from outside."""

import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from socket import socket
from typing import Any, TypeVar

import anyio
from anyio.abc import SocketListener, TaskGroup

from kefu_core.abc.handler import Handler
from kefu_core.abc.store import Store
from kefu_core.abc.streams import FrameStream, PeerInfo
from kefu_core.abc.transports import (
    AsgiEndpoint,
    DialOptions,
    SocketEndpoint,
    Transport,
)
from kefu_core.client import Client
from kefu_core.errors import (
    Banned,
    ConfigurationError,
    ConnectionClosed,
    Invalid,
    LogDamaged,
    NotAllowed,
    NotFound,
    StorageFull,
    StoreUnavailable,
    Unauthorized,
)
from kefu_core.hub import Hub
from kefu_core.limits import Limits
from kefu_core.model import Conversation, Draft, Person, Principal, Role, Site
from kefu_core.node import Node
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import BadFrame
from kefu_core.testing.proxy import Proxy, proxy_to
from kefu_core.transports.sockets import open_listening_socket
from kefu_core.types import ConversationId, ParticipantId, UnixMs

LIMITS = Limits(
    visitor_messages_burst=100_000,
    frames_per_s=1e5,
    frames_burst=100_000,
    address_connections_max=10_000,
    address_connections_burst=10_000,
    visitor_connections_max=50,
    receipt_interval_s=0.02,
    drain_s=2.0,
    stop_s=5.0,
)
"""The default limits with a pace that no test meets by accident."""

ServeAsgi = Callable[[AsgiEndpoint, socket], AbstractAsyncContextManager[None]]
"""Serves an ASGI endpoint on a listening socket for as long as it is entered."""
OpenStore = Callable[[Limits], Store]
"""Returns a store that is not open yet; every call gives the same data."""

F = TypeVar("F", bound=f.Frame)


class Eager(random.Random):
    """Draws the shortest delay: a suite need not wait before it dials again."""

    def uniform(self, a: float, b: float) -> float:
        """Return the lower bound."""
        return min(a, b)


class OpenHandler(Handler):
    """Tokens are participants; visitors read their own conversations, agents all."""

    def __init__(self, store: Store) -> None:
        """Take the store that conversations are read from."""
        self.store = store
        self.revoked: set[str] = set()
        self.expires_at_ms = UnixMs(0)

    async def authenticate(self, token: str, peer: PeerInfo) -> Principal:
        if not token:
            raise Unauthorized
        if token == "crash":  # noqa: S105
            raise RuntimeError("a fault of the application")
        return Principal(
            participant=ParticipantId(token),
            role=Role.AGENT if token.startswith("a") else Role.VISITOR,
            site_id=1,
            session=token,
            expires_at_ms=self.expires_at_ms,
        )

    async def revalidate(self, principal: Principal) -> bool:
        return True

    async def find_revoked(self, agents: Collection[Principal]) -> set[Principal]:
        return {agent for agent in agents if agent.session in self.revoked}

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
        if send.body == "refuse":
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
        if method == "crash":
            raise RuntimeError("a fault of the application")
        if method == "forbidden":
            raise NotAllowed
        if method == "banned":
            raise Banned
        if method == "unavailable":
            raise StoreUnavailable(retry_after_s=0.1)
        if method == "storage_full":
            raise StorageFull(retry_after_s=0.1)
        if method == "damaged":
            raise LogDamaged
        return {"echo": params}

    def may_watch(self, principal: Principal, topic: str) -> bool:
        return principal.is_agent


class Peer:
    """Somebody who says exactly what a test says, and reads when it is told to."""

    def __init__(self, stream: FrameStream) -> None:
        """Take the dialling end of a stream."""
        self.stream = stream
        self.log: list[f.Frame | BadFrame] = []
        """Everything that was read."""
        self._unseen: deque[f.Frame | BadFrame] = deque()

    async def say(self, *frames: f.Frame) -> None:
        """Write frames as one batch."""
        await self.stream.send([self.stream.codec.encode(frame) for frame in frames])

    async def expect(self, kind: type[F], **fields: object) -> F:
        """Read on to the next frame of a kind with these fields."""
        with anyio.fail_after(20):
            while True:
                while self._unseen:
                    frame = self._unseen.popleft()
                    if isinstance(frame, kind) and all(
                        getattr(frame, name) == value for name, value in fields.items()
                    ):
                        return frame
                await self._read()

    async def until_closed(self) -> tuple[int, str]:
        """Read to the end; returns the code and reason that were said."""
        with anyio.fail_after(20):
            try:
                while True:
                    await self._read()
            except ConnectionClosed as closed:
                for frame in self.log:
                    if isinstance(frame, f.Closed):
                        return frame.code, frame.reason
                return closed.close_code, closed.reason

    async def _read(self) -> None:
        frames = await self.stream.receive()
        self.log += frames
        self._unseen += frames


def url_of(transport: Transport, port: int) -> str:
    """Return what a client of a transport dials on this machine."""
    return f"{transport.schemes[0]}://127.0.0.1:{port}{transport.path}"


class Served:
    """A node, its sockets, and whoever dials it."""

    def __init__(self, node: Node, handler: OpenHandler, codec: str) -> None:
        """Take an open node; `serve` adds transports."""
        self.node = node
        self.handler = handler
        self.codec = codec
        self.ports: dict[str, int] = {}
        """Where each transport listens, by name."""
        self.endpoints: dict[str, AsgiEndpoint | SocketEndpoint] = {}

    @property
    def hub(self) -> Hub:
        """The node's hub."""
        return self.node.hub

    @property
    def store(self) -> Store:
        """The node's store."""
        return self.node.store

    async def conversation(self, visitor: str = "v1") -> ConversationId:
        """Return a visitor's conversation, opening one if there is none."""
        person = Person(id=ParticipantId(visitor), name="", role=Role.VISITOR)
        return (await self.store.open_conversation(1, person)).id

    async def append(self, conversation: ConversationId, *bodies: str) -> None:
        """Append messages as the agent a9."""
        for body in bodies:
            draft = Draft(
                conversation=conversation,
                sender=ParticipantId("a9"),
                key=f"server {body}",
                body=body,
            )
            await self.hub.append(draft)

    def url(self, transport: Transport, port: int | None = None) -> str:
        """Return what a client of a transport dials, here or at a proxy's port."""
        return url_of(transport, self.ports[transport.name] if port is None else port)

    def client(
        self, transport: Transport, who: str, *, port: int | None = None
    ) -> Client:
        """Return a client that is not entered yet."""
        return Client(
            self.url(transport, port),
            token=who,
            transport=transport,
            codec=self.codec,
            rng=Eager(),
        )

    async def dial(
        self, transport: Transport, *, port: int | None = None, codec: str = ""
    ) -> Peer:
        """Return a peer that has not said hello."""
        options = DialOptions(codec=codec or self.codec, timeout_s=5.0)
        return Peer(await transport.connect(self.url(transport, port), options))

    def proxy(self, transport: Transport) -> AbstractAsyncContextManager[Proxy]:
        """Return a proxy in front of a transport."""
        return proxy_to(self.ports[transport.name])

    async def until_empty(self) -> None:
        """Wait until nobody is connected and nothing is left of who was."""
        with anyio.fail_after(20):
            while self.leftovers():
                await anyio.sleep(0.01)

    def leftovers(self) -> dict[str, int]:
        """What the node still holds for clients; empty when all have left."""
        hub = self.hub
        held = {
            "connections": hub.connection_count,
            "hellos": hub.hello_pending,
            "followed": len(hub._followers),
            "participants": len(hub._by_participant),
        }
        for name, endpoint in self.endpoints.items():
            addresses = getattr(endpoint, "_addresses", None)
            if addresses is not None:
                held[f"{name} addresses"] = sum(addresses._open.values())
        return {name: count for name, count in held.items() if count}


class Kit:
    """Everything a suite needs to put a transport to work."""

    def __init__(
        self,
        transport: Transport,
        codec: str,
        open_store: OpenStore,
        serve_asgi: ServeAsgi | None,
    ) -> None:
        """Take what is under test, and how to serve ASGI on a socket."""
        self.transport = transport
        self.codec = codec
        self._open_store = open_store
        self._serve_asgi = serve_asgi

    @asynccontextmanager
    async def node(
        self, limits: Limits = LIMITS, *, others: Sequence[Transport] = ()
    ) -> AsyncIterator[Served]:
        """Run a node that serves the transport, and others beside it."""
        store = self._open_store(limits)
        transports = {one.name: one for one in (self.transport, *others)}
        handler = OpenHandler(store)
        node = Node(store, handler, limits, transports=list(transports.values()))
        async with AsyncExitStack() as stack:
            tasks = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(tasks.cancel_scope.cancel)
            # Listeners close after the node has drained: its last words get out.
            served = Served(node, handler, self.codec)
            sockets = {}
            for name in transports:
                sockets[name] = open_listening_socket("127.0.0.1", 0)
                stack.callback(sockets[name].close)
                served.ports[name] = sockets[name].getsockname()[1]
            for name in transports:
                await self._serve(served, name, sockets[name], stack, tasks)
            await stack.enter_async_context(node)
            await store.put_site(Site(id=1, name="shop", embed_key="k"))
            yield served

    async def _serve(
        self,
        served: Served,
        name: str,
        listening: socket,
        stack: AsyncExitStack,
        tasks: TaskGroup,
    ) -> None:
        endpoint: AsgiEndpoint | SocketEndpoint
        try:
            endpoint = served.endpoints[name] = served.node.asgi(name)
        except ConfigurationError:
            endpoint = served.endpoints[name] = served.node.socket(name)
        if isinstance(endpoint, AsgiEndpoint):
            assert self._serve_asgi is not None, "give the fixture `serve_asgi`"
            await stack.enter_async_context(self._serve_asgi(endpoint, listening))
        else:
            listener = await SocketListener.from_socket(listening)
            stack.push_async_callback(listener.aclose)
            tasks.start_soon(endpoint.serve, listener)
