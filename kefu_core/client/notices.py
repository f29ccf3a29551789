"""What a client has to tell its program, in order, until it is taken."""

from collections import deque
from collections.abc import Callable
from typing import Generic, Self, TypeVar

import anyio
import anyio.lowlevel
import msgspec

from kefu_core.protocol import frames as f
from kefu_core.protocol.events import HistoryReplaced, SendRejected

T = TypeVar("T")


class ConnectionChanged(msgspec.Struct, frozen=True):
    """The connection came up or went down."""

    is_live: bool
    reason: str = ""
    transport: str = ""
    """What carries the connection, when it is live."""


Notice = (
    f.MessageFrame
    | f.Sent
    | f.Receipt
    | f.TypingEvent
    | f.Snapshot
    | f.Event
    | f.Head
    | f.ErrorFrame
    | SendRejected
    | HistoryReplaced
    | ConnectionChanged
)
"""What `Client.events` yields."""


class Notices(Generic[T]):
    """A queue into which nothing is put by waiting.

    The session counts a message as held as soon as it hands it out, so between there
    and here nothing may be cancelled: whoever puts waits for room afterwards.
    """

    def __init__(self, size: int) -> None:
        """Make an empty one; `size` is where whoever puts should wait."""
        self._size = size
        self._items: deque[T] = deque()
        self._news = anyio.Event()
        self._room = anyio.Event()
        self._is_closed = False

    @property
    def is_full(self) -> bool:
        """Whether whoever puts should wait."""
        return len(self._items) >= self._size

    def put(self, item: T) -> None:
        """Add one at the end, full or not."""
        self._items.append(item)
        self._news.set()

    async def wait_for_room(self) -> None:
        """Return once it is not full. Cancellation: safe."""
        while self.is_full and not self._is_closed:
            self._room = anyio.Event()
            await self._room.wait()

    def take_nowait(self) -> T | None:
        """Return the oldest, None when there is none."""
        if not self._items:
            return None
        item = self._items.popleft()
        if not self.is_full:
            self._room.set()
        return item

    async def take(self) -> T:
        """Return the oldest, once there is one. Cancellation: safe, nothing is lost.

        Raises:
            StopAsyncIteration: Closed.
        """
        await anyio.lowlevel.checkpoint()
        while True:
            if self._is_closed:
                raise StopAsyncIteration
            item = self.take_nowait()
            if item is not None:
                return item
            if self._news.is_set():
                self._news = anyio.Event()
            await self._news.wait()

    def close(self) -> None:
        """End every `take`."""
        self._is_closed = True
        self._news.set()
        self._room.set()


class Events(Generic[T]):
    """Iterates a client's notices; ends when the client is closed."""

    # Not an async generator: one that is left early is closed by the garbage
    # collector, which trio rightly complains of.

    def __init__(self, notices: Notices[T], listen: Callable[[], None]) -> None:
        """Take where notices come from, and whom to tell that they are wanted."""
        self._notices = notices
        self._listen = listen

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> T:
        """Return the next notice."""
        self._listen()
        return await self._notices.take()

    async def aclose(self) -> None:
        """Do nothing: for those who wrap any iterator in `aclosing`."""
