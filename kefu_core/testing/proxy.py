"""A TCP proxy that does to a link what bad networks do to it.

::

    client ──▶ 127.0.0.1:proxy.port ──▶ proxy.target ──▶ server

What is set on the proxy counts at once, for connections that are open too. "Up" is
what the client says, "down" what the server answers.
"""

import random
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import anyio
from anyio.abc import SocketAttribute, SocketStream

_READ_BYTES = 65_536
_LOOK_S = 0.01
_PACE_S = 0.05
_BROKEN = (
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    OSError,
)


class Filter(Protocol):
    """Decides, for one connection, what of the bytes may pass by now."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes; return those that pass now."""


class Direction:
    """One way through the proxy, for all its connections together."""

    def __init__(self) -> None:
        self.passed_bytes = 0
        """Bytes that went through so far."""
        self.cut_at: int | None = None
        """Cut once, after so many bytes of all connections; then the way is good."""
        self.delay_s = 0.0
        """Every piece waits for so long."""
        self.jitter_s = 0.0
        """The delay is drawn anew for every piece, so much shorter or longer."""
        self.bytes_per_s = 0
        """How much passes; 0 is no limit."""
        self.is_swallowing = False
        """Nothing arrives any more, and nobody is told: a black hole. A connection
        that lost a byte in it stays in it, as one does that a middlebox forgot."""
        self.is_paused = False
        """Nothing is read any more: who writes finds the window closed."""
        self.piece_bytes = _READ_BYTES
        """Pieces are at most so large: 1 dribbles byte by byte."""
        self.filter: Callable[[], Filter] | None = None
        """Makes what holds bytes back, for each connection that opens from now on."""

    def allowance(self, size: int) -> int:
        """Return how many of the next bytes pass before the cut."""
        if self.cut_at is None:
            return size
        return min(size, self.cut_at - self.passed_bytes)

    @property
    def read_bytes(self) -> int:
        """How much to take at once."""
        if not self.bytes_per_s:
            return self.piece_bytes
        return min(self.piece_bytes, max(1, int(self.bytes_per_s * _PACE_S)))

    async def wait(self, size: int, rng: random.Random) -> None:
        """Hold a piece for as long as the way takes."""
        if self.delay_s:
            jitter_s = rng.uniform(-self.jitter_s, self.jitter_s)
            await anyio.sleep(max(0.0, self.delay_s + jitter_s))
        if self.bytes_per_s:
            await anyio.sleep(size / self.bytes_per_s)
        while self.is_paused:
            await anyio.sleep(_LOOK_S)


class Link:
    """One connection through the proxy."""

    def __init__(self, client: SocketStream, server: SocketStream) -> None:
        self.client = client
        self.server = server
        self.lost: set[Direction] = set()
        """Ways on which nothing arrives any more."""
        self.has_client_left = False
        self.has_server_left = False
        """The server has ended it, or has been told that it ended."""
        self.moved_at = anyio.current_time()
        """When a byte last passed."""

    def left(self, end: SocketStream) -> None:
        """Note that one end has ended the connection."""
        self.has_client_left |= end is self.client
        self.has_server_left |= end is self.server


