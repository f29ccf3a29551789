"""How much waits to be written, whoever writes it: the bound of one node."""

from kefu_core.abc.store import Outcome, PendingAppend
from kefu_core.errors import Busy
from kefu_core.limits import Limits


class Backlog:
    """Counts messages from `submit` until they are answered."""

    def __init__(self, limits: Limits) -> None:
        self.messages = 0
        self.size = 0
        """Bytes."""
        self._limits = limits

    def enter(self, append: PendingAppend) -> None:
        """Count a message. Raises `Busy` when too much waits."""
        if (
            self.messages >= self._limits.appender_messages_max
            or self.size + append.size > self._limits.appender_bytes_max
        ):
            raise Busy(retry_after_s=1.0)
        self.messages += 1
        self.size += append.size

    def answer(self, append: PendingAppend, outcome: Outcome) -> None:
        """Answer a message, which waits no more."""
        self.messages -= 1
        self.size -= append.size
        append.done(append, outcome)
