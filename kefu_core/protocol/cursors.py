"""Following a log by its numbers: pure, for both ends.

`LogFollower` is the server's end. It is attached at a cursor *before* anything is
read, and asks for exactly the next seq: from the live message at hand, else from the
store, one read in flight, none while the outbox is full. A hint only wakes it. Resume,
slow readers, lost hints and the race between history and live messages are therefore
one code path, and nothing can fall between two of them.

`LogReader` is the client's end: it takes what is next, ignores what it holds, and
names a hole instead of showing one.
"""

from kefu_core.types import Seq


class LogFollower:
    """What one connection has been sent of one conversation."""

    __slots__ = ("acked", "cursor", "head", "is_reading")

    def __init__(self, cursor: Seq, head: Seq) -> None:
        self.cursor = cursor
        """Last seq put into the outbox."""
        self.head = max(head, cursor)
        """Highest seq known to exist."""
        self.acked = cursor
        """Last seq the peer acknowledged; its own cursor counts as that."""
        self.is_reading = False
        """A read from the store is under way."""

    def offer(self, seq: Seq, *, has_room: bool) -> bool:
        """Take a live message if it is exactly the next; True means: send it now."""
        if seq == self.cursor + 1 and has_room and not self.is_reading:
            self.cursor = seq
            if seq > self.head:
                self.head = seq
            return True
        self.hint(seq)
        return False

    def hint(self, head: Seq) -> None:
        """Note that the log reaches up to `head`."""
        if head > self.head:
            self.head = head

    def wants_read(self, *, has_room: bool) -> bool:
        """Whether to start a read after `cursor` now."""
        return self.head > self.cursor and has_room and not self.is_reading

    def read_started(self) -> None:
        """Note that a read after `cursor` is under way."""
        self.is_reading = True

    def read_finished(self) -> None:
        """Note that the read ended, whatever it brought."""
        self.is_reading = False

    def take(self, seq: Seq) -> bool:
        """Take a message that was read; False if it is not exactly the next."""
        if seq != self.cursor + 1:
            return False
        self.cursor = seq
        if seq > self.head:
            self.head = seq
        return True


class LogReader:
    """What one client holds of one conversation."""

    __slots__ = ("acked", "cursor", "read", "told")

    def __init__(self, cursor: Seq = Seq(0)) -> None:
        self.cursor = cursor
        """Last seq held without a hole below it (from where following began)."""
        self.acked = cursor
        """Last seq an `ack` was sent for on this connection."""
        self.read = Seq(0)
        """Last seq shown to a person."""
        self.told = Seq(0)
        """Last seq a `read` was sent for on this connection."""

    def take(self, seq: Seq) -> bool | None:
        """Say what to do with a message: True show, False known, None a hole."""
        if seq <= self.cursor:
            return False
        if seq != self.cursor + 1:
            return None
        self.cursor = seq
        return True
