"""JSON lines and MessagePack batches, with limits on size, count and depth.

JSON: one frame a line, lines joined by a line feed. MessagePack: one array of frames.
Decoding never raises: bytes that are no frame come back as `BadFrame`, which says why
and, where it can be read, which frame, key or id it concerns. `fatal` marks bytes
after which the rest of the connection could not be understood.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from kefu_core.errors import ErrorCode
from kefu_core.ids import ID_MAX
from kefu_core.limits import Limits
from kefu_core.protocol.frames import Call, ClientFrame, Frame, Send, ServerFrame

F = TypeVar("F")

_BATCH_BYTES = 5
"""What a batch costs beside its frames: the longest head of a MessagePack array."""


class BadFrame(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that are not an allowed frame, and what to tell the peer."""

    code: ErrorCode
    text: str
    frame: str | None = None
    key: str | None = None
    id: str | None = None
    fatal: bool = False


Received = Sequence[Frame | BadFrame]
"""One batch from a peer, in the order sent."""


class _Label(msgspec.Struct):
    """What is read of a frame that does not fit, to name it in the answer."""

    t: Any = None
    key: Any = None
    id: Any = None


_json_label = msgspec.json.Decoder(_Label)
_msgpack_label = msgspec.msgpack.Decoder(_Label)
_msgpack_items = msgspec.msgpack.Decoder(list[msgspec.Raw])
_DECODE_ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class Codec(ABC):
    """Frames to bytes. Encoders are shared: a frame is encoded once for all readers."""

    name: str
    """`json` or `msgpack`; also the index of encoded copies."""
    is_text: bool

    @abstractmethod
    def encode(self, frame: Frame) -> bytes:
        """Return one frame as bytes."""

    @abstractmethod
    def join(self, encoded: Sequence[bytes]) -> bytes:
        """Return several encoded frames as one batch."""


class JsonCodec(Codec):
    """One frame a line."""

    name = "json"
    is_text = True

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode

    def encode(self, frame: Frame) -> bytes:
        return self._encode(frame)

    def join(self, encoded: Sequence[bytes]) -> bytes:
        return encoded[0] if len(encoded) == 1 else b"\n".join(encoded)


class MsgpackCodec(Codec):
    """One array of frames a batch."""

    name = "msgpack"
    is_text = False

    def __init__(self) -> None:
        self._encode = msgspec.msgpack.Encoder().encode

    def encode(self, frame: Frame) -> bytes:
        return self._encode(frame)

    def join(self, encoded: Sequence[bytes]) -> bytes:
        count = len(encoded)
        if count < 16:
            head = bytes((0x90 | count,))
        elif count < 65_536:
            head = b"\xdc" + count.to_bytes(2, "big")
        else:
            head = b"\xdd" + count.to_bytes(4, "big")
        return head + b"".join(encoded)


def batches(
    encoded: Iterable[bytes], bytes_max: int, frames_max: int
) -> Iterator[list[bytes]]:
    """Yield encoded frames in batches that the peer accepts; a longer frame alone."""
    batch: list[bytes] = []
    size = 0
    for frame in encoded:
        size += len(frame) + 1
        if batch and (size > bytes_max - _BATCH_BYTES or len(batch) >= frames_max):
            yield batch
            batch, size = [], len(frame) + 1
        batch.append(frame)
    if batch:
        yield batch


JSON = JsonCodec()
MSGPACK = MsgpackCodec()
CODECS: dict[str, Codec] = {JSON.name: JSON, MSGPACK.name: MSGPACK}


