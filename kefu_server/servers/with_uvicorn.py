"""Uvicorn (extra `uvicorn`): httptools parses HTTP, websockets' core WebSocket.

Only its protocol classes are used: they read what a connection says and run the
application. Its runner installs handlers of signals, and tells WebSockets to go before
the hub has drained, so accepting and stopping are ours.
"""

import asyncio
import logging
import socket
from asyncio.transports import Transport
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any, cast

import anyio
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import (
    WebSocketsSansIOProtocol,
)
from uvicorn.server import ServerState

from kefu_core.errors import ConfigurationError
from kefu_core.limits import Limits
from kefu_core.transports.sockets import BACKLOG
from kefu_server.servers.contract import KEEP_ALIVE_S, REFUSED, AsgiServer

VERSION_MIN = (0, 53)
"""Before 0.52.1 a WebSocket's `send` never waited for a peer that does not read."""
HEAD_BYTES_MAX = 65_536
TOO_LARGE_TIMES = 4
"""A message of up to so many times its limit is told to be `too_large`. Of a longer one
the parser reads no more than the length, and ends the connection with 1009."""
CLOSE_S = 2.0
"""How long a peer may take to answer a close."""


class HttpProtocol(HttpToolsProtocol):
    """Bounds what comes before a request is there, in time and in bytes.

    Uvicorn waits for ever for a first request and for the end of headers, and httptools
    collects headers without end.
    """

    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None
    """Runs while no request is there that the application has seen."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_request()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._deadline is None or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(431, "The headers are too large.")

    def on_headers_complete(self) -> None:
        self._has_request()
        if self.parser.should_upgrade() and not self._should_upgrade():
            # `h2c`, with which a request could tunnel past a proxy, or `CONNECT`: the
            # parser takes the exception for a bad request.
            raise ValueError("only WebSocket is an upgrade")
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._expect_request()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg)

    def _expect_request(self) -> None:
        self._has_request()
        self._head_bytes = 0
        self._deadline = self.loop.call_later(KEEP_ALIVE_S, self.transport.close)

    def _has_request(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int, text: str) -> None:
        REFUSED[str(status)] += 1
        head = (
            b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n" % len(text)
        )
        self.transport.write(STATUS_LINE[status] + head + text.encode())
        self.transport.close()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Waits for the answer to a close no longer than other servers do."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.close_timeout = CLOSE_S

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.response.status_code != 101:
            REFUSED[str(self.response.status_code)] += 1


class UvicornServer(AsgiServer):
    """Makes one of uvicorn's protocols for each connection."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._config = uvicorn.Config(
            cast(Any, app),
            http=HttpProtocol,
            ws=WebSocketProtocol,
            ws_max_size=TOO_LARGE_TIMES * limits.frame_bytes_max,
            # The session has heartbeats of its own, on every transport.
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            # Lines would show queries.
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=int(KEEP_ALIVE_S),
        )
        self._config.load()
        self._state = ServerState()
        self._listening: asyncio.Server | None = None

    @property
    def connection_count(self) -> int:
        return len(self._state.connections)

    @asynccontextmanager
    async def accepting(self, listener: socket.socket) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            return HttpProtocol(self._config, self._state, {}, loop)

        self._tell_time()
        self._listening = await loop.create_server(
            protocol, sock=listener, backlog=BACKLOG
        )
        try:
            yield
        finally:
            self.stop_accepting()
            self._clock.cancel()

    def stop_accepting(self) -> None:
        # Not followed by `wait_closed`, which waits for connections (Python 3.12).
        assert self._listening is not None, "stopped before it accepted"
        self._listening.close()

    async def finish(self, within_s: float) -> None:
        for connection in list(self._state.connections):
            connection.shutdown()
        with anyio.move_on_after(within_s):
            while self._state.connections or self._state.tasks:
                await anyio.sleep(0.01)

    def _tell_time(self) -> None:
        """Keep the `Date` of answers right."""
        now = formatdate(usegmt=True).encode()
        self._state.default_headers = [(b"date", now)]
        self._clock = asyncio.get_running_loop().call_later(1, self._tell_time)


def _is_event(record: logging.LogRecord) -> bool:
    """Whether a line tells of the server, and not of what a stranger has sent."""
    return not str(record.msg).startswith("Invalid ")


def load() -> type[AsgiServer]:
    """Return the server. Raises `ConfigurationError` if this uvicorn is too old."""
    logging.getLogger("uvicorn.error").addFilter(_is_event)
    version = tuple(int(part) for part in uvicorn.__version__.split(".")[:2])
    if version < VERSION_MIN:
        raise ConfigurationError(
            f"uvicorn {uvicorn.__version__} lets a peer that does not read fill the "
            "memory; run: pip install --upgrade 'kefu[uvicorn]'"
        )
    return UvicornServer
