"""WebSocket as a plain ASGI application: mount it in any ASGI framework.

Subprotocol `kefu.v1.json` carries text messages of JSON lines, `kefu.v1.msgpack`
binary messages of one MessagePack array each. Mount it outside middleware that wraps
`receive` and `send` in tasks of its own (Starlette's `BaseHTTPMiddleware` does).
"""

from collections.abc import MutableMapping, Sequence
from typing import Any

from kefu_core.abc.streams import FrameStream, PeerInfo
from kefu_core.abc.transports import (
    AsgiEndpoint,
    AsgiReceive,
    AsgiSend,
    Scope,
    ServerContext,
)
from kefu_core.errors import ConnectionClosed
from kefu_core.protocol.codec import (
    CODECS,
    BatchDecoder,
    Codec,
    Received,
    client_frame_decoder,
)
from kefu_core.protocol.frames import ClientFrame
from kefu_core.transports.addresses import AddressLimiter
from kefu_core.transports.asgi import peer_of, socket_address
from kefu_core.transports.websocket.closing import send_close
from kefu_core.transports.websocket.direct import DIRECT, DirectWebSocketStream

SUBPROTOCOL_PREFIX = "kefu.v1."
_REFUSALS = {
    400: b"Offer kefu.v1.json or kefu.v1.msgpack.",
    429: b"Too many connections of your address.",
    503: b"Too many connections; try again later.",
}


class WebSocketStream(FrameStream):
    """Frames over one accepted ASGI WebSocket."""

    def __init__(
        self,
        receive: AsgiReceive,
        send: AsgiSend,
        codec: Codec,
        decoder: "BatchDecoder[ClientFrame]",
        peer: PeerInfo,
    ) -> None:
        self.codec = codec
        self.peer = peer
        self._receive = receive
        self._send = send
        self._decode = decoder.decode
        self._is_open = True

    async def receive(self) -> Received:
        while True:
            event = await self._receive()
            if event["type"] == "websocket.receive":
                data = event.get("bytes")
                return self._decode(data if data is not None else event["text"])
            if event["type"] == "websocket.disconnect":
                # Hypercorn says 1006 for every leave, so the code means nothing;
                # a client that leaves on purpose says `bye`.
                self._is_open = False
                raise ConnectionClosed(event.get("code") or 1006)

    async def send(self, encoded: Sequence[bytes]) -> None:
        data = self.codec.join(encoded)
        if not self._is_open:
            raise ConnectionClosed
        try:
            if self.codec.is_text:
                await self._send({"type": "websocket.send", "text": data.decode()})
            else:
                await self._send({"type": "websocket.send", "bytes": data})
        except (OSError, RuntimeError) as error:
            self._is_open = False
            raise ConnectionClosed from error

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        if not self._is_open:
            return
        self._is_open = False
        await send_close(self._send, code, reason)


class WebSocketApp(AsgiEndpoint):
    """The ASGI application. Refuses before it accepts, so that refusals cost little."""

    scope_type = "websocket"

    def __init__(self, context: ServerContext) -> None:
        """Serve the streams of a node."""
        self._server = context.server
        self._limits = context.limits
        self._now = context.now
        self._address_of = context.address_of or socket_address
        self._addresses = AddressLimiter(context.limits)
        self._decoders = {
            name: client_frame_decoder(codec, context.limits)
            for name, codec in CODECS.items()
        }

    async def __call__(
        self, scope: Scope, receive: AsgiReceive, send: AsgiSend
    ) -> None:
        """Serve one WebSocket."""
        if scope["type"] != "websocket":
            raise TypeError(f"WebSocketApp serves websockets, not {scope['type']}")
        await receive()  # websocket.connect
        codec = _choose_codec(scope.get("subprotocols") or ())
        if codec is None:
            await self._refuse(scope, send, 400)
            return
        server, limits = self._server, self._limits
        if (
            server.is_draining
            or server.hello_pending >= limits.hello_pending_max
            or server.connection_count >= limits.node_connections_max
        ):
            await self._refuse(scope, send, 503)
            return
        address = self._address_of(scope)
        if not self._addresses.enter(address, self._now()):
            await self._refuse(scope, send, 429)
            return
        try:
            peer = peer_of(scope, "websocket", address)
            await server.serve(await self._accept(scope, receive, send, codec, peer))
        finally:
            self._addresses.leave(address)

    async def _accept(
        self,
        scope: Scope,
        receive: AsgiReceive,
        send: AsgiSend,
        codec: Codec,
        peer: PeerInfo,
    ) -> FrameStream:
        """Accept the handshake; past ASGI from here on where the server can."""
        decoder = self._decoders[codec.name]
        accept: MutableMapping[str, Any] = {
            "type": "websocket.accept",
            "subprotocol": SUBPROTOCOL_PREFIX + codec.name,
        }
        direct = DirectWebSocketStream(send, codec, decoder, peer)
        if DIRECT in scope.get("extensions", {}):
            accept[DIRECT] = direct
        await send(accept)
        if direct.socket is not None:
            return direct
        return WebSocketStream(receive, send, codec, decoder, peer)

    async def _refuse(self, scope: Scope, send: AsgiSend, status: int) -> None:
        """Answer the handshake with a status where the server can, else close it."""
        self._server.counts.refused["websocket", str(status)] += 1
        text = _REFUSALS[status]
        if "websocket.http.response" not in scope.get("extensions", {}):
            reason = text.decode()
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
            return
        headers = [(b"content-type", b"text/plain"), (b"cache-control", b"no-store")]
        start = "websocket.http.response.start"
        await send({"type": start, "status": status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": text})


def _choose_codec(offered: Sequence[str]) -> Codec | None:
    for name in offered:
        codec = CODECS.get(name.removeprefix(SUBPROTOCOL_PREFIX))
        if codec is not None and name.startswith(SUBPROTOCOL_PREFIX):
            return codec
    return None
