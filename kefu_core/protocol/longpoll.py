"""One long-poll session: numbered batches down, numbered requests up. No I/O, no clock.

Down: what is to be sent collects until an answer is written; it is then batch n for
ever, and is kept until the client says that it has it. So an answer that got lost, was
cut in the middle, or came twice changes nothing: the next one says the same bytes.

Up: requests carry 1, 2, 3 …; one is processed at a time, and the replies of the last
two are known. A repeated request gets the reply it would have got, also while the first
one is still running.

Polls carry 1, 2, 3 … too: the newest holds, an older one that arrives late is answered
empty and takes nothing.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Any

import msgspec

from kefu_core.limits import Limits
from kefu_core.protocol.codec import Codec

REPLIES_KEPT = 2


class PollRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Body of a request: a poll if it has `poll`, frames going up if it has `rid`."""

    poll: int | None = None
    """Number of this poll: 1, 2, 3 …"""
    rid: int | None = None
    """Number of this request: 1, 2, 3 …"""
    ack: int = 0
    """The newest batch held without a gap; it and all before it are forgotten."""
    wait: float = 25.0
    """How long the client wants its poll to be held, in seconds."""
    frames: list[msgspec.Raw] = []
    """Frames going up."""
    hello: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    """The frame `hello` of a client without a session, or whose session may be gone."""


class PollBatch(msgspec.Struct, frozen=True, kw_only=True):
    """One batch down: always the same frames for the same number."""

    n: int
    frames: list[msgspec.Raw]


class PollAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Body of every answer with status 200."""

    batches: list[PollBatch] = []
    superseded: bool = False
    """A newer poll has taken over; nothing is wrong."""


class PollRefusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Body of an answer with another status."""

    error: str
    """`no_session`, `bad_request`, `out_of_order`, `too_large`, `busy`, …"""
    text: str
    expect: int | None = None
    """The number that would have been right."""


class Turn(Enum):
    """What a numbered request is."""

    NEW = auto()
    """Process it."""
    RUNNING = auto()
    """It is being processed; wait for the same reply."""
    REPEAT = auto()
    """It was processed; say the kept reply again."""
    STALE = auto()
    """It is older than what is kept: its answer is of no use any more."""


class WrongNumber(Exception):
    """A number that cannot be right; `expect` would be."""

    def __init__(self, expect: int, text: str) -> None:
        """Take the right number and a sentence for the developer of a client."""
        super().__init__(text)
        self.expect = expect
        self.text = text


_json_encode = msgspec.json.Encoder().encode
_msgpack_encode = msgspec.msgpack.Encoder().encode


def encode_body(codec: Codec, body: Any) -> bytes:
    """Return an answer's or a request's body."""
    return _json_encode(body) if codec.is_text else _msgpack_encode(body)


class LongPollChannel:
    """The server's end."""

    __slots__ = (
        "_bytes",
        "_bytes_max",
        "_frames",
        "_frames_max",
        "_newest_poll",
        "_pending",
        "_replies",
        "_retained",
        "last_batch",
        "rid",
    )

    def __init__(self, limits: Limits) -> None:
        self._frames_max = limits.poll_retained_frames_max
        self._bytes_max = limits.poll_retained_bytes_max
        self._pending: list[bytes] = []
        """Not in a batch yet."""
        self._retained: list[tuple[PollBatch, int]] = []
        """Batches that were sent, each with its bytes."""
        self._frames = 0
        """Frames pending and retained."""
        self._bytes = 0
        self.last_batch = 0
        """The newest batch that was sent."""
        self._newest_poll = 0
        self.rid = 0
        """The newest request that was begun."""
        self._replies: dict[int, int] = {}
        """Newest batch in the reply to each of the last requests."""

    # -- down --------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether more may be put; a single put may go over the limit once."""
        return self._frames < self._frames_max and self._bytes < self._bytes_max

    @property
    def has_news(self) -> bool:
        """Whether there is anything to answer a poll with."""
        return bool(self._pending or self._retained)

    @property
    def has_pending(self) -> bool:
        """Whether there is anything that was never sent."""
        return bool(self._pending)

    @property
    def retained_bytes(self) -> int:
        """Bytes held for the client."""
        return self._bytes

    def put(self, encoded: Sequence[bytes]) -> None:
        """Take frames to be sent."""
        self._pending += encoded
        self._frames += len(encoded)
        self._bytes += sum(map(len, encoded))

    def acknowledge(self, number: int) -> None:
        """Forget batches up to a number. Raises `WrongNumber` for one never sent."""
        if number > self.last_batch:
            raise WrongNumber(
                self.last_batch,
                f"Batch {number} was never sent; acknowledge what came.",
            )
        while self._retained and self._retained[0][0].n <= number:
            batch, size = self._retained.pop(0)
            self._frames -= len(batch.frames)
            self._bytes -= size

    def batches(self) -> list[PollBatch]:
        """Return every batch that is not acknowledged; what was pending is one now."""
        if self._pending:
            self.last_batch += 1
            size = sum(map(len, self._pending))
            frames = [msgspec.Raw(frame) for frame in self._pending]
            batch = PollBatch(n=self.last_batch, frames=frames)
            self._retained.append((batch, size))
            self._pending = []
        return [batch for batch, _ in self._retained]

    # -- polls -------------------------------------------------------------------------

    def poll(self, number: int, ack: int) -> Turn:
        """Take a poll's number: NEW may be held, STALE is answered empty.

        The newest number again is NEW too: its answer may have been lost.

        Raises:
            WrongNumber: An acknowledgement of what was never sent.
        """
        self.acknowledge(ack)
        if number < self._newest_poll:
            return Turn.STALE
        self._newest_poll = number
        return Turn.NEW

    # -- up ----------------------------------------------------------------------------

    def begin(self, rid: int, ack: int) -> Turn:
        """Take a request's number.

        Raises:
            WrongNumber: It is not the next, or an acknowledgement is forged.
        """
        self.acknowledge(ack)
        if rid == self.rid + 1 and (not self.rid or self.rid in self._replies):
            self.rid = rid
            return Turn.NEW
        if rid in self._replies:
            return Turn.REPEAT
        if rid == self.rid:
            return Turn.RUNNING
        if rid <= self.rid:
            return Turn.STALE
        expect = self.rid + 1 if self.rid in self._replies else max(1, self.rid)
        raise WrongNumber(expect, f"Request {rid} is out of order; send {expect}.")

    def finish(self, rid: int) -> list[PollBatch]:
        """Return what the reply to the request that runs says."""
        batches = self.batches()
        self.settle(rid)
        return batches

    def settle(self, rid: int) -> None:
        """End the request that runs, where replies carry no batches of their own."""
        self._replies[rid] = self.last_batch
        self._replies.pop(rid - REPLIES_KEPT, None)

    def reply_to(self, rid: int) -> list[PollBatch]:
        """Return what the reply to a REPEAT said, without what has been acknowledged.

        The batches are kept anyway, so keeping replies as well would hold them twice.
        """
        newest = self._replies[rid]
        return [batch for batch, _ in self._retained if batch.n <= newest]
