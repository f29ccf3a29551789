"""Memory of a connection at rest, beside that of the bare echo server's connection."""

import itertools
import math
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import anyio
import msgspec
from anyio.abc import SocketStream
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from benchmarks.echo_load import expected_bytes, frame_of
from benchmarks.result import machine, versions
from benchmarks.target import Kefu, Process, echo_process
from kefu_core.abc.transports import DialOptions
from kefu_core.protocol.codec import MSGPACK
from kefu_core.protocol.frames import Hello, Ping
from kefu_core.protocol.framing import with_length
from kefu_core.transports.registry import find_transport

WARM_UP = 20
"""Connections that load what is not any connection's."""
SETTLE_S = 1.0
PER_ADDRESS = 40
HELD_WAIT_S = 25

Opened = Callable[[AsyncExitStack, str, str], Awaitable[None]]
"""Opens one connection with a token, from an address, and leaves it at rest."""
Beat = Callable[[], Awaitable[None]]
"""Says that a client is still there: servers end those who are silent."""
PING = MSGPACK.encode(Ping())


class Idle(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection at rest holds."""

    kib_per_connection: float
    connections: int


def measure_idle(transport: str, server: Kefu, connections: int) -> Idle:
    """Return resident memory per idle visitor; the server must be fresh.

    WebSockets offer permessage-deflate, as browsers do; all say hello and are
    welcomed; a poll session has acknowledged everything and holds no poll.
    """
    tokens = [server.visitor_token() for _ in range(connections)]
    return anyio.run(_measure, server, opener_of(transport, server), tokens)


def opener_of(transport: str, server: Kefu, beats: list[Beat] | None = None) -> Opened:
    """Return what opens a connection of a kind; it adds what keeps it to `beats`."""
    match transport:
        case "websocket":
            return _websocket(server.url(transport), [] if beats is None else beats)
        case "tcp":
            return _tcp(server.url(transport), [] if beats is None else beats)
        case _:
            return _Polls(server.port, held=False, beats=beats).open


def compare_idle(
    transport: str, connections: int, server_name: str = "hypercorn"
) -> dict[str, object]:
    """Return the memory of kefu's and of a bare echo's connections, from one run."""
    found: dict[str, object] = {
        "transport": transport,
        "server": server_name,
        "connections": connections,
    }
    found |= {"machine": machine(), "versions": versions()}
    with tempfile.TemporaryDirectory(prefix="kefu-idle-") as name:
        with Kefu(Path(name), server=server_name) as server:
            ours = measure_idle(transport, server, connections)
        found["idle_kib_per_connection"] = round(ours.kib_per_connection, 1)
        if transport == "longpoll":
            home = Path(name) / "held"
            home.mkdir()
            with Kefu(home, server=server_name) as server:
                tokens = [server.visitor_token() for _ in range(connections)]
                polls: Opened = _Polls(server.port, held=True).open
                held = anyio.run(_measure, server, polls, tokens)
            found["idle_kib_per_held_poll"] = round(held.kib_per_connection, 1)
            return found
        with echo_process(Path(name), transport, server_name) as server:
            opened = _echo(transport, server.port)
            echo = anyio.run(_measure, server, opened, [""] * connections)
        found["echo_kib_per_connection"] = round(echo.kib_per_connection, 1)
        if echo.kib_per_connection > 0:  # It may be 0 where they are few.
            ratio = ours.kib_per_connection / echo.kib_per_connection
            found["memory_ratio"] = round(ratio, 2)
    return found


async def _measure(server: Process, opened: Opened, tokens: list[str]) -> Idle:
    # The first connections load code and caches that are not any connection's.
    async with AsyncExitStack() as stack:
        for token in tokens[:WARM_UP]:
            await opened(stack, token, "127.0.0.2")
    await anyio.sleep(SETTLE_S)
    empty = server.rss_bytes()
    async with AsyncExitStack() as stack:
        for number, token in enumerate(tokens):
            await opened(stack, token, f"127.0.0.{3 + number // PER_ADDRESS}")
        await anyio.sleep(SETTLE_S)
        used = server.rss_bytes() - empty
        return Idle(
            kib_per_connection=used / len(tokens) / 1024, connections=len(tokens)
        )


def _hello(token: str) -> bytes:
    return MSGPACK.encode(Hello(token=token, client="kefu-benchmark"))


def _websocket(url: str, beats: list[Beat]) -> Opened:
    async def opened(stack: AsyncExitStack, token: str, address: str) -> None:
        socket = await stack.enter_async_context(
            connect(
                url,
                subprotocols=[Subprotocol("kefu.v1.msgpack")],
                compression="deflate",
                local_addr=(address, 0),
            )
        )
        await socket.send(MSGPACK.join([_hello(token)]))
        await socket.recv()
        beats.append(partial(socket.send, MSGPACK.join([PING])))

    return opened


def _tcp(url: str, beats: list[Beat]) -> Opened:
    async def opened(stack: AsyncExitStack, token: str, address: str) -> None:
        options = DialOptions(local_host=address)
        stream = await find_transport("tcp").connect(url, options)
        stack.push_async_callback(stream.aclose)
        await stream.send([_hello(token)])
        await stream.receive()
        beats.append(partial(stream.send, [PING]))

    return opened


def _echo(transport: str, port: int) -> Opened:
    frame = frame_of(100)

    async def tcp(stack: AsyncExitStack, token: str, address: str) -> None:
        stream = await stack.enter_async_context(
            await anyio.connect_tcp("127.0.0.1", port, local_host=address)
        )
        await stream.send(with_length(frame))
        await stream.receive(65_536)

    async def websocket(stack: AsyncExitStack, token: str, address: str) -> None:
        socket = await stack.enter_async_context(
            connect(
                f"ws://127.0.0.1:{port}/",
                subprotocols=[Subprotocol("kefu.v1.msgpack")],
                compression="deflate",
                local_addr=(address, 0),
            )
        )
        await socket.send(frame)
        await socket.recv()

    return tcp if transport == "tcp" else websocket


class _Polls:
    """Opens poll sessions by bare requests; between polls they share connections."""

    def __init__(
        self, port: int, *, held: bool, beats: list[Beat] | None = None
    ) -> None:
        self._port = port
        self._held = held
        self._beats = beats
        self._shared: dict[str, SocketStream] = {}

    async def open(self, stack: AsyncExitStack, token: str, address: str) -> None:
        """Begin a session, acknowledge its welcome, and leave it at rest."""
        hello = Hello(token=token, client="kefu-benchmark")
        first = {"poll": 1, "wait": 5, "hello": msgspec.to_builtins(hello)}
        stream = await self._connect(stack, address)
        session = await _post(stream, first, "")
        if not self._held:
            await _post(stream, {"poll": 2, "ack": 1, "wait": 0}, session)
            if self._beats is not None:
                polls = itertools.count(3)
                beat = partial(self._beat, address, session, polls)
                self._beats.append(beat)
                stack.push_async_callback(self._leave, address, session)
            return
        body = {"poll": 2, "ack": 1, "wait": HELD_WAIT_S}
        await stream.send(_request(body, session))

    async def _beat(self, address: str, session: str, polls: Iterator[int]) -> None:
        body = {"poll": next(polls), "ack": 1, "wait": 0}
        await self._ask(address, session, body)

    async def _leave(self, address: str, session: str) -> None:
        # A connection that ends says nothing of the session.
        bye = {"rid": 1, "ack": 1, "frames": [{"t": "bye"}]}
        await self._ask(address, session, bye)

    async def _ask(
        self, address: str, session: str, body: Mapping[str, object]
    ) -> None:
        async with await anyio.connect_tcp(
            "127.0.0.1", self._port, local_host=address
        ) as stream:
            await _post(stream, body, session)

    async def _connect(self, stack: AsyncExitStack, address: str) -> SocketStream:
        # A new one each time: the server closes what rests for some seconds.
        stream = await anyio.connect_tcp("127.0.0.1", self._port, local_host=address)
        if self._held:
            await stack.enter_async_context(stream)
            return stream
        old = self._shared.pop(address, None)
        if old is not None:
            await old.aclose()
        self._shared[address] = stream
        stack.push_async_callback(stream.aclose)
        return stream


def _request(body: Mapping[str, object], session: str) -> bytes:
    data = msgspec.json.encode(body)
    head = "POST /kefu/poll HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    if session:
        head += f"kefu-session: {session}\r\n"
    return f"{head}content-length: {len(data)}\r\n\r\n".encode() + data


async def _post(stream: SocketStream, body: Mapping[str, object], session: str) -> str:
    """Make one request; return the session its answer names."""
    await stream.send(_request(body, session))
    data, missing = b"", math.inf
    while len(data) < missing:
        data += await stream.receive(65_536)
        if b"\r\n\r\n" in data:
            missing = expected_bytes(data)
    if not data.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"a poll was refused: {data[:300]!r}")
    for line in data.split(b"\r\n"):
        if line.lower().startswith(b"kefu-session:"):
            return line.split(b":", 1)[1].strip().decode()
    raise RuntimeError("an answer without a session")
