"""Frames over a byte stream: the same for both ends."""

import logging
from collections.abc import Sequence

import anyio
from anyio.abc import ByteStream

from kefu_core.abc.streams import FrameStream, PeerInfo
from kefu_core.errors import ConnectionClosed, ErrorCode
from kefu_core.protocol.codec import BadFrame, BatchDecoder, Codec, Received
from kefu_core.protocol.frames import Frame
from kefu_core.protocol.framing import BatchSplitter, with_length

logger = logging.getLogger(__name__)

_READ_BYTES = 65_536
_CLOSE_TIMEOUT_S = 1.0
_BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


class TcpStream(FrameStream):
    """One end of a TCP connection after the prefaces."""

    def __init__(
        self,
        stream: ByteStream,
        codec: Codec,
        decoder: "BatchDecoder[Frame]",
        peer: PeerInfo,
        batch_bytes_max: int,
    ) -> None:
        self.codec = codec
        self.peer = peer
        self._stream = stream
        self._decode = decoder.decode
        self._splitter = BatchSplitter(batch_bytes_max)
        self._batch_bytes_max = batch_bytes_max
        self._is_closed = False

    async def receive(self) -> Received:
        splitter = self._splitter
        if splitter.oversize:
            # What follows cannot be understood. Whoever serves this has been told
            # and is saying so to the peer; it ends the connection after that.
            await anyio.sleep_forever()
        while True:
            try:
                data = await self._stream.receive(_READ_BYTES)
            except anyio.EndOfStream:
                raise ConnectionClosed from None
            except _BROKEN as error:
                raise ConnectionClosed(1006, str(error)) from None
            items = [x for batch in splitter.feed(data) for x in self._decode(batch)]
            if splitter.oversize:
                items.append(self._too_large())
            if items:
                return items

    def _too_large(self) -> BadFrame:
        size, maximum = self._splitter.oversize, self._batch_bytes_max
        return BadFrame(
            code=ErrorCode.TOO_LARGE,
            text=f"{size} bytes in one batch; at most {maximum}.",
            fatal=True,
        )

    async def send(self, encoded: Sequence[bytes]) -> None:
        try:
            await self._stream.send(with_length(self.codec.join(encoded)))
        except _BROKEN as error:
            raise ConnectionClosed(1006, str(error)) from None

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        if self._is_closed:
            return
        self._is_closed = True
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(_CLOSE_TIMEOUT_S):
                await self._say_goodbye()
            await anyio.aclose_forcefully(self._stream)

    async def _say_goodbye(self) -> None:
        """Let the peer read what was written: unread bytes would turn into a reset."""
        try:
            await self._stream.send_eof()
            while True:
                await self._stream.receive(_READ_BYTES)
        except (anyio.EndOfStream, NotImplementedError, *_BROKEN):
            return
        except RuntimeError as error:
            # uvloop's words for a connection that was reset.
            logger.debug("the peer was gone before the goodbye: %s", error)
