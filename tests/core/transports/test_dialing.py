"""The end of a WebSocket that dials, against a real socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

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


async def accept(stream: SocketStream) -> ServerProtocol:
    protocol = ServerProtocol(subprotocols=[Subprotocol("kefu.v1.msgpack")])
    while True:
        protocol.receive_data(await stream.receive())
        for event in protocol.events_received():
            if isinstance(event, Request):
                protocol.send_response(protocol.accept(event))
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
