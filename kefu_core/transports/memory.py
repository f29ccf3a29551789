"""A joined pair of frame streams in one process: for tests and embedded bots.

Frames are encoded and decoded as on a real wire. A pair may be cut at any moment;
what was under way is then gone, as with a socket.
"""

import math
from collections.abc import Sequence

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from kefu_core.abc.streams import FrameStream, PeerInfo
from kefu_core.errors import ConnectionClosed
from kefu_core.limits import Limits
from kefu_core.protocol.codec import (
    JSON,
    BatchDecoder,
    Codec,
    Received,
    client_frame_decoder,
    server_frame_decoder,
)
from kefu_core.transports.reading import for_reading


class MemoryStream(FrameStream):
    """One end of a pair."""

    def __init__(
        self,
        codec: Codec,
        peer: PeerInfo,
        decoder: "BatchDecoder[object]",
        outgoing: MemoryObjectSendStream[bytes],
        incoming: MemoryObjectReceiveStream[bytes],
    ) -> None:
        self.codec = codec
        self.peer = peer
        self.close_code: int | None = None
        self.other: MemoryStream | None = None
        self._decoder = decoder
        self._outgoing = outgoing
        self._incoming = incoming

    async def receive(self) -> Received:
        try:
            data = await self._incoming.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            raise ConnectionClosed(self.close_code or 1006) from None
        return self._decoder.decode(data)

    async def send(self, encoded: Sequence[bytes]) -> None:
        await self.send_bytes(self.codec.join(encoded))

    async def send_bytes(self, data: bytes) -> None:
        """Write one batch as it is; tests send rubbish with it."""
        try:
            await self._outgoing.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise ConnectionClosed(self.close_code or 1006) from None

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        self.cut(code)

    def cut(self, code: int = 1006) -> None:
        """Break the pair at once, from either end."""
        for end in (self, self.other):
            if end is not None:
                if end.close_code is None:
                    end.close_code = code
                end._outgoing.close()
        self._incoming.close()


def memory_pair(
    codec: Codec = JSON,
    limits: Limits | None = None,
    *,
    peer: PeerInfo | None = None,
    buffered_batches: float = math.inf,
) -> tuple[MemoryStream, MemoryStream]:
    """Return (client's end, server's end).

    `buffered_batches` is how many batches the wire holds before `send` waits: small
    values make a slow reader.
    """
    limits = limits or Limits()
    up = anyio.create_memory_object_stream[bytes](math.inf)
    down = anyio.create_memory_object_stream[bytes](buffered_batches)
    client = MemoryStream(
        codec,
        PeerInfo(transport="memory"),
        server_frame_decoder(codec, for_reading(limits)),  # type: ignore[arg-type]
        up[0],
        down[1],
    )
    server = MemoryStream(
        codec,
        peer or PeerInfo(transport="memory", address="127.0.0.1"),
        client_frame_decoder(codec, limits),  # type: ignore[arg-type]
        down[0],
        up[1],
    )
    client.other, server.other = server, client
    return client, server
