"""How fast one participant or address may act, over all its connections."""

from collections.abc import Callable

from kefu_core.protocol.pace import TokenBuckets


class Paces:
    """One token bucket for each, with the time of now."""

    def __init__(self, rate: float, burst: float, now: Callable[[], float]) -> None:
        """Allow `rate` acts a second, up to `burst` at once."""
        self._buckets = TokenBuckets(rate, burst)
        self._now = now

    def take(self, who: str) -> float:
        """Take one token. Returns 0.0 if there was one, else the seconds to wait."""
        return self._buckets.take(who, self._now())

    def __len__(self) -> int:
        """How many acted lately."""
        return len(self._buckets)
