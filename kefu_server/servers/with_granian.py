"""Granian (extra `granian`): HTTP and WebSocket in Rust, on a thread of their own.

Its embedded server runs the application on our event loop; accepting and parsing never
wait for Python. What its Rust part has no setting for cannot be mended from here, so it
stands in `lacks`.
"""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server
from starlette.types import ASGIApp, Receive, Scope, Send

from kefu_core.limits import Limits
from kefu_core.transports.sockets import BACKLOG
from kefu_server.servers.contract import KEEP_ALIVE_S, AsgiServer

HEAD_BYTES_MAX = 65_536
SPARE_CONNECTIONS = 1_000
"""Above what a node holds: connections that are refused, and plain requests."""
_QUIET = {"incremental": True, "handlers": {}, "loggers": {"_granian": {}}}
"""Its log goes where everything goes, by handlers of ours."""


class _Server(Server):
    """Granian's embedded server, on a socket that listens already."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        super().__init__(
            app,
            # Without a lifespan: ours is open before.
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=True,
            backlog=BACKLOG,
            # Beyond so many it accepts nobody, and nobody is told.
            backpressure=limits.node_connections_max + SPARE_CONNECTIONS,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(KEEP_ALIVE_S * 1_000),
                max_buffer_size=HEAD_BYTES_MAX,
            ),
            log_level=LogLevels.error,
            log_dictconfig=_QUIET,
        )
        self.listener: socket.socket | None = None

    def _init_shared_socket(self) -> None:
        assert self.listener is not None, "served before it was given a socket"
        # Rust closes what it was given; ours is closed by who opened it.
        holder: Any = SocketHolder
        self._shd = holder(os.dup(self.listener.fileno()), False, BACKLOG)


class GranianServer(AsgiServer):
    """Runs granian's embedded server in a task."""

    lacks = (
        "A WebSocket message is collected up to 64 MiB before it is refused.",
        "A stopping server takes connections, and answers 503, until it has drained.",
        "Every answer says Server: granian.",
    )

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._running = 0
        self._server = _Server(self._run, limits)
        self._ended = anyio.Event()

    @property
    def connection_count(self) -> int:
        return self._running

    @asynccontextmanager
    async def accepting(self, listener: socket.socket) -> AsyncIterator[None]:
        self._server.listener = listener
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._serve)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    def stop_accepting(self) -> None:
        """Do nothing: granian ends what applications wait for when it stops."""

    async def finish(self, within_s: float) -> None:
        self._server.stop()  # type: ignore[no-untyped-call]
        with anyio.move_on_after(within_s):
            await self._ended.wait()

    async def _serve(self) -> None:
        try:
            await self._server.serve()
        finally:
            self._ended.set()

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1


def load() -> type[AsgiServer]:
    """Return the server."""
    return GranianServer
