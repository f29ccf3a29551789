"""A lean end of a WebSocket, the same for every target.

A client library would be the limit of a run, and another one for each target would be
measured along with it. So this writes whole frames under a mask of zeros, which the
server undoes as it undoes any other, and takes frames apart without a queue.
"""

import asyncio
import base64
import os
import socket
import struct
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

OPEN_S = 30.0
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_OPCODE, _FINAL, _MASKED = 0x0F, 0x80, 0x80
_NO_MASK = b"\0\0\0\0"


class WireError(Exception):
    """A WebSocket could not be opened; says what the server answered."""


class Wire(asyncio.Protocol):
    """One connection. `received` gets whole messages, `ended` is called once."""

    def __init__(
        self, received: Callable[[bytes], None], ended: Callable[[], None]
    ) -> None:
        """Prepare; `open_wire` connects."""
        self._received = received
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._pieces: list[bytes] = []
        self._is_open = False
        self._is_cut = False
        """Nobody here listens any more, whatever still comes."""
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(WireError(f"ended before it was open: {exc}"))
        elif not self._is_cut:
            self._ended()

    def ask(self, url: str, subprotocol: str) -> None:
        """Ask for the WebSocket; `opened` tells when it is there."""
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        key = base64.b64encode(os.urandom(16)).decode()
        wanted = f"sec-websocket-protocol: {subprotocol}\r\n" if subprotocol else ""
        assert self._transport is not None, "connected"
        self._transport.write(
            f"GET {path} HTTP/1.1\r\nhost: {parts.netloc}\r\nupgrade: websocket\r\n"
            f"connection: upgrade\r\nsec-websocket-key: {key}\r\n"
            f"sec-websocket-version: 13\r\n{wanted}\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        if not self._is_open:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._rest = head
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self.opened.set_exception(WireError(head.decode("utf-8", "replace")))
                return
            self._is_open = True
            self.opened.set_result(None)
        self._take(data)

    def _take(self, data: bytes) -> None:
        """Take every whole frame; what is left waits for the next read."""
        at, end = 0, len(data)
        while end - at >= 2 and not self._is_cut:
            length, head = data[at + 1], 2
            if length > 125:
                head = 4 if length == 126 else 10
                if end - at < head:
                    break
                length = int.from_bytes(data[at + 2 : at + head], "big")
            stop = at + head + length
            if stop > end:
                break
            self._frame(data[at], data[at + head : stop])
            at = stop
        self._rest = data[at:]

    def _frame(self, first: int, payload: bytes) -> None:
        opcode = first & _OPCODE
        if opcode in (CLOSE, PING, PONG):
            if opcode == PING:
                self.send(payload, PONG)
            elif opcode == CLOSE and self._transport is not None:
                self.send(payload, CLOSE)
                self._transport.close()
        elif first & _FINAL and not self._pieces:
            self._received(payload)
        else:
            self._pieces.append(payload)
            if first & _FINAL:
                whole, self._pieces = b"".join(self._pieces), []
                self._received(whole)

    def send(self, payload: bytes, opcode: int) -> None:
        """Write one message."""
        length = len(payload)
        if length < 126:
            head = bytes((_FINAL | opcode, _MASKED | length))
        elif length < 65_536:
            head = struct.pack(">BBH", _FINAL | opcode, _MASKED | 126, length)
        else:
            head = struct.pack(">BBQ", _FINAL | opcode, _MASKED | 127, length)
        assert self._transport is not None, "connected"
        self._transport.write(head + _NO_MASK + payload)

    def reset(self) -> None:
        """End it as a machine does that knows nothing of it any more (RST)."""
        self._is_cut = True
        if self._transport is None or self._transport.is_closing():
            return
        near = self._transport.get_extra_info("socket")
        # The option belongs to the socket, and not to the number it is known by.
        with socket.socket(fileno=os.dup(near.fileno())) as same:
            linger = struct.pack("ii", 1, 0)
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()

    def forsake(self) -> None:
        """Read and write no more, and tell nobody: the peer believes it open."""
        self._is_cut = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()


async def open_wire(
    url: str,
    received: Callable[[bytes], None],
    ended: Callable[[], None],
    *,
    subprotocol: str = "",
    local_host: str,
) -> Wire:
    """Open a WebSocket.

    Raises:
        WireError: The server did not agree.
        OSError: There is no server.
        TimeoutError: It did not answer in time.
    """
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(OPEN_S):
        _, wire = await loop.create_connection(
            lambda: Wire(received, ended),
            parts.hostname or "",
            parts.port or 80,
            local_addr=(local_host, 0),
        )
        wire.ask(url, subprotocol)
        await wire.opened
    return wire
