"""A poll session as a frame stream: what the hub sees."""

from collections.abc import Sequence

import anyio

from kefu_core.abc.streams import BufferedStream, PeerInfo
from kefu_core.errors import CloseCode, ConnectionClosed
from kefu_core.limits import Limits
from kefu_core.protocol.codec import Codec, Received
from kefu_core.protocol.longpoll import LongPollChannel, PollBatch

TOLD_S = 2.0
"""So long a node that goes away waits for a client to fetch what it is told last."""


class HeldPoll:
    """A poll that waits for news. One a session."""

    __slots__ = ("is_superseded", "news")

    def __init__(self) -> None:
        self.is_superseded = False
        self.news = anyio.Event()


class PollStream(BufferedStream):
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
        self._received: list[Received] = []
        # Events are made by who waits: each is a kilobyte of every idle session.
        self._has_received: anyio.Event | None = None
        self._has_room: anyio.Event | None = None
        self._taken: anyio.Event | None = None

    # -- for the hub -------------------------------------------------------------------

    async def receive(self) -> Received:
        while not self._received:
            if self.is_closed:
                raise ConnectionClosed
            self._has_received = anyio.Event()
            await self._has_received.wait()
        return self._received.pop(0)

    @property
    def has_room(self) -> bool:
        return self.channel.has_room

    def put(self, encoded: Sequence[bytes]) -> None:
        if self.is_closed:
            raise ConnectionClosed
        self.channel.put(encoded)
        # The reply that waits for its answers carries the news, else the poll does.
        waiting = self.answering or self.held
        if waiting is not None:
            waiting.news.set()

    async def send(self, encoded: Sequence[bytes]) -> None:
        while not self.has_room and not self.is_closed:
            self._has_room = anyio.Event()
            await self._has_room.wait()
        self.put(encoded)

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        self.end()
        if code == CloseCode.RESTART and self.channel.has_pending:
            # Whoever was between two polls would find nobody who knows the session,
            # and come back at once like everybody: it is told when to.
            self._taken = anyio.Event()
            with anyio.CancelScope(shield=True), anyio.move_on_after(TOLD_S):
                await self._taken.wait()

    # -- for the requests --------------------------------------------------------------

    def take(self, items: Received) -> None:
        """Pass a batch from the peer on; an empty one is a sign of life."""
        self._received.append(items)
        _set(self._has_received)

    def has_all(self, ack: int) -> bool:
        """Whether the client says that it holds everything there is."""
        return ack >= self.channel.last_batch and not self.channel.has_pending

    def batches(self) -> list[PollBatch]:
        """Return what an answer carries: every batch that is not acknowledged."""
        batches = self.channel.batches()
        self.was_taken()
        return batches

    def was_taken(self) -> None:
        """Note that an answer carries all that there is."""
        _set(self._taken)

    def made_room(self) -> None:
        """Let a writer go on after an acknowledgement."""
        if self.channel.has_room:
            _set(self._has_room)
            if self.on_room is not None:
                self.on_room()

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
        _set(self._has_received)
        _set(self._has_room)
        for waiting in (self.held, self.answering):
            if waiting is not None:
                waiting.news.set()


def _set(event: anyio.Event | None) -> None:
    if event is not None:
        event.set()
