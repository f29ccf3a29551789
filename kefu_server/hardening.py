"""What hypercorn does that kefu must not.

It compresses sockets, speaks HTTP/2 in clear, keeps what it has refused, and collects
a message without end. Hypercorn has no setting for these (0.18), so three names inside
it are replaced before it serves, and a fourth for speed (`servers.direct`). Each
replacement checks that the name is still there: a hypercorn that has moved them stops
the start instead of serving unprotected.
"""

import importlib
from io import BytesIO, StringIO
from typing import Any

import h11
from hypercorn.events import Closed, Event
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.ws_stream import WebsocketBuffer, WSStream
from wsproto.events import Message, TextMessage
from wsproto.extensions import PerMessageDeflate

from kefu_core.errors import ConfigurationError
from kefu_server.servers.contract import REFUSED
from kefu_server.servers.direct import DirectWebSocket


class NoDeflate(PerMessageDeflate):
    """Refuses permessage-deflate.

    Accepted, it costs some 130 KiB a connection, and a frame of 61 KB unpacks to
    60 MiB before any size check sees it.
    """

    def accept(self, offer: str) -> bool | str | None:
        """Decline every offer: the handshake then answers without the extension."""
        return None


class BoundedBuffer(WebsocketBuffer):
    """Keeps one byte more of a message than is allowed, whatever else comes.

    Hypercorn says 1009 when the limit is passed, and goes on collecting what a peer
    sends that does not care: 750 MiB in five seconds, before any hello. A message of
    one byte too much reaches the decoder instead, which refuses it as `too_large` as
    on every transport, and the connection goes on.
    """

    def extend(self, event: "Message[Any]") -> None:
        """Take a piece of a message as far as there is room."""
        if self.value is None:
            self.value = StringIO() if isinstance(event, TextMessage) else BytesIO()
        room = max(0, self.max_length + 1 - self.length)
        self.length += self.value.write(event.data[:room])


class Http11Only(H11Protocol):
    """Speaks HTTP/1.1 and WebSocket; never lets a request tunnel past a proxy.

    Hypercorn would answer `Upgrade: h2c` with 101 and take a bare HTTP/2 preface. A
    proxy that forwards `Upgrade` as it comes would then pass everything unseen.
    """

    _is_refused = False

    async def handle(self, event: Event) -> None:
        """Close what was refused as a WebSocket, which hypercorn would keep for ever.

        It answers a handshake that is not valid, or that data follows unasked, with
        400 and leaves the connection without any time-out.
        """
        await super().handle(event)
        if isinstance(self.stream, WSStream) and self.stream.closed:
            if not self._is_refused:
                self._is_refused = True
                REFUSED["400"] += 1
            await self.send(Closed())

    async def _send_error_response(self, status_code: int) -> None:
        REFUSED[str(status_code)] += 1
        await super()._send_error_response(status_code)

    async def _check_protocol(self, event: h11.Request) -> None:
        """Leave the refusal to `_create_stream`, which can also end the request."""

    async def _create_stream(self, request: h11.Request) -> None:
        if _leaves_http11(request):
            await self._send_error_response(400)
            await self.send(Closed())
            return
        await super()._create_stream(request)


def _leaves_http11(request: h11.Request) -> bool:
    if request.method in {b"PRI", b"CONNECT"} or request.http_version == b"2.0":
        return True
    return any(
        name.strip().lower() == b"upgrade" and b"h2c" in value.lower()
        for name, value in request.headers
    )


def harden_hypercorn() -> None:
    """Put the replacements in place; safe to call again.

    Raises:
        ConfigurationError: If this hypercorn is built differently.
    """
    _replace("hypercorn.protocol.ws_stream", "PerMessageDeflate", NoDeflate)
    _replace("hypercorn.protocol.ws_stream", "WebsocketBuffer", BoundedBuffer)
    _replace("hypercorn.protocol", "H11Protocol", Http11Only)
    _replace("hypercorn.protocol.h11", "WSStream", DirectWebSocket)


def _replace(module_name: str, name: str, replacement: Any) -> None:
    module = importlib.import_module(module_name)
    current = getattr(module, name, None)
    if not (isinstance(current, type) and issubclass(replacement, current)):
        raise ConfigurationError(
            f"This version of hypercorn has no {module_name}.{name} to protect; "
            "install the version that kefu was released with."
        )
    setattr(module, name, replacement)
