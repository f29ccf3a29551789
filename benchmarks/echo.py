"""The yardstick: the least that a WebSocket message costs on this server software.

Hypercorn on uvloop with kefu's own server settings (no compression, the same sizes)
and an ASGI application that sends back what it gets. Run as
`python -m benchmarks.echo PORT`.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvloop
from hypercorn.asyncio import serve
from hypercorn.config import Config

from kefu_server.hardening import harden_hypercorn

Message = MutableMapping[str, Any]


async def echo(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Accept a WebSocket and send every message back."""
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


def main(port: int) -> None:
    """Serve until SIGTERM."""
    harden_hypercorn()
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.backlog = 4096
    config.websocket_max_message_size = 65_536
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = None
    config.graceful_timeout = 0.5
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config))


async def _serve(config: Config) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def stopped() -> None:
        await stop.wait()

    await serve(echo, config, mode="asgi", shutdown_trigger=stopped)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(int(sys.argv[1]))
