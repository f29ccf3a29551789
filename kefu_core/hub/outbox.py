"""What waits for one peer, bounded (G7).

Three kinds of frames share one queue. *Answers* (`sent`, `error`, `page` …) are owed
to a request and never dropped; the requests themselves are limited, so they are
bounded by what the peer asked for. *Messages* are taken only while there is room: a
follower that finds none keeps its cursor and reads on from the store later. *Latest*
frames (receipts, typing, lists' hints) have one slot a subject, and a newer one
replaces the older; they are written after the queue.
"""

from collections.abc import Hashable

from kefu_core.limits import Limits


class Outbox:
    """Encoded frames in the order in which they will be written."""

    __slots__ = (
        "_bytes",
        "_bytes_max",
        "_frames_max",
        "_is_sealed",
        "_latest",
        "_queue",
        "_take",
    )

    def __init__(self, limits: Limits) -> None:
        # A list, since an empty deque takes 600 bytes of every idle connection.
        self._queue: list[bytes] = []
        self._bytes = 0
        """Bytes in the queue and the slots."""
        self._latest: dict[Hashable, bytes] = {}
        self._frames_max = limits.outbox_frames_max
        self._bytes_max = limits.outbox_bytes_max
        self._is_sealed = False
        self._take = (limits.batch_frames_max, limits.frame_bytes_max)

    def __len__(self) -> int:
        return len(self._queue) + len(self._latest)

    @property
    def size_bytes(self) -> int:
        """Bytes that wait."""
        return self._bytes

    @property
    def has_room(self) -> bool:
        """Whether messages are taken."""
        return (
            len(self._queue) < self._frames_max
            and self._bytes < self._bytes_max
            and not self._is_sealed
        )

    @property
    def is_half_empty(self) -> bool:
        """Whether a follower that stopped should read on."""
        return (
            len(self._queue) * 2 <= self._frames_max
            and self._bytes * 2 <= self._bytes_max
        )

    @property
    def is_overfull(self) -> bool:
        """Whether answers went far over the limit: a peer asks and never reads."""
        return self._bytes > 4 * self._bytes_max

    def put(self, encoded: bytes) -> None:
        """Queue a frame; the caller asks `has_room` first where it may wait."""
        if self._is_sealed:
            return
        self._queue.append(encoded)
        self._bytes += len(encoded)

    def put_latest(self, subject: Hashable, encoded: bytes) -> None:
        """Replace what waits about a subject."""
        if self._is_sealed:
            return
        old = self._latest.pop(subject, b"")
        self._latest[subject] = encoded
        self._bytes += len(encoded) - len(old)

    def take(self) -> list[bytes]:
        """Remove and return the next batch: one wire message, at least a frame."""
        frames_max, bytes_max = self._take
        queue = self._queue
        count = size = 0
        for encoded in queue[:frames_max]:
            size += len(encoded) + 1
            if count and size > bytes_max:
                break
            count += 1
        batch = queue[:count]
        del queue[:count]
        if not queue and self._latest:
            for subject in list(self._latest):
                size += len(self._latest[subject]) + 1
                if batch and (size > bytes_max or len(batch) >= frames_max):
                    break
                batch.append(self._latest.pop(subject))
        self._bytes -= sum(map(len, batch))
        return batch

    def seal(self) -> None:
        """Take nothing more: the last frame, `closed`, is in."""
        self._is_sealed = True
        self._bytes -= sum(map(len, self._latest.values()))
        self._latest.clear()

    def clear(self) -> None:
        """Drop everything."""
        self._queue.clear()
        self._latest.clear()
        self._bytes = 0
