"""A token bucket with the time passed in."""


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
