"""What `kefu serve` asks of an ASGI server."""

import socket
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import AbstractAsyncContextManager

from starlette.types import ASGIApp

from kefu_core.limits import Limits

KEEP_ALIVE_S = 5.0
"""How long a connection may be without a request, and a request without its end of
headers: this is what ends a client that says nothing, or says it slowly."""

REFUSED: Counter[str] = Counter()
"""Requests of this process that were refused before any application saw them, by
status: endless headers are 431, what is not HTTP is 400."""


class AsgiServer(ABC):
    """Takes connections and parses HTTP/1.1 and WebSocket, on the running event loop.

    Everything that an application cannot do itself is its part: no compression of
    sockets, no HTTP/2, no message kept beyond its limit, no endless or slow headers, a
    `send` that waits for a peer who does not read, and nothing of itself in the log or
    in an answer.
    """

    lacks: tuple[str, ...] = ()
    """Which of this it cannot do, a sentence each: said at the start."""

    @abstractmethod
    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        """Take what to serve; no lifespan is ever asked for."""

    @property
    @abstractmethod
    def connection_count(self) -> int:
        """Connections that are open, whatever they do."""

    @abstractmethod
    def accepting(self, listener: socket.socket) -> AbstractAsyncContextManager[None]:
        """Take connections inside the block, of a socket that listens already.

        The listener is shared: whoever opened it closes it after the block.
        """

    @abstractmethod
    def stop_accepting(self) -> None:
        """Take nothing new, as far as it can; what is open goes on."""

    @abstractmethod
    async def finish(self, within_s: float) -> None:
        """Let go of connections that rest, give requests that run so long to end."""
