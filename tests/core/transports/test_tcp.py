"""TCP byte by byte, against a real node on a real socket."""

import random
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest
from anyio.abc import SocketAttribute, SocketStream

from kefu_core.abc.transports import DialOptions, ServerContext
from kefu_core.errors import ConnectionClosed
from kefu_core.limits import Limits
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON, MSGPACK
from kefu_core.protocol.framing import preface, with_length
from kefu_core.transports.sockets import open_listener
from kefu_core.transports.tcp import TcpEndpoint, connect_tcp
from tests.core.hub.world import LIMITS, World, world

pytestmark = pytest.mark.anyio


class Tcp:
    """A node that listens."""

    def __init__(self, w: World, endpoint: TcpEndpoint, port: int) -> None:
        self.world, self.hub, self.endpoint = w, w.hub, endpoint
        self.url = f"tcp://127.0.0.1:{port}"
        self._port = port

    async def raw(self, *pieces: bytes) -> SocketStream:
        stream = await anyio.connect_tcp("127.0.0.1", self._port)
        for piece in pieces:
            await stream.send(piece)
        return stream

    async def until_empty(self) -> None:
        with anyio.fail_after(10):
            while (
                self.hub.connection_count
                or self.endpoint._opening
                or self.endpoint._addresses._open
            ):
                await anyio.sleep(0.005)


@asynccontextmanager
async def listening(limits: Limits = LIMITS) -> AsyncIterator[Tcp]:
    async with world(limits) as w, anyio.create_task_group() as tasks:
        endpoint = TcpEndpoint(
            ServerContext(
                server=w.hub, limits=limits, now=w.hub.now, rng=random.Random(0)
            )
        )
        listener = await open_listener("127.0.0.1", 0)
        tasks.start_soon(endpoint.serve, listener)
        async with listener:
            tcp = Tcp(w, endpoint, listener.extra(SocketAttribute.local_port))
            yield tcp
            await w.hub.drain()
            await tcp.until_empty()
        tasks.cancel_scope.cancel()


async def read_all(stream: SocketStream) -> bytes:
    """Read to the end, however it ends."""
    data = b""
    with anyio.fail_after(10):
        try:
            while True:
                data += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            await anyio.aclose_forcefully(stream)
            return data


def hello(codec: object = JSON) -> bytes:
    return with_length(codec.join([codec.encode(f.Hello(token="v1"))]))  # type: ignore[attr-defined]


async def until_welcome(stream: SocketStream) -> bytes:
    data = b""
    with anyio.fail_after(10):
        while b"welcome" not in data:
            data += await stream.receive()
    return data


async def test_bytes_that_dribble_in_one_by_one_are_understood() -> None:
    async with listening() as tcp:
        data = preface(JSON) + hello()
        stream = await tcp.raw(*(bytes((byte,)) for byte in data))
        assert (await until_welcome(stream)).startswith(preface(JSON))
        await anyio.aclose_forcefully(stream)
        await tcp.until_empty()


async def test_everything_in_one_piece_is_understood() -> None:
    async with listening() as tcp:
        ping = with_length(JSON.encode(f.Ping()))
        stream = await tcp.raw(preface(JSON) + hello() + ping * 3)
        data = await until_welcome(stream)
        with anyio.fail_after(10):
            while data.count(b"pong") < 3:
                data += await stream.receive()
        await anyio.aclose_forcefully(stream)


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"KEFU\x09\x01\0\0", b"KEFU\x01\x07\0\0"]
)
async def test_who_does_not_speak_kefu_is_refused_with_codec_0(data: bytes) -> None:
    async with listening() as tcp:
        stream = await tcp.raw(data)
        assert (await read_all(stream)) in (preface(None), b"")
        await tcp.until_empty()
        assert tcp.hub.counts.refused == {("tcp", "preface"): 1}


async def test_who_says_no_preface_in_time_is_let_go() -> None:
    async with listening(msgspec.structs.replace(LIMITS, hello_timeout_s=0.05)) as tcp:
        stream = await tcp.raw(b"KEFU")
        assert await read_all(stream) == b""
        await tcp.until_empty()
        assert tcp.hub.counts.refused == {("tcp", "silent"): 1}


