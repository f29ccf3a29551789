"""The end of a WebSocket that dials: websockets' sans-I/O core on an anyio stream.

One code path for asyncio, uvloop and trio, and no queue between the wire and us.
"""

import ssl
from collections import deque
from collections.abc import Sequence
from urllib.parse import urlsplit

import anyio
from anyio.abc import ByteStream
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.http11 import Response
from websockets.protocol import Event, State
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from kefu_core.abc.streams import FrameStream, PeerInfo
from kefu_core.abc.transports import DialOptions
from kefu_core.errors import ConnectionClosed
from kefu_core.protocol.codec import (
    CODECS,
    BatchDecoder,
    Codec,
    Received,
    server_frame_decoder,
)
from kefu_core.protocol.frames import ServerFrame
from kefu_core.transports.dialing import dial
from kefu_core.transports.reading import READ_BATCH_BYTES_MAX, for_reading

_READ_BYTES = 65_536
_CLOSE_TIMEOUT_S = 2.0

_CANNOT_OPEN = (
    OSError,
    TimeoutError,
    WebSocketException,
    anyio.EndOfStream,
    anyio.BrokenResourceError,  # Reset in the middle of the handshake.
)


class WebSocketClientStream(FrameStream):
    """Frames over a WebSocket that this side opened."""

    def __init__(
        self,
        stream: ByteStream,
        protocol: ClientProtocol,
        codec: Codec,
        decoder: "BatchDecoder[ServerFrame]",
        received: Sequence[Event] = (),
    ) -> None:
        """Take an open WebSocket, and what has come with its handshake already."""
        self.codec = codec
        self.peer = PeerInfo(transport="websocket")
        self._stream = stream
        self._protocol = protocol
        self._decode = decoder.decode
        self._received: deque[Event] = deque(received)
        self._fragments: list[bytes] = []
        self._write_lock = anyio.Lock()
        """Both tasks write: pongs come from the one that reads."""

    @property
    def is_deflated(self) -> bool:
        """Whether the server took the offer to compress."""
        return bool(self._protocol.extensions)

    async def receive(self) -> Received:
        while True:
            # One read may bring several messages: what is not returned now waits.
            self._received.extend(self._protocol.events_received())
            while self._received:
                event = self._received.popleft()
                if isinstance(event, WireFrame) and event.opcode in (
                    Opcode.TEXT,
                    Opcode.BINARY,
                    Opcode.CONT,
                ):
                    self._fragments.append(bytes(event.data))
                    if event.fin:
                        data, self._fragments = b"".join(self._fragments), []
                        return self._decode(data)
            if self._protocol.state is State.CLOSED:
                raise ConnectionClosed(self._protocol.close_code or 1006)
            await self._read_more()

    async def _read_more(self) -> None:
        try:
            data = await self._stream.receive(_READ_BYTES)
        except (anyio.EndOfStream, anyio.BrokenResourceError, OSError):
            self._protocol.receive_eof()
        except anyio.ClosedResourceError:
            raise ConnectionClosed from None
        else:
            self._protocol.receive_data(data)
        await self._write_out()

    async def send(self, encoded: Sequence[bytes]) -> None:
        data = self.codec.join(encoded)
        if self._protocol.state is not State.OPEN:
            raise ConnectionClosed(self._protocol.close_code or 1006)
        if self.codec.is_text:
            self._protocol.send_text(data)
        else:
            self._protocol.send_binary(data)
        await self._write_out()

    async def _write_out(self) -> None:
        protocol = self._protocol
        try:
            async with self._write_lock:
                data = b"".join(protocol.data_to_send())
                if data:
                    await self._stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            raise ConnectionClosed(protocol.close_code or 1006) from None

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(_CLOSE_TIMEOUT_S):
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(code, reason)
                try:
                    await self._stream.send(b"".join(self._protocol.data_to_send()))
                except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                    pass
        with anyio.CancelScope(shield=True):
            await anyio.aclose_forcefully(self._stream)


async def connect_websocket(
    url: str, options: DialOptions | None = None
) -> WebSocketClientStream:
    """Open a WebSocket to a kefu server.

    Args:
        url: `ws://` or `wss://` and the path of the WebSocket application.
        options: Codec, headers, addresses and time-out.

    Raises:
        ConnectionClosed: It could not be opened; `reason` says why.
    """
    options = options or DialOptions()
    codec = CODECS[options.codec]
    stream: ByteStream | None = None
    try:
        with anyio.fail_after(options.timeout_s):
            stream = await _dial(url, options.local_host, options.ssl_context)
            protocol = ClientProtocol(
                parse_uri(url),
                origin=Origin(options.origin) if options.origin else None,
                subprotocols=[Subprotocol(f"kefu.v1.{codec.name}")],
                extensions=(
                    [ClientPerMessageDeflateFactory()]
                    if options.offers_deflate
                    else None
                ),
                max_size=READ_BATCH_BYTES_MAX,
            )
            received = await _shake_hands(stream, protocol)
    except BaseException as error:
        # Also when whoever dials is cancelled.
        if stream is not None:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(stream)
        if not isinstance(error, _CANNOT_OPEN):
            raise
        raise ConnectionClosed(1006, _why(error)) from error
    decoder = server_frame_decoder(codec, for_reading(options.limits))
    return WebSocketClientStream(stream, protocol, codec, decoder, received)


async def _dial(
    url: str, local_host: str | None, ssl_context: ssl.SSLContext | None
) -> ByteStream:
    parts = urlsplit(url)
    is_secure = parts.scheme == "wss"
    host = parts.hostname or ""
    port = parts.port or (443 if is_secure else 80)
    return await dial(
        host,
        port,
        is_secure=is_secure,
        local_host=local_host,
        ssl_context=ssl_context,
    )


async def _shake_hands(stream: ByteStream, protocol: ClientProtocol) -> list[Event]:
    """Open the WebSocket; return the frames that came in the same read.

    No welcome comes before our hello, but a ping may, and the close of a server that
    has to go.
    """
    protocol.send_request(protocol.connect())
    await stream.send(b"".join(protocol.data_to_send()))
    while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
        protocol.receive_data(await stream.receive(_READ_BYTES))
    if protocol.handshake_exc is not None:
        raise protocol.handshake_exc
    events = protocol.events_received()
    # What they are answered with.
    await stream.send(b"".join(protocol.data_to_send()))
    return [event for event in events if not isinstance(event, Response)]


def _why(error: BaseException) -> str:
    if isinstance(error, InvalidStatus):
        return f"HTTP {error.response.status_code}"
    return str(error) or type(error).__name__
