"""A WebSocket of hypercorn whose messages go past hypercorn once it is accepted.

Theory of operation
-------------------

Through hypercorn a message wakes a task that reads, passes a dozen functions and a
queue, and wakes a task of the application; an answer passes as many again. Whoever
accepts with `kefu.direct` (`kefu_core.transports.websocket.direct`) gets it without:

::

    transport ─▶ data_received ─▶ whole frames ─▶ receiver.received     in one step
    write ─▶ head of a frame ─▶ transport.write

- Only the common frame is taken apart here: whole, masked, text or binary, of a size
  that is allowed. Every other (control, pieces, too long, not allowed at all) is given
  to wsproto as before, byte for byte, so what is refused and how stays hypercorn's.
- The handshake, the close and the end of the connection are hypercorn's: its protocol
  is still told of everything but the data.
- Nothing is kept without a bound: of a frame that is not whole there is less than
  `websocket_max_message_size`, of a longer one `BoundedBuffer` keeps a part.
"""

import asyncio
from contextvars import ContextVar
from typing import Any

from hypercorn.protocol.events import Body, Data, Event, StreamClosed
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.typing import WebsocketAcceptEvent
from starlette.types import ASGIApp, Receive, Scope, Send
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Message, Ping

from kefu_core.transports.websocket.direct import DIRECT, DirectReceiver

try:
    import sniffio
except ImportError:  # anyio needs it no more.
    sniffio = None  # type: ignore[assignment]

_transport: ContextVar[asyncio.Transport | None] = ContextVar("transport", default=None)
"""Of the connection that this task serves."""

_TEXT, _BINARY = 0x81, 0x82
"""First bytes of whole messages: the last piece of one, and its kind."""
_MASKED = 0x80


def connected(transport: asyncio.Transport) -> None:
    """Note whose connection this task, and all that it starts, is about to serve."""
    _transport.set(transport)
    if sniffio is not None:
        # anyio asks it which event loop this is, and outside of a task it cannot tell.
        sniffio.current_async_library_cvar.set("asyncio")