class BatchDecoder(Generic[F]):
    """Turns one batch of bytes into frames of one direction."""

    def __init__(self, frame_type: Any, codec: Codec, limits: Limits) -> None:
        self._limits = limits
        self._is_text = codec.is_text
        if codec.is_text:
            self._decode_one: Any = msgspec.json.Decoder(frame_type).decode
            self._label: Any = _json_label.decode
        else:
            self._decode_one = msgspec.msgpack.Decoder(frame_type).decode
            self._label = _msgpack_label.decode

    def decode(self, data: bytes | str) -> Received:
        """Return the batch's frames; never raises, never returns an empty batch."""
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogatepass")
        if len(data) > self._limits.frame_bytes_max:
            return [self._too_large(len(data))]
        items: Sequence[Any]
        if not self._is_text:
            # The count in an array's head is checked by the decoder against the
            # bytes that are there, so a lying count allocates nothing.
            try:
                items = _msgpack_items.decode(data)
            except _DECODE_ERRORS:
                return [_bad("This is not a MessagePack array of frames.", fatal=True)]
        elif b"\n" in data:
            items = [line for line in data.split(b"\n") if line]
        else:
            items = [data]
        if not items:
            return [_bad("The batch is empty.")]
        if len(items) > self._limits.batch_frames_max:
            maximum = self._limits.batch_frames_max
            return [
                BadFrame(
                    code=ErrorCode.TOO_LARGE,
                    text=f"{len(items)} frames in one batch; at most {maximum}.",
                )
            ]
        return self.decode_items(items)

    def decode_items(self, items: Sequence[Any]) -> Received:
        """Return frames that a transport has taken apart itself; never raises."""
        return [self._decode_item(item) for item in items]

    def _decode_item(self, item: Any) -> Frame | BadFrame:
        try:
            frame: Frame = self._decode_one(item)
        except RecursionError:
            # Too deep for the decoder, so too deep for its label as well.
            return _bad(f"Nested deeper than {self._limits.depth_max} levels.")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return self._explain(item, error)
        if type(frame) is Send:
            value: Any = frame.data
        elif type(frame) is Call:
            value = frame.params
        else:
            return frame
        fault = fault_of(value, self._limits.depth_max - 1) if value else ""
        if fault:
            return BadFrame(
                code=ErrorCode.BAD_REQUEST,
                text=fault,
                key=getattr(frame, "key", None),
                id=getattr(frame, "id", None),
            )
        return frame

    def _explain(self, item: Any, error: Exception) -> BadFrame:
        try:
            label = self._label(item)
        except _DECODE_ERRORS:
            return _bad(f"Not a frame: {str(error)[:200]}.")
        name = label.t if isinstance(label.t, str) else None
        key = label.key if isinstance(label.key, str) else None
        request = label.id if isinstance(label.id, str) else None
        text = str(error)[:200]
        code = ErrorCode.BAD_REQUEST
        if name is None:
            text = "A frame needs a field `t` that names it."
        elif "Invalid value" in str(error) and "`$.t`" in str(error):
            code = ErrorCode.UNKNOWN_FRAME
            text = f"Unknown frame {name[:64]!r}."
        return BadFrame(
            code=code,
            text=text,
            frame=name and name[:64],
            key=key and key[:128],
            id=request and request[:128],
        )

    def _too_large(self, size: int) -> BadFrame:
        return BadFrame(
            code=ErrorCode.TOO_LARGE,
            text=f"{size} bytes in one batch; at most {self._limits.frame_bytes_max}.",
        )


def client_frame_decoder(codec: Codec, limits: Limits) -> BatchDecoder[ClientFrame]:
    """Return the decoder a server uses."""
    return BatchDecoder(ClientFrame, codec, limits)


def server_frame_decoder(codec: Codec, limits: Limits) -> BatchDecoder[ServerFrame]:
    """Return the decoder a client uses."""
    return BatchDecoder(ServerFrame, codec, limits)


def _bad(text: str, *, fatal: bool = False) -> BadFrame:
    return BadFrame(code=ErrorCode.BAD_REQUEST, text=text, fatal=fatal)


def fault_of(value: Any, depth: int) -> str:
    """Return why a value cannot be written in every codec, empty if it can.

    Level by level instead of by recursion: what comes from outside decides the depth.
    """
    level = [value]
    allowed = depth
    while level:
        if depth == 0:
            return f"Nested deeper than {allowed + 1} levels."
        depth -= 1
        inner: list[Any] = []
        for container in level:
            if isinstance(container, dict):
                if not all(type(key) is str for key in container):
                    return "The keys of an object must be texts."
                children: Any = container.values()
            else:
                children = container
            for child in children:
                if type(child) in (dict, list):
                    inner.append(child)
                elif not _is_plain(child):
                    return f"{type(child).__name__} {str(child)[:40]} is not JSON's."
        level = inner
    return ""


def _is_plain(value: Any) -> bool:
    """Whether JSON, MessagePack, JavaScript and every database mean the same by it."""
    kind = type(value)
    if kind is int:
        return bool(-ID_MAX <= value <= ID_MAX)
    if kind is float:
        return math.isfinite(value)
    return kind is str or kind is bool or value is None
