"""The end of a WebSocket that dials, against a real socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from kefu_core.abc.transports import DialOptions
from kefu_core.errors import ConnectionClosed
from kefu_core.protocol.codec import MSGPACK
from kefu_core.protocol.frames import Ping, Pong
from kefu_core.transports.websocket.client import connect_websocket

pytestmark = pytest.mark.anyio

Serve = Callable[[SocketStream], Awaitable[None]]


@asynccontextmanager
async def served_by(serve: Serve) -> AsyncIterator[str]:
    """Run a server of raw connections; yields its URL."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield f"ws://127.0.0.1:{port}/"
        tasks.cancel_scope.cancel()


async def accept(
    stream: SocketStream, *, close: tuple[int, str] | None = None, early: bytes = b""
) -> ServerProtocol:
    """Answer the handshake, with what else is to be said in the same packet."""
    protocol = ServerProtocol(subprotocols=[Subprotocol("kefu.v1.msgpack")])
    while True:
        protocol.receive_data(await stream.receive())
        for event in protocol.events_received():
            if isinstance(event, Request):
                protocol.send_response(protocol.accept(event))
                if early:
                    protocol.send_ping(b"early")
                    protocol.send_binary(early)
                if close is not None:
                    protocol.send_close(*close)
                await stream.send(b"".join(protocol.data_to_send()))
                return protocol


async def test_messages_that_arrive_in_one_read_are_all_received() -> None:
    async def serve(stream: SocketStream) -> None:
        async with stream:
            protocol = await accept(stream)
            await stream.receive()
            for _ in range(3):
                protocol.send_binary(MSGPACK.join([MSGPACK.encode(Pong())]))
            await stream.send(b"".join(protocol.data_to_send()))
            await stream.receive()

    async with served_by(serve) as url:
        client = await connect_websocket(url)
        await client.send([MSGPACK.encode(Ping())])
        with anyio.fail_after(5):
            received = [await client.receive() for _ in range(3)]
        assert received == [[Pong()]] * 3
        await client.aclose()


async def test_a_reset_in_the_handshake_is_a_closed_connection() -> None:
    async def serve(stream: SocketStream) -> None:
        # Closing with unread bytes makes the kernel send a reset.
        await anyio.aclose_forcefully(stream)

    async with served_by(serve) as url:
        with pytest.raises(ConnectionClosed):
            await connect_websocket(url)


async def test_a_close_that_comes_with_the_handshake_is_a_closed_connection() -> None:
    async def serve(stream: SocketStream) -> None:
        async with stream:
            protocol = await accept(stream, close=(1012, "restart"))
            # It is answered as any other, so that nobody has to wait.
            protocol.receive_data(await stream.receive())
            assert protocol.close_rcvd is not None

    async with served_by(serve) as url:
        client = await connect_websocket(url)
        with anyio.fail_after(5), pytest.raises(ConnectionClosed) as closed:
            await client.receive()
        assert closed.value.close_code == 1012
        await client.aclose()


async def test_what_comes_with_the_handshake_is_received_and_a_ping_answered() -> None:
    answered: list[object] = []

    async def serve(stream: SocketStream) -> None:
        async with stream:
            early = MSGPACK.join([MSGPACK.encode(Pong())])
            protocol = await accept(stream, early=early)
            protocol.receive_data(await stream.receive())
            answered.extend(protocol.events_received())
            await stream.receive()

    async with served_by(serve) as url:
        client = await connect_websocket(url)
        with anyio.fail_after(5):
            assert await client.receive() == [Pong()]
            while not answered:
                await anyio.sleep(0.01)
        assert [event.opcode for event in answered] == [Opcode.PONG]  # type: ignore[attr-defined]
        await client.aclose()


async def test_an_offer_to_compress_is_made_when_asked_and_kept_when_taken() -> None:
    offers: list[str | None] = []

    async def serve(stream: SocketStream) -> None:
        protocol = ServerProtocol(
            subprotocols=[Subprotocol("kefu.v1.msgpack")],
            extensions=[ServerPerMessageDeflateFactory()],
        )
        async with stream:
            async for data in stream:
                protocol.receive_data(data)
                for event in protocol.events_received():
                    if isinstance(event, Request):
                        offers.append(event.headers.get("Sec-WebSocket-Extensions"))
                        protocol.send_response(protocol.accept(event))
                    elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                        protocol.send_binary(event.data)
                        await stream.send(b"".join(protocol.data_to_send()))
                        return
                await stream.send(b"".join(protocol.data_to_send()))

    async with served_by(serve) as url:
        for offers_deflate in (False, True):
            options = DialOptions(offers_deflate=offers_deflate)
            client = await connect_websocket(url, options)
            assert client.is_deflated is offers_deflate
            await client.send([MSGPACK.encode(Pong())])
            assert await client.receive() == [Pong()]
            await client.aclose()
    assert offers[0] is None
    assert offers[1] is not None
    assert offers[1].startswith("permessage-deflate")