class Announced:
    """An ASGI application that is told that it may have WebSockets directly."""

    def __init__(self, app: ASGIApp) -> None:
        """Take the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        if scope["type"] == "websocket":
            scope["extensions"][DIRECT] = {}
        await self._app(scope, receive, send)


class DirectWebSocket(WSStream):
    """Also the `DirectSocket` of who accepted it so."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.has_room = True
        self._transport = _transport.get()
        self._receiver: DirectReceiver | None = None
        self._frame_max = self.config.websocket_max_message_size
        self._rest = b""
        """Read and not handed over: less than a frame, or all that came in a pause."""
        self._passing = 0
        """So many bytes more belong to a frame that wsproto gets."""
        self._is_in_pieces = False
        """Of a message in several frames the last has not come."""
        self._is_paused = False
        self._is_over = False

    # -- what hypercorn calls ----------------------------------------------------------

    async def handle(self, event: Event) -> None:
        """Take what hypercorn had read before it was taken over."""
        if self._receiver is not None and isinstance(event, (Body, Data)):
            self.data_received(event.data)
            return
        await super().handle(event)
        if self._receiver is not None and isinstance(event, StreamClosed):
            self._receiver.ended()

    async def _accept(self, message: WebsocketAcceptEvent) -> None:
        receiver: DirectReceiver | None = message.get(DIRECT)  # type: ignore[assignment]
        if receiver is not None and self._transport is not None:
            # First, so that nothing the peer answers goes the other way.
            self._receiver = receiver
            self._transport.set_protocol(
                _Tap(self, self._transport.get_protocol())  # type: ignore[arg-type]
            )
            receiver.opened(self)
        await super()._accept(message)

    # -- what the transport calls ------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Hand over every whole message; what is left waits for the next read."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        at, end = 0, len(data)
        while at < end and not (self._is_paused or self._is_over):
            if self._passing:
                stop = min(end, at + self._passing)
                self._passing -= stop - at
                self._pass_on(data[at:stop])
                at = stop
                continue
            place = _place_of(data, at)
            if place is None:
                break
            start, stop = place
            if stop - start > self._frame_max or data[at + 1] < _MASKED:
                self._passing = stop - at
            elif stop > end:
                break
            elif self._is_in_pieces or not self._hand_over(
                data[at], data[start - 4 : start], data[start:stop]
            ):
                self._passing = stop - at
            else:
                at = stop
        if not self._is_over:
            self._rest = data[at:]

    def writing_paused(self) -> None:
        """Note that the peer does not read."""
        self.has_room = False

    def writing_resumed(self) -> None:
        """Let who writes go on."""
        self.has_room = True
        if self._receiver is not None:
            self._receiver.has_room_again()

    def _hand_over(self, first: int, mask: bytes, payload: bytes) -> bool:
        """Give a whole message to who receives; False if it is for wsproto."""
        assert self._receiver is not None, "a frame before it was accepted"
        content = _unmasked(mask, payload)
        if first == _BINARY:
            self._receiver.received(content)
            return True
        if first == _TEXT:
            try:
                text = content.decode()
            except UnicodeDecodeError:
                return False  # wsproto says what is wrong with it.
            self._receiver.received(text)
            return True
        return False

    def _pass_on(self, data: bytes) -> None:
        """Have wsproto take apart what is not common, and act as hypercorn does."""
        assert self._receiver is not None, "a frame before it was accepted"
        self.connection.receive_data(data)
        for event in self.connection.events():
            if isinstance(event, Message):
                self.buffer.extend(event)
                self._is_in_pieces = not event.message_finished
                if event.message_finished:
                    message = self.buffer.to_message()
                    self.buffer.clear()
                    is_text = message["bytes"] is None
                    self._receiver.received(message["text" if is_text else "bytes"])
            elif isinstance(event, Ping):
                # Who sends many and reads none gets no more answers than fit.
                if self.has_room and self._transport is not None:
                    self._transport.write(self.connection.send(event.response()))
            elif isinstance(event, CloseConnection):
                self._is_over = True
                self.task_group.spawn(self._leave, event)
                return

    async def _leave(self, event: CloseConnection) -> None:
        if self.connection.state is ConnectionState.REMOTE_CLOSING:
            await self._send_wsproto_event(event.response())
        await self.send(StreamClosed(stream_id=self.stream_id))

    # -- what the receiver calls -------------------------------------------------------

    def write(self, data: bytes, *, is_text: bool) -> None:
        """Write one message, at once; nothing once the connection has ended."""
        if self._transport is None or self._transport.is_closing():
            return
        first, length = _TEXT if is_text else _BINARY, len(data)
        if length < 126:
            head = bytes((first, length))
        elif length < 65_536:
            head = bytes((first, 126)) + length.to_bytes(2, "big")
        else:
            head = bytes((first, 127)) + length.to_bytes(8, "big")
        self._transport.write(head + data)

    def pause(self) -> None:
        """Hand over nothing more, and read nothing, until `resume`."""
        if not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on, beginning with what was read already."""
        self._is_paused = False
        self.data_received(b"")
        if not self._is_paused and self._transport is not None:
            self._transport.resume_reading()


class _Tap(asyncio.Protocol):
    """Takes the data of a transport; all the rest is for hypercorn's protocol."""

    def __init__(self, socket: DirectWebSocket, rest: asyncio.StreamReaderProtocol):
        self.data_received = socket.data_received  # type: ignore[method-assign]
        self._socket = socket
        self._rest = rest

    def eof_received(self) -> bool | None:
        return self._rest.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest.connection_lost(exc)

    def pause_writing(self) -> None:
        self._rest.pause_writing()
        self._socket.writing_paused()

    def resume_writing(self) -> None:
        self._rest.resume_writing()
        self._socket.writing_resumed()


def _place_of(data: bytes, at: int) -> tuple[int, int] | None:
    """Return where a frame's masked payload begins and ends; None: not known yet."""
    known = len(data) - at
    if known < 2:
        return None
    length, head = data[at + 1] & 0x7F, 2
    if length > 125:
        head = 4 if length == 126 else 10
        if known < head:
            return None
        length = int.from_bytes(data[at + 2 : at + head], "big")
    start = at + head + 4
    return start, start + length


def _unmasked(mask: bytes, payload: bytes) -> bytes:
    size = len(payload)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(payload, "little") ^ key).to_bytes(size, "little")