async def test_a_length_that_lies_is_told_and_ends_the_connection() -> None:
    async with listening() as tcp:
        stream = await tcp.raw(preface(JSON) + hello())
        await until_welcome(stream)
        await stream.send((2**32 - 1).to_bytes(4, "big") + b"x" * 1_000)
        data = await read_all(stream)
        assert b"too_large" in data
        assert b'"code":4000' in data
        await tcp.until_empty()
        assert tcp.hub.counts.errors == {("tcp", "too_large"): 1}
        assert tcp.hub.counts.closes == {("tcp", "4000"): 1}


async def test_a_batch_in_the_other_codec_ends_the_connection() -> None:
    async with listening() as tcp:
        stream = await tcp.raw(preface(MSGPACK) + hello(JSON))
        assert b"bad_request" in await read_all(stream)
        await tcp.until_empty()


async def test_a_half_batch_and_an_end_leave_nothing() -> None:
    async with listening() as tcp:
        for length in range(1, len(preface(JSON) + hello())):
            stream = await tcp.raw((preface(JSON) + hello())[:length])
            await anyio.aclose_forcefully(stream)
        await tcp.until_empty()


async def test_more_than_an_address_may_open_are_refused() -> None:
    limits = msgspec.structs.replace(LIMITS, address_connections_max=2)
    async with listening(limits) as tcp:
        streams = [await connect_tcp(tcp.url, DialOptions()) for _ in range(2)]
        with pytest.raises(ConnectionClosed):
            await connect_tcp(tcp.url, DialOptions())
        assert tcp.hub.counts.refused == {("tcp", "address"): 1}
        for stream in streams:
            await stream.aclose()
        await tcp.until_empty()
        await (await connect_tcp(tcp.url, DialOptions())).aclose()


async def test_more_than_may_be_without_a_hello_are_refused() -> None:
    async with listening(msgspec.structs.replace(LIMITS, hello_pending_max=2)) as tcp:
        quiet = [await tcp.raw(), await tcp.raw(b"KEFU")]
        with anyio.fail_after(10):
            while tcp.endpoint._opening < 2:
                await anyio.sleep(0.005)
        with pytest.raises(ConnectionClosed):
            await connect_tcp(tcp.url, DialOptions())
        assert tcp.hub.counts.refused == {("tcp", "busy"): 1}
        for stream in quiet:
            await anyio.aclose_forcefully(stream)


async def test_a_node_that_drains_takes_nobody() -> None:
    async with listening() as tcp:
        tcp.hub.is_draining = True
        with pytest.raises(ConnectionClosed):
            await connect_tcp(tcp.url, DialOptions())


async def test_nobody_there_is_a_closed_connection() -> None:
    for url in ("tcp://127.0.0.1:1", "tcp://127.0.0.1"):
        with pytest.raises(ConnectionClosed):
            await connect_tcp(url, DialOptions(timeout_s=2.0))


async def test_a_server_that_says_nothing_is_given_up() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)
        with pytest.raises(ConnectionClosed):
            await connect_tcp(f"tcp://127.0.0.1:{port}", DialOptions(timeout_s=0.05))


async def test_a_plain_client_and_a_server_with_tls_do_not_hang() -> None:
    async with world() as w, anyio.create_task_group() as tasks:
        context = ServerContext(
            server=w.hub, limits=LIMITS, now=w.hub.now, rng=random.Random(0)
        )
        listener = await open_listener("127.0.0.1", 0)
        async with listener:

            async def serve() -> None:
                tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                await TcpEndpoint(context).serve(listener, ssl_context=tls)

            tasks.start_soon(serve)
            port = listener.extra(SocketAttribute.local_port)
            with pytest.raises(ConnectionClosed):
                await connect_tcp(f"tcp://127.0.0.1:{port}", DialOptions(timeout_s=5))
            with anyio.fail_after(10):
                while w.hub.counts.refused != {("tcp", "tls"): 1}:
                    await anyio.sleep(0.005)
            tasks.cancel_scope.cancel()


async def test_a_connection_that_was_reset_is_closed_without_a_fault() -> None:
    async def reset(stream: SocketStream) -> None:
        raw = stream.extra(SocketAttribute.raw_socket)
        linger = (1).to_bytes(4, "little") + bytes(4)
        await stream.receive()
        await stream.send(preface(MSGPACK))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await anyio.aclose_forcefully(stream)

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, reset)
        port = listener.extra(SocketAttribute.local_port)
        client = await connect_tcp(f"tcp://127.0.0.1:{port}", DialOptions())
        with pytest.raises(ConnectionClosed):
            await client.receive()
        await client.aclose()
        await client.aclose()
        tasks.cancel_scope.cancel()
