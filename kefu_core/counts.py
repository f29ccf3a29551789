"""What is counted since a node's start: refusals, ends of connections, how long."""

from bisect import bisect_left
from collections import Counter

import msgspec

GONE = 1006
"""Counted as the close code where the peer left, or was cut off, without a word."""


POLLS_S = (0.1, 1.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 60.0)
"""Bounds of what waits on purpose."""
TIMES_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Bounds of what takes milliseconds where all is well."""
DELIVERIES_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0)
"""Bounds of what waits for people and their networks."""
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
"""Bounds of what is gathered before it is done."""


class HistogramValue(msgspec.Struct, frozen=True):
    """How values were spread, at one moment."""

    bounds: tuple[float, ...]
    """Upper bounds, included, rising."""
    counts: tuple[int, ...]
    """Values up to each bound and above the one before; the last: above all."""
    total: float
    """Sum of all values."""

    def __sub__(self, older: "HistogramValue") -> "HistogramValue":
        """Return what came since; the bounds must be the same."""
        assert self.bounds == older.bounds, "histograms of different bounds"
        counts = tuple(a - b for a, b in zip(self.counts, older.counts, strict=True))
        return HistogramValue(self.bounds, counts, self.total - older.total)

    def quantile(self, share: float) -> float:
        """Return what so many values do not exceed, by the bounds; 0 for no values.

        Within a bucket values count as spread evenly; what is above all bounds counts
        as the last one.
        """
        wanted, reached, low = share * sum(self.counts), 0, 0.0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            if count and reached + count >= wanted:
                return low + (bound - low) * max(0.0, wanted - reached) / count
            reached, low = reached + count, bound
        return self.bounds[-1] if any(self.counts) else 0.0

    def __add__(self, other: "HistogramValue") -> "HistogramValue":
        """Return both together; the bounds must be the same."""
        assert self.bounds == other.bounds, "histograms of different bounds"
        counts = tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        return HistogramValue(self.bounds, counts, self.total + other.total)


class Histogram:
    """Counts values by size; one value costs less than a microsecond."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def value(self) -> HistogramValue:
        """Return what was counted until now."""
        return HistogramValue(self._bounds, tuple(self._counts), self._total)


class Counts:
    """Counters whose keys are our own words, so nobody outside adds one.

    Each key of a counter begins with the name of a transport.
    """

    __slots__ = (
        "catch_ups",
        "closes",
        "damaged",
        "delivered",
        "deliveries",
        "errors",
        "polls",
        "refused",
        "waits",
    )

    def __init__(self) -> None:
        self.refused: Counter[tuple[str, str]] = Counter()
        """Connections and requests that no session saw, by status of HTTP; on TCP by
        `busy`, `address`, `preface`, `silent` and `tls`."""
        self.errors: Counter[tuple[str, str]] = Counter()
        """Frames `error`, by code."""
        self.closes: Counter[tuple[str, str]] = Counter()
        """Connections that ended, by close code; see `GONE`."""
        self.damaged = 0
        """Reads that found a conversation that is not whole, or a message that is not
        what was stored."""
        self.delivered = 0
        """Messages put into the outboxes of connections, live or read again."""
        self.deliveries = Histogram(DELIVERIES_S)
        """Seconds from a message's commit until its receiver's program said it has it:
        of each receipt that is stored the first message, where this node remembers
        it."""
        self.catch_ups = 0
        """Reads of the store for a connection that was behind."""
        self.polls = Histogram(POLLS_S)
        """Seconds that polls were held before they were answered."""
        self.waits = Histogram(TIMES_S)
        """Seconds from a message's arrival until it was stored or refused."""


def by_transport(counter: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Return a counter as it is shown: transport to word to count, sorted."""
    shown: dict[str, dict[str, int]] = {}
    for (transport, word), count in sorted(counter.items()):
        shown.setdefault(transport, {})[word] = count
    return shown
