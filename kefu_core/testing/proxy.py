"""A TCP proxy that does to a link what bad networks do to it.

::

    client ──▶ 127.0.0.1:proxy.port ──▶ proxy.target ──▶ server

What is set on the proxy counts at once, for connections that are open too. "Up" is
what the client says, "down" what the server answers.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketAttribute, SocketStream

_READ_BYTES = 65_536
_LOOK_S = 0.01
_BROKEN = (
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    OSError,
)


class Direction:
    """One way through the proxy, for all its connections together."""

    def __init__(self) -> None:
        self.passed_bytes = 0
        """Bytes that went through so far."""
        self.cut_at: int | None = None
        """Cut once, after so many bytes of all connections; then the way is good."""
        self.delay_s = 0.0
        """Every piece waits for so long."""
        self.is_swallowing = False
        """Nothing arrives any more, and nobody is told: a black hole."""
        self.is_paused = False
        """Nothing is read any more: who writes finds the window closed."""
        self.piece_bytes = _READ_BYTES
        """Pieces are at most so large: 1 dribbles byte by byte."""

    def allowance(self, size: int) -> int:
        """Return how many of the next bytes pass before the cut."""
        if self.cut_at is None:
            return size
        return min(size, self.cut_at - self.passed_bytes)


class Proxy:
    """Passes bytes on, until told otherwise."""

    def __init__(self, target: int) -> None:
        """Pass on to a port of 127.0.0.1; `target` may be changed at any time."""
        self.target = target
        self.port = 0
        """Where clients dial; known once it serves."""
        self.up = Direction()
        self.down = Direction()
        self.is_refusing = False
        """New connections are cut at once."""
        self.accepted_count = 0
        self.cut_count = 0
        """How often `cut_at` struck."""
        self.is_resetting = True
        """A cut is a reset; False: both ends read an orderly end."""
        self._links: set[tuple[SocketStream, SocketStream]] = set()

    @property
    def open_count(self) -> int:
        """Connections that are open now."""
        return len(self._links)

    async def cut(self) -> None:
        """Break every open connection."""
        for link in list(self._links):
            await self._break(link)

    async def serve(self, client: SocketStream) -> None:
        """Serve one accepted connection to its end."""
        self.accepted_count += 1
        if self.is_refusing:
            await anyio.aclose_forcefully(client)
            return
        try:
            server = await anyio.connect_tcp("127.0.0.1", self.target)
        except OSError:
            await anyio.aclose_forcefully(client)
            return
        link = (client, server)
        self._links.add(link)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._pass, client, server, self.up, link)
                tasks.start_soon(self._pass, server, client, self.down, link)
        finally:
            self._links.discard(link)
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(client)
                await anyio.aclose_forcefully(server)

    async def _pass(
        self,
        source: SocketStream,
        sink: SocketStream,
        way: Direction,
        link: tuple[SocketStream, SocketStream],
    ) -> None:
        try:
            while True:
                data = await source.receive(way.piece_bytes)
                if way.delay_s:
                    await anyio.sleep(way.delay_s)
                while way.is_paused:
                    await anyio.sleep(_LOOK_S)
                if way.is_swallowing:
                    continue
                allowed = way.allowance(len(data))
                way.passed_bytes += allowed
                if allowed:
                    await sink.send(data[:allowed])
                if allowed < len(data) or way.passed_bytes == way.cut_at:
                    way.cut_at = None
                    self.cut_count += 1
                    await self._break(link)
                    return
        except anyio.EndOfStream:
            await self._end(sink, way)
        except _BROKEN:
            if way.is_swallowing:
                await anyio.sleep_forever()  # Who is behind a black hole never ends.
            await self._break(link)

    async def _end(self, sink: SocketStream, way: Direction) -> None:
        if way.is_swallowing:
            await anyio.sleep_forever()
        try:
            await sink.send_eof()
        except (*_BROKEN, RuntimeError):
            return  # Reset meanwhile; a RuntimeError on uvloop.

    async def _break(self, link: tuple[SocketStream, SocketStream]) -> None:
        if link not in self._links:
            return  # The other way through it was first.
        self._links.discard(link)
        with anyio.CancelScope(shield=True):
            for stream in link:
                if self.is_resetting:
                    _reset_at_close(stream)
                await anyio.aclose_forcefully(stream)


@asynccontextmanager
async def proxy_to(target: int) -> AsyncIterator[Proxy]:
    """Run a proxy to a port of 127.0.0.1; at the end every connection is cut."""
    proxy = Proxy(target)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    proxy.port = listener.extra(SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, proxy.serve)
        yield proxy
        tasks.cancel_scope.cancel()


def _reset_at_close(stream: SocketStream) -> None:
    """Let the close be a reset, as from a middlebox that lost its table."""
    linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
    try:
        raw = stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    except (OSError, ValueError, AttributeError, RuntimeError):
        return  # It is closed; uvloop says so in several ways.
