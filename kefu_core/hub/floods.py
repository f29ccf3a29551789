"""Who was cut off for flooding: no new connection of theirs begins with a burst.

Otherwise whoever dials again at once gets a burst with every connection, which is more
than a connection that stays would get.
"""

from collections.abc import Callable

from kefu_core.types import ParticipantId

FORGIVEN_S = 60.0
_MAX = 10_000


class Floods:
    """A node's memory of them, for a minute each."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._until: dict[ParticipantId, float] = {}
        """Who was noted last stands last."""

    def note(self, who: ParticipantId) -> None:
        """Remember a participant that was cut off just now."""
        now = self._now()
        self._until.pop(who, None)
        self._until[who] = now + FORGIVEN_S
        while True:
            oldest = next(iter(self._until))
            if self._until[oldest] > now and len(self._until) <= _MAX:
                return
            del self._until[oldest]

    def is_noted(self, who: ParticipantId) -> bool:
        """Whether a participant was cut off within the last minute."""
        return self._until.get(who, 0.0) > self._now()
