"""What a transport promises: whole batches of frames to one peer, in order."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import msgspec

from kefu_core.protocol.codec import Codec, Received


class PeerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a transport knows of the peer before it says anything."""

    transport: str
    """`websocket`, `tcp`, `longpoll`, `memory`."""
    address: str = ""
    """IP address, after trusted proxies."""
    origin: str | None = None
    """`Origin` header, None when absent."""
    host: str = ""
    cookies: dict[str, str] = {}
    is_secure: bool = False


class FrameStream(ABC):
    """Ordered, reliable batches to one peer until either side closes.

    Knows sizes and the codec; knows nothing of what frames mean. One task may send
    while another receives; neither may be called by two tasks at once.
    """

    codec: Codec
    """How frames are written on this stream."""
    peer: PeerInfo
    patience_s: float | None = None
    """How long the peer may be silent, or a write may wait for it, where the transport
    has its own idea of that; None: `limits` say."""

    number: str = ""
    """What the log calls the connection; given by who serves it."""

    @abstractmethod
    async def receive(self) -> Received:
        """Return the next batch from the peer.

        An empty one is a sign of life of the transport itself, which says that the
        link works in both directions. Items are frames or `BadFrame`s, in the order
        sent. Raises `ConnectionClosed`. Cancellation: safe, nothing is lost.
        """

    @abstractmethod
    async def send(self, encoded: Sequence[bytes]) -> None:
        """Write frames that `codec.encode` made, in order, in one piece where possible.

        Returning proves nothing about the peer (G6). Raises `ConnectionClosed`.
        Cancellation: the stream is unusable afterwards; close it.
        """

    @abstractmethod
    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Close; bounded in time whatever the peer does. Never raises, idempotent.

        A stream that was dialled is closed by the task that dialled it.
        """


class BufferedStream(FrameStream):
    """A stream that keeps what is written until the peer fetches it.

    Writing is then no I/O, so whoever serves it needs no task that waits: it writes
    while there is room, and is called when there is room again.
    """

    on_room: Callable[[], None] | None = None
    """Called, without await, when `has_room` turned true again."""

    @property
    @abstractmethod
    def has_room(self) -> bool:
        """Whether `put` takes more."""

    @abstractmethod
    def put(self, encoded: Sequence[bytes]) -> None:
        """Write as `send` does, at once. Raises `ConnectionClosed`."""


class PushedStream(BufferedStream):
    """A stream that hands each batch over in the step in which it comes.

    No task wakes for a batch then. `receive` returns what came before `on_batch` was
    set, and after that only waits, until it raises `ConnectionClosed` or what
    `on_batch` has raised.
    """

    on_batch: Callable[[Received], float] | None = None
    """Called without await and in no task; returns for how many seconds nothing more
    is to be read."""
