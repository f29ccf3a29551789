"""Messages past an ASGI server's tasks and queues, where it offers that.

ASGI hands each message over through a queue between two tasks, and takes each answer
through a dozen functions: a third of what a message costs on the event loop (2026-11).
A server that can do without says so by `kefu.direct` among the extensions of a scope;
who wants it puts a `DirectReceiver` under that name into `websocket.accept`. From then
on messages come and go by plain calls on the event loop, and `receive` is not called.
Closing is ASGI's as ever.
"""

from collections.abc import Sequence
from typing import Protocol

import anyio

from kefu_core.abc.streams import PeerInfo, PushedStream
from kefu_core.abc.transports import AsgiSend
from kefu_core.errors import ConnectionClosed
from kefu_core.protocol.codec import BatchDecoder, Codec, Received
from kefu_core.protocol.frames import ClientFrame
from kefu_core.transports.websocket.closing import send_close

DIRECT = "kefu.direct"

_LINGER_S = 0.5
"""So long a peer that was too fast may take to close its side too. What it still sends
is read until then: a socket that is closed with bytes unread resets, and the reason is
lost."""


class DirectSocket(Protocol):
    """What the server gives: one accepted WebSocket."""

    has_room: bool
    """False while the peer does not read."""

    def write(self, data: bytes, *, is_text: bool) -> None:
        """Write one message, at once; nothing once the connection has ended."""

    def pause(self) -> None:
        """Hand over nothing more, and read nothing, until `resume`."""

    def resume(self) -> None:
        """Go on, beginning with what was read already."""


class DirectReceiver(Protocol):
    """What the server calls, always on the event loop and in no task."""

    def opened(self, socket: DirectSocket) -> None:
        """The server agrees; called before the peer hears that it was accepted."""

    def received(self, data: bytes | str) -> None:
        """A whole message came. Never raises."""

    def has_room_again(self) -> None:
        """The peer reads again."""

    def ended(self) -> None:
        """Nothing comes any more."""


class DirectWebSocketStream(PushedStream):
    """Frames over a WebSocket that its server hands over directly."""

    def __init__(
        self,
        send: AsgiSend,
        codec: Codec,
        decoder: "BatchDecoder[ClientFrame]",
        peer: PeerInfo,
    ) -> None:
        self.codec = codec
        self.peer = peer
        self.socket: DirectSocket | None = None
        """None until the server agrees."""
        self._send = send
        self._decode = decoder.decode
        self._is_open = True
        self._batches: list[Received] = []
        """What came before anybody wanted it."""
        self._is_paused = False
        self._pause_s = 0.0
        self._was_paused = False
        """The peer said more than it may, and more may be on its way."""
        self._fault: Exception | None = None
        """Raised by who was handed a batch."""
        self._has_news = anyio.Event()

    # -- what the server calls ---------------------------------------------------------

    def opened(self, socket: DirectSocket) -> None:
        """Take the socket."""
        self.socket = socket

    def received(self, data: bytes | str) -> None:
        """Hand a message over, or keep it until somebody wants it."""
        if not self._is_open or self._fault is not None:
            return
        items = self._decode(data)
        if self.on_batch is None or self._batches:
            self._batches.append(items)
            self._rest(0.0)
            return
        try:
            pause_s = self.on_batch(items)
        except Exception as error:
            self._fault = error
            self._rest(0.0)
            return
        if pause_s:
            self._was_paused = True
            self._rest(pause_s)

    def has_room_again(self) -> None:
        """Let who writes go on."""
        if self.on_room is not None:
            self.on_room()

    def ended(self) -> None:
        """Note that the peer is gone."""
        self._is_open = False
        self._has_news.set()

    def _rest(self, pause_s: float) -> None:
        """Read nothing until `receive` has looked."""
        assert self.socket is not None, "a message before the handshake"
        self._is_paused, self._pause_s = True, pause_s
        self.socket.pause()
        self._has_news.set()

    # -- the stream --------------------------------------------------------------------

    async def receive(self) -> Received:
        while True:
            if self._fault is not None:
                raise self._fault
            if self._batches:
                return self._batches.pop(0)
            if not self._is_open:
                raise ConnectionClosed(1006)
            if self._is_paused:
                if self._pause_s:
                    await anyio.sleep(self._pause_s)
                self._is_paused = False
                assert self.socket is not None, "paused before the handshake"
                self.socket.resume()
            else:
                await self._has_news.wait()
                self._has_news = anyio.Event()

    @property
    def has_room(self) -> bool:
        return self.socket is not None and self.socket.has_room

    def put(self, encoded: Sequence[bytes]) -> None:
        if not self._is_open or self.socket is None:
            raise ConnectionClosed
        self.socket.write(self.codec.join(encoded), is_text=self.codec.is_text)

    async def send(self, encoded: Sequence[bytes]) -> None:
        self.put(encoded)

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        if not self._is_open:
            return
        self._is_open = False
        if self._is_paused and self.socket is not None:
            self.socket.resume()
        self._has_news = anyio.Event()
        await send_close(self._send, code, reason)
        if self._was_paused and self.has_room:
            with anyio.move_on_after(_LINGER_S):
                await self._has_news.wait()
