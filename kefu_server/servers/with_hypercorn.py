"""Hypercorn: the default. Pure Python, and everything that kefu promises holds on it.

Hypercorn's runner cannot stop accepting before connections are told to leave, and on
Python 3.12 and later it waits for open connections for ever. So the few lines that
accept are here; parsing HTTP and WebSocket is hypercorn's (hardened: `hardening.py`).
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.utils import wrap_app
from starlette.types import ASGIApp

from kefu_core.limits import Limits
from kefu_core.transports.sockets import BACKLOG
from kefu_server.hardening import harden_hypercorn
from kefu_server.servers.contract import KEEP_ALIVE_S, AsgiServer
from kefu_server.servers.direct import Announced, connected


class HypercornServer(AsgiServer):
    """Runs each connection by hypercorn's `TCPServer`, in a task of its own."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._config = _configuration(limits)
        told = cast(Any, Announced(app))
        self._app = wrap_app(told, self._config.wsgi_max_body_size, "asgi")
        self._context = WorkerContext(None)
        self._connections: set[asyncio.Task[None] | None] = set()
        self._listening: asyncio.Server | None = None

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    @asynccontextmanager
    async def accepting(self, listener: socket.socket) -> AsyncIterator[None]:
        self._listening = await asyncio.start_server(
            self._accept, sock=listener, backlog=BACKLOG
        )
        try:
            yield
        finally:
            self.stop_accepting()

    def stop_accepting(self) -> None:
        # Not followed by `wait_closed`, which waits for connections (Python 3.12).
        assert self._listening is not None, "stopped before it accepted"
        self._listening.close()

    async def finish(self, within_s: float) -> None:
        await self._context.terminated.set()
        with anyio.move_on_after(within_s):
            while self._connections:
                await anyio.sleep(0.01)

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        self._connections.add(task)
        connected(cast(asyncio.Transport, writer.transport))
        try:
            await TCPServer(
                self._app, loop, self._config, self._context, {}, reader, writer
            )
        finally:
            self._connections.discard(task)


def _configuration(limits: Limits) -> Config:
    config = Config()
    config.backlog = BACKLOG
    config.websocket_max_message_size = limits.frame_bytes_max
    config.include_server_header = False
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.alpn_protocols = ["http/1.1"]
    config.errorlog = logging.getLogger("kefu.hypercorn")
    config.accesslog = None
    return config


def load() -> type[AsgiServer]:
    """Return the server. Raises `ConfigurationError` where it cannot be hardened."""
    harden_hypercorn()
    return HypercornServer
