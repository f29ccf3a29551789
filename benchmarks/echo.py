"""The yardsticks: the least that a message costs on this server software.

WebSocket and HTTP: an ASGI server on uvloop with kefu's own settings (no compression,
the same sizes) and an application that sends back what it gets. TCP: an anyio listener
on uvloop that does so. Run as `python -m benchmarks.echo TRANSPORT PORT SERVER`.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio
import uvloop
from anyio.abc import SocketStream
from hypercorn.asyncio import serve
from hypercorn.config import Config

from kefu_core.limits import Limits
from kefu_core.transports.sockets import open_listening_socket
from kefu_server.hardening import harden_hypercorn
from kefu_server.servers import find_server

Message = MutableMapping[str, Any]


async def echo(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Accept a WebSocket and send every message back; answer a POST with its body."""
    if scope["type"] == "http":
        await echo_body(receive, send)
        return
    if scope["type"] != "websocket":
        return
    await receive()
    offered = scope["subprotocols"]
    subprotocol = offered[0] if offered else None
    await send({"type": "websocket.accept", "subprotocol": subprotocol})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "bytes": message["bytes"]})


async def echo_body(
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answer one request with its own body."""
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            break
    headers = [
        (b"content-type", b"application/msgpack"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def echo_tcp(port: int) -> None:
    """Send everything back that comes over TCP, until SIGTERM."""

    async def serve(stream: SocketStream) -> None:
        async with stream:
            try:
                while True:
                    await stream.send(await stream.receive(65_536))
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return

    listener = await anyio.create_tcp_listener(
        local_host="127.0.0.1", local_port=port, backlog=4096
    )
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, serve)
            async for _ in signals:
                tasks.cancel_scope.cancel()


async def echo_on(server: str, port: int) -> None:
    """Serve on another server than hypercorn, as `kefu serve` does, until SIGTERM."""
    serving = find_server(server)(echo, Limits())
    with (
        open_listening_socket("127.0.0.1", port) as listener,
        anyio.open_signal_receiver(signal.SIGTERM) as signals,
    ):
        async with serving.accepting(listener):
            async for _ in signals:
                return


def main(transport: str, port: int, server: str) -> None:
    """Serve until SIGTERM."""
    if transport == "tcp":
        options = {"loop_factory": uvloop.new_event_loop}
        anyio.run(echo_tcp, port, backend_options=options)
        return
    if server != "hypercorn":
        options = {"loop_factory": uvloop.new_event_loop}
        anyio.run(echo_on, server, port, backend_options=options)
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_asgi(echo, port))


async def serve_asgi(app: Any, port: int) -> None:
    """Serve an application as kefu's is served, until SIGTERM."""
    harden_hypercorn()
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.backlog = 4096
    config.websocket_max_message_size = 65_536
    config.include_server_header = False
    config.keep_alive_max_requests = 10_000_000
    config.accesslog = None
    config.errorlog = None
    config.graceful_timeout = 0.5
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def stopped() -> None:
        await stop.wait()

    await serve(app, config, mode="asgi", shutdown_trigger=stopped)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
