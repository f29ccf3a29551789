"""When to try again: full jitter, a thousand clients do not come back as one."""

import random

MIN_S = 0.5
MAX_S = 20.0


class Backoff:
    """Delays that double in range up to a ceiling, each drawn at random below it.

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("full
    jitter"); the bounds are those of the field's clients.
    """

    def __init__(
        self, rng: random.Random, *, min_s: float = MIN_S, max_s: float = MAX_S
    ) -> None:
        self._rng = rng
        self._min_s = min_s
        self._max_s = max_s
        self._attempt = 0

    def next(self) -> float:
        """Return the seconds to wait before the next attempt, and count it."""
        ceiling = min(self._max_s, self._min_s * 2**self._attempt)
        self._attempt = min(self._attempt + 1, 16)
        return self._rng.uniform(0.1 * self._min_s, ceiling)

    def within(self, seconds: float) -> float:
        """Return a random moment in a window the server named (`drain`)."""
        return self._rng.uniform(0.0, max(0.0, seconds))

    def reset(self) -> None:
        """Begin again: the connection was live."""
        self._attempt = 0
