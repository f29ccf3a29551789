"""Batches on a byte stream: a preface, then lengths.

::

    preface, both ways   "KEFU"  version (1)  codec (1 JSON, 2 MessagePack)  0  0
    then, again and again        length (4 bytes, big-endian)  batch

The server answers the preface with its own before its first batch; one it cannot
serve it answers with codec 0 and closes. A length is checked before anything is
allocated for it.
"""

from kefu_core.errors import RemoteProtocolError
from kefu_core.protocol.codec import JSON, MSGPACK, Codec
from kefu_core.protocol.frames import PROTOCOL_VERSION

MAGIC = b"KEFU"
PREFACE_BYTES = 8
LENGTH_BYTES = 4
_CODECS = {1: JSON, 2: MSGPACK}
_NUMBERS = {codec.name: number for number, codec in _CODECS.items()}


def preface(codec: Codec | None) -> bytes:
    """Return the first bytes of a side; None is the refusal."""
    number = _NUMBERS[codec.name] if codec is not None else 0
    return MAGIC + bytes((PROTOCOL_VERSION, number, 0, 0))


def parse_preface(data: bytes) -> Codec:
    """Return the codec that a preface names. Raises `RemoteProtocolError`."""
    if data[:4] != MAGIC:
        raise RemoteProtocolError("This is not kefu: the preface is missing.")
    if data[4] != PROTOCOL_VERSION:
        raise RemoteProtocolError(f"Version {data[4]}; this side speaks 1.")
    codec = _CODECS.get(data[5])
    if codec is None:
        raise RemoteProtocolError(f"Unknown codec {data[5]}; offer 1 or 2.")
    return codec


def with_length(batch: bytes) -> bytes:
    """Return a batch as it goes onto the wire."""
    return len(batch).to_bytes(LENGTH_BYTES, "big") + batch


class BatchSplitter:
    """Cuts a byte stream, which comes in pieces of any size, into batches."""

    __slots__ = ("_batch_bytes_max", "_buffer", "oversize")

    def __init__(self, batch_bytes_max: int) -> None:
        self.oversize = 0
        """The length over the limit at which the stream became unreadable, if any."""
        self._batch_bytes_max = batch_bytes_max
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; return the batches that are whole now. See `oversize` after."""
        buffer = self._buffer
        buffer += data
        batches: list[bytes] = []
        at = 0
        while len(buffer) - at >= LENGTH_BYTES:
            size = int.from_bytes(buffer[at : at + LENGTH_BYTES], "big")
            if size > self._batch_bytes_max:
                self.oversize = size
                buffer.clear()
                return batches
            end = at + LENGTH_BYTES + size
            if len(buffer) < end:
                break
            batches.append(bytes(buffer[at + LENGTH_BYTES : end]))
            at = end
        if at:
            del buffer[:at]
        return batches

    @property
    def pending_bytes(self) -> int:
        """Bytes of a batch that is not whole."""
        return len(self._buffer)
