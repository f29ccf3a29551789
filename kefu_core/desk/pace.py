"""How fast one participant or address may act, over all its connections."""

from collections.abc import Callable

from kefu_core.protocol.pace import TokenBucket

_SWEEP_AT = 1_000


class Paces:
    """One token bucket for each; full ones are forgotten, they say nothing."""

    def __init__(self, rate: float, burst: float, now: Callable[[], float]) -> None:
        """Allow `rate` acts a second, up to `burst` at once."""
        self._rate = rate
        self._burst = burst
        self._now = now
        self._buckets: dict[str, TokenBucket] = {}
        self._sweep_at = _SWEEP_AT

    def take(self, who: str) -> float:
        """Take one token. Returns 0.0 if there was one, else the seconds to wait."""
        now = self._now()
        bucket = self._buckets.get(who)
        if bucket is None:
            if len(self._buckets) >= self._sweep_at:
                self._sweep(now)
            bucket = self._buckets[who] = TokenBucket(self._rate, self._burst, now)
        return bucket.take(now)

    def _sweep(self, now: float) -> None:
        self._buckets = {
            who: bucket
            for who, bucket in self._buckets.items()
            if not bucket.is_full(now)
        }
        # The next sweep waits until as many came again: its cost stays constant.
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._buckets))

    def __len__(self) -> int:
        """How many acted lately."""
        return len(self._buckets)
