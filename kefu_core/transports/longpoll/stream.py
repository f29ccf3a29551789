"""A poll session as a frame stream: what the hub sees."""

from collections import deque
from collections.abc import Sequence

import anyio

from kefu_core.abc.streams import FrameStream, PeerInfo
from kefu_core.errors import ConnectionClosed
from kefu_core.limits import Limits
from kefu_core.protocol.codec import Codec, Received
from kefu_core.protocol.longpoll import LongPollChannel


class HeldPoll:
    """A poll that waits for news. One a session."""

    __slots__ = ("is_superseded", "news")

    def __init__(self) -> None:
        self.is_superseded = False
        self.news = anyio.Event()


class PollStream(FrameStream):
    """Frames in and out of one session, whichever requests carry them."""

    def __init__(
        self, session_id: str, codec: Codec, peer: PeerInfo, limits: Limits, now: float
    ) -> None:
        self.id = session_id
        self.codec = codec
        self.peer = peer
        self.patience_s = limits.poll_session_s
        self.channel = LongPollChannel(limits)
        self.credential = b""
        """A digest of what later requests must bring."""
        self.held: HeldPoll | None = None
        self.requests_open = 0
        """Requests of this session that are being served."""
        self.requests_seen = 0
        self.used_at = now
        """When the last request came or was answered."""
        self.is_closed = False
        """No more frames come or go; what is retained may still be fetched."""
        self.running: anyio.Event | None = None
        """Set when the reply of the running request is there."""
        self.answering: HeldPoll | None = None
        """The request going up whose reply waits for its answers."""
        self._received: deque[Received] = deque()
        self._has_received = anyio.Event()
        self._has_room = anyio.Event()

    # -- for the hub -------------------------------------------------------------------

    async def receive(self) -> Received:
        while not self._received:
            if self.is_closed:
                raise ConnectionClosed
            self._has_received = anyio.Event()
            await self._has_received.wait()
        return self._received.popleft()

    async def send(self, encoded: Sequence[bytes]) -> None:
        # An outbox behind this one holds what finds no room here; a follower then
        # reads on from the store.
        while not self.channel.has_room:
            if self.is_closed:
                raise ConnectionClosed
            self._has_room = anyio.Event()
            await self._has_room.wait()
        if self.is_closed:
            raise ConnectionClosed
        self.channel.put(encoded)
        self._tell()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        self.end()

    # -- for the requests --------------------------------------------------------------

    def take(self, items: Received) -> None:
        """Pass a batch from the peer on; an empty one is a sign of life."""
        self._received.append(items)
        self._has_received.set()

    def has_all(self, ack: int) -> bool:
        """Whether the client says that it holds everything there is."""
        return ack >= self.channel.last_batch and not self.channel.has_pending

    def made_room(self) -> None:
        """Let a writer go on after an acknowledgement."""
        if self.channel.has_room:
            self._has_room.set()

    def hold(self) -> HeldPoll:
        """Make the caller's poll the one that is held; the older one is answered."""
        if self.held is not None:
            self.held.is_superseded = True
            self.held.news.set()
        self.held = HeldPoll()
        return self.held

    def end(self) -> None:
        """Close for the hub; wake everything that waits."""
        self.is_closed = True
        self._has_received.set()
        self._has_room.set()
        for waiting in (self.held, self.answering):
            if waiting is not None:
                waiting.news.set()

    def _tell(self) -> None:
        """Wake who carries the news: a reply that waits for it, else the poll."""
        waiting = self.answering or self.held
        if waiting is not None:
            waiting.news.set()
