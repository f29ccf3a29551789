"""What a client has yet to ask a server to follow, at a pace that the server allows."""

from kefu_core.types import ConversationId

_SHARE = 0.75
"""Of a server's pace: acknowledgements, calls and messages want some, too."""
_AT_ONCE = 24
"""More are answered `busy`: a server lets 32 requests of a connection wait."""


class Asking:
    """Conversations that wait until they are asked for.

    The first two dozen of a connection may go at once; what is above goes at three
    quarters of the pace that the server told. Times are monotonic seconds.
    """

    __slots__ = ("_free", "_per_s", "_refilled_at", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[ConversationId, float] = {}
        """Each with the time before which it is not asked for."""
        self._per_s = 0.0
        self._free = 0.0
        self._refilled_at = 0.0

    def restart(self, frames_per_s: float, now: float) -> None:
        """Begin a connection whose server takes so many frames; nothing waits.

        0 is a server that does not say: it is asked for all at once.
        """
        self._waiting.clear()
        self._per_s = frames_per_s * _SHARE
        self._free = float(_AT_ONCE)
        self._refilled_at = now

    def add(self, conversation: ConversationId, at: float = 0.0) -> None:
        """Have it asked for, `at` the earliest."""
        self._waiting[conversation] = at

    def discard(self, conversation: ConversationId) -> None:
        """Forget it if it waits."""
        self._waiting.pop(conversation, None)

    def refused(self, conversation: ConversationId, at: float) -> None:
        """Ask again `at` the earliest: others used up what this connection may say."""
        self._waiting[conversation] = at
        self._free = 0.0

    def take(self, now: float) -> list[ConversationId]:
        """Return what may be asked for now, in order; each leaves."""
        gained = max(0.0, now - self._refilled_at) * self._per_s
        self._free = min(float(_AT_ONCE), self._free + gained)
        self._refilled_at = max(self._refilled_at, now)
        due = [each for each, at in self._waiting.items() if at <= now]
        if self._per_s > 0.0:
            due = due[: int(self._free)]
            self._free -= len(due)
        for conversation in due:
            del self._waiting[conversation]
        return due

    def next_timer(self) -> float | None:
        """Return when `take` has something again; None if nothing waits."""
        if not self._waiting:
            return None
        soonest = min(self._waiting.values())
        if self._per_s > 0.0 and self._free < 1.0:
            ready = self._refilled_at + (1.0 - self._free) / self._per_s
            return max(soonest, ready)
        return soonest