class Proxy:
    """Passes bytes on, until told otherwise."""

    def __init__(self, target: int) -> None:
        """Pass on to a port of 127.0.0.1; `target` may be changed at any time."""
        self.target = target
        self.source_host: str | None = None
        """The address from which the server sees new connections come."""
        self.keeps_hosts = False
        """The server sees new connections come from their clients' own addresses."""
        self.receive_buffer_bytes = 0
        """How much the kernel holds of what the server says on new connections; 0 is
        the kernel's choice, which is megabytes."""
        self.port = 0
        """Where clients dial; known once it serves."""
        self.up = Direction()
        self.down = Direction()
        self.is_refusing = False
        """New connections are cut at once."""
        self.is_duplicating = False
        """What clients say on new connections is said to the server twice, on a
        connection of its own; the second answer is thrown away."""
        self.idle_s = 0.0
        """A connection on which nothing passes for so long ends; 0 is never."""
        self.accepted_count = 0
        self.cut_count = 0
        """How often `cut_at` or `idle_s` struck."""
        self.is_resetting = True
        """A cut is a reset; False: both ends read an orderly end."""
        self._links: set[Link] = set()
        self._rng = random.Random(0)

    @property
    def open_count(self) -> int:
        """Connections that are open now."""
        return len(self._links)

    @property
    def links(self) -> list[Link]:
        """The connections that are open now."""
        return list(self._links)

    async def cut(self, links: Sequence[Link] | None = None) -> None:
        """Break every open connection, or some."""
        for link in self.links if links is None else links:
            await self._break(link)

    def strand(self, links: Sequence[Link] | None = None) -> None:
        """Let open connections pass nothing any more, and tell nobody."""
        for link in self.links if links is None else links:
            link.lost |= {self.up, self.down}

    async def abandon(self, links: Sequence[Link] | None = None) -> None:
        """Reset the client's end of connections; the server is not told."""
        links = self.links if links is None else links
        self.strand(links)
        for link in links:
            self._links.discard(link)
            with anyio.CancelScope(shield=True):
                _reset_at_close(link.client)
                await anyio.aclose_forcefully(link.client)

    async def cut_idle(self) -> None:
        """Break what is idle for `idle_s`, until cancelled."""
        # One task for all: hundreds that look twenty times a second are a load.
        while True:
            await anyio.sleep(_PACE_S)
            if not self.idle_s:
                continue
            before = anyio.current_time() - self.idle_s
            for link in self.links:
                if link.moved_at <= before and link in self._links:
                    self.cut_count += 1
                    await self._break(link)

    async def serve(self, client: SocketStream) -> None:
        """Serve one accepted connection to its end."""
        self.accepted_count += 1
        if self.is_refusing:
            await anyio.aclose_forcefully(client)
            return
        try:
            server = await self._dial(client)
        except OSError:
            await anyio.aclose_forcefully(client)
            return
        link = Link(client, server)
        self._links.add(link)
        try:
            async with anyio.create_task_group() as tasks:
                is_twofold = self.is_duplicating
                said = await self._duplicate(client, tasks) if is_twofold else None
                async with anyio.create_task_group() as ways:
                    ways.start_soon(self._pass, client, server, self.up, link, said)
                    ways.start_soon(self._pass, server, client, self.down, link)
                tasks.cancel_scope.cancel()
        finally:
            self._links.discard(link)
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(client)
                await anyio.aclose_forcefully(server)

    async def _dial(self, client: SocketStream) -> SocketStream:
        host = self.source_host
        if self.keeps_hosts:
            host = client.extra(SocketAttribute.remote_address)[0]
        # A connect that is cancelled as it succeeds loses its socket; here it takes
        # no time, so it may end.
        with anyio.CancelScope(shield=True):
            stream = await anyio.connect_tcp("127.0.0.1", self.target, local_host=host)
        if self.receive_buffer_bytes:
            raw = stream.extra(SocketAttribute.raw_socket)
            option = socket.SO_RCVBUF
            raw.setsockopt(socket.SOL_SOCKET, option, self.receive_buffer_bytes)
        return stream

    async def _pass(
        self,
        source: SocketStream,
        sink: SocketStream,
        way: Direction,
        link: Link,
        twin: SocketStream | None = None,
    ) -> None:
        held = way.filter() if way.filter is not None else None
        try:
            while True:
                data = await source.receive(way.read_bytes)
                await way.wait(len(data), self._rng)
                if way.is_swallowing:
                    link.lost.add(way)
                if way in link.lost:
                    continue
                if held is not None:
                    data = held.feed(data)
                allowed = way.allowance(len(data))
                way.passed_bytes += allowed
                link.moved_at = anyio.current_time()
                if allowed:
                    await sink.send(data[:allowed])
                    await _repeat(twin, data[:allowed])
                if allowed < len(data) or way.passed_bytes == way.cut_at:
                    way.cut_at = None
                    self.cut_count += 1
                    await self._break(link)
                    return
        except anyio.EndOfStream:
            link.left(source)
            await self._end(sink, way, link)
        except _BROKEN:
            link.left(source)
            if way.is_swallowing or way in link.lost:
                # Who is behind a black hole never ends.
                await self._until_both_left(link)
            await self._break(link)

    async def _end(self, sink: SocketStream, way: Direction, link: Link) -> None:
        if way.is_swallowing or way in link.lost:
            await self._until_both_left(link)
            return
        try:
            await sink.send_eof()
        except (*_BROKEN, RuntimeError):
            return  # Reset meanwhile; a RuntimeError on uvloop.

    async def _until_both_left(self, link: Link) -> None:
        """Wait for the end of a link of which one end is gone and nobody was told."""
        while not (link.has_client_left and link.has_server_left):
            await anyio.sleep(_LOOK_S)

    async def _duplicate(
        self, client: SocketStream, tasks: anyio.abc.TaskGroup
    ) -> SocketStream:
        """Open the second connection, and throw away what it is told."""
        twin = await self._dial(client)

        async def drop() -> None:
            async with twin:
                try:
                    while True:
                        await twin.receive()
                except _BROKEN:
                    return

        tasks.start_soon(drop)
        return twin

    async def _break(self, link: Link) -> None:
        if link not in self._links:
            return  # The other way through it was first.
        self._links.discard(link)
        with anyio.CancelScope(shield=True):
            for stream in (link.client, link.server):
                if self.is_resetting:
                    _reset_at_close(stream)
                await anyio.aclose_forcefully(stream)


