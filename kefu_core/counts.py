"""What was refused and why connections ended, counted since a node's start."""

from collections import Counter

GONE = 1006
"""Counted as the close code where the peer left, or was cut off, without a word."""


class Counts:
    """Three counters whose keys are our own words, so nobody outside adds one.

    Each key begins with the name of a transport.
    """

    __slots__ = ("closes", "errors", "refused")

    def __init__(self) -> None:
        self.refused: Counter[tuple[str, str]] = Counter()
        """Connections and requests that no session saw, by status of HTTP; on TCP by
        `busy`, `address`, `preface`, `silent` and `tls`."""
        self.errors: Counter[tuple[str, str]] = Counter()
        """Frames `error`, by code."""
        self.closes: Counter[tuple[str, str]] = Counter()
        """Connections that ended, by close code; see `GONE`."""


def by_transport(counter: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Return a counter as it is shown: transport to word to count, sorted."""
    shown: dict[str, dict[str, int]] = {}
    for (transport, word), count in sorted(counter.items()):
        shown.setdefault(transport, {})[word] = count
    return shown
