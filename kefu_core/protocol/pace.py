"""Token buckets with the time passed in."""

from collections import OrderedDict

_FORGET_MAX = 8
"""Forgotten for one who is new: more than come, few enough for anybody to wait for."""


class TokenBucket:
    """Allows `rate` acts a second on average, and up to `burst` at once."""

    __slots__ = ("_burst", "_rate", "_tokens", "_updated_at")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        """Begin full.

        Raises:
            ValueError: A rate or a burst that would never allow anything.
        """
        if rate <= 0 or burst < 1:
            raise ValueError(f"rate {rate} must be above 0 and burst {burst} above 1")
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._updated_at = now

    def take(self, now: float) -> float:
        """Take one token. Returns 0.0 if there was one, else the seconds to wait."""
        if now > self._updated_at:
            gained = (now - self._updated_at) * self._rate
            self._tokens = min(self._burst, self._tokens + gained)
            self._updated_at = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._rate

    def drain(self) -> None:
        """Take all that there is."""
        self._tokens = 0.0

    def is_full(self, now: float) -> bool:
        """Whether nothing was taken lately, so that the bucket can be forgotten."""
        gained = max(0.0, now - self._updated_at) * self._rate
        return self._tokens + gained >= self._burst


class TokenBuckets:
    """A bucket for each of many; full ones are forgotten, they say nothing.

    Who acted longest ago stands first, and is the first whose bucket is full again. So
    what is kept is who acted within the time that fills an empty bucket.
    """

    __slots__ = ("_buckets", "_burst", "_keys_max", "_rate")

    def __init__(self, rate: float, burst: float, *, keys_max: int = 0) -> None:
        """Allow each `rate` acts a second on average, and up to `burst` at once.

        Args:
            rate: Acts a second.
            burst: Acts at once.
            keys_max: Of more than so many, who acted longest ago is forgotten whatever
                the bucket says; 0: nobody is.
        """
        self._rate = rate
        self._burst = burst
        self._keys_max = keys_max
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """Take one token. Returns 0.0 if there was one, else the seconds to wait."""
        bucket = self._buckets.get(key)
        if bucket is None:
            self._forget(now)
            bucket = self._buckets[key] = TokenBucket(self._rate, self._burst, now)
            if 0 < self._keys_max < len(self._buckets):
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket.take(now)

    def _forget(self, now: float) -> None:
        for _ in range(min(_FORGET_MAX, len(self._buckets))):
            oldest = next(iter(self._buckets))
            if not self._buckets[oldest].is_full(now):
                return
            del self._buckets[oldest]

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._buckets)