@asynccontextmanager
async def proxy_to(target: int) -> AsyncIterator[Proxy]:
    """Run a proxy to a port of 127.0.0.1; at the end every connection is cut."""
    proxy = Proxy(target)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    proxy.port = listener.extra(SocketAttribute.local_port)
    arrived: set[SocketStream] = set()

    async def serve(client: SocketStream) -> None:
        arrived.discard(client)
        await proxy.serve(client)

    async def accept() -> None:
        async with anyio.create_task_group() as tasks:
            while True:
                client = await listener.listeners[0].accept()  # type: ignore[attr-defined]
                arrived.add(client)
                tasks.start_soon(serve, client)

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(accept)
        tasks.start_soon(proxy.cut_idle)
        yield proxy
        tasks.cancel_scope.cancel()
    # Whoever was cancelled before its first step ran none of its code.
    for client in arrived:
        await anyio.aclose_forcefully(client)


class WholeAnswers:
    """An HTTP proxy that buffers: a response passes when all of it is here.

    What never ends for such a proxy never passes: a WebSocket, or what is not HTTP.
    """

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> bytes:
        """Take bytes; return the responses that are whole now."""
        self._held += data
        passed = b""
        while (size := self._whole_bytes()) is not None:
            passed += self._held[:size]
            del self._held[:size]
        return passed

    def _whole_bytes(self) -> int | None:
        """Return the size of the first response, None while it is not whole."""
        head, end, _ = bytes(self._held).partition(b"\r\n\r\n")
        if (
            not end
            or not head.startswith(b"HTTP/1.1")
            or head.startswith(b"HTTP/1.1 1")
        ):
            return None
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                size = len(head) + len(end) + int(value)
                return size if len(self._held) >= size else None
        return None


async def _repeat(twin: SocketStream | None, data: bytes) -> None:
    if twin is None:
        return
    try:
        await twin.send(data)
    except _BROKEN:
        return  # The server has ended the second one; the first goes on.


def _reset_at_close(stream: SocketStream) -> None:
    """Let the close be a reset, as from a middlebox that lost its table."""
    linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
    try:
        raw = stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    except (OSError, ValueError, AttributeError, RuntimeError):
        return  # It is closed; uvloop says so in several ways.
