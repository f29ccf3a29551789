"""What a way of carrying frames promises, and what it may rely on.

A transport is a plug-in: a `Transport` object, named in the entry-point group
`kefu.transports` of the package that brings it. It carries whole batches of frames
(`FrameStream`) and knows nothing of what they mean. `kefu_core.testing.transports`
has the suite that every transport passes.
"""

import random
import ssl
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, MutableMapping
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

import msgspec
from anyio.abc import SocketListener

from kefu_core.abc.streams import FrameStream
from kefu_core.counts import Counts
from kefu_core.limits import Limits

Scope = MutableMapping[str, Any]
AsgiReceive = Callable[[], Awaitable[MutableMapping[str, Any]]]
AsgiSend = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AddressOf = Callable[[Scope], str]
"""The peer's address from an ASGI scope, where proxies are trusted."""


class StreamServer(Protocol):
    """What serves a stream once it is open: the hub."""

    hello_pending: int
    is_draining: bool
    counts: Counts
    """What a transport refuses by itself it counts in `counts.refused`."""

    @property
    def connection_count(self) -> int:
        """Open connections."""

    async def serve(self, stream: FrameStream) -> None:
        """Drive one connection to its end. Raises nothing but cancellation."""


class ServerContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a server's end of a transport is given."""

    server: StreamServer
    limits: Limits
    now: Callable[[], float]
    """Monotonic seconds."""
    rng: random.Random
    """Draws jitter."""
    address_of: AddressOf | None = None
    """None: the socket's address."""


class AsgiEndpoint(ABC):
    """An ASGI application that serves frames; entered for as long as it may serve."""

    scope_type: ClassVar[str]
    """`websocket` or `http`."""

    async def __aenter__(self) -> Self:
        """Make ready to serve."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> bool | None:
        """End every connection that is left."""
        return None

    @abstractmethod
    async def __call__(
        self, scope: Scope, receive: AsgiReceive, send: AsgiSend
    ) -> None:
        """Serve one request or WebSocket."""


class SocketEndpoint(ABC):
    """Serves frames on the connections of a listening socket."""

    @abstractmethod
    async def serve(
        self, listener: SocketListener, *, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        """Accept until the listener is closed, then wait for what was accepted.

        Cancelled, it ends what was accepted too.
        """


class DialOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a client wants its stream opened."""

    codec: str = "msgpack"
    """`json` or `msgpack`."""
    limits: Limits = Limits()
    """What this side accepts."""
    origin: str | None = None
    """`Origin` header, where there are headers."""
    local_host: str | None = None
    """Address to dial from."""
    ssl_context: ssl.SSLContext | None = None
    """For encrypted URLs; the system's trust by default."""
    timeout_s: float = 10.0
    """For connecting and any handshake together."""
    offers_deflate: bool = False
    """Offer to compress, as browsers do on every WebSocket. kefu's own server refuses:
    memory for each connection would be many times what it is."""


class Transport(ABC):
    """One way to carry frames. Stateless: one object serves any number of nodes."""

    name: ClassVar[str]
    """What settings, URLs' parameters and `PeerInfo.transport` call it."""
    schemes: ClassVar[tuple[str, ...]]
    """URL schemes its clients dial."""
    path: ClassVar[str] = ""
    """Where an ASGI endpoint is mounted by default; empty for a socket's."""

    @abstractmethod
    def endpoint(self, context: ServerContext) -> AsgiEndpoint | SocketEndpoint:
        """Return the server's end."""

    @abstractmethod
    async def connect(self, url: str, options: DialOptions) -> FrameStream:
        """Open a stream. Raises `ConnectionClosed`, whose `reason` says why not."""
