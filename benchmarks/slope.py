"""Whether something grows: a straight line through samples, and how sure it is. Pure.

Samples of a process are not independent: memory stays where it went. So they are first
averaged in blocks, and what is left of the likeness of neighbours widens the interval.
Where the number of clients moves, growth is told at an equal number of them.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist, fmean

import msgspec

BLOCKS = 24
BLOCKS_MIN = 8
LIKENESS_MAX = 0.9
HOUR_S = 3_600.0


class Slope(msgspec.Struct, frozen=True, kw_only=True):
    """Growth by hour, with its interval."""

    per_h: float
    low_per_h: float
    high_per_h: float
    first: float
    """Mean of the first block."""
    last: float
    blocks: int

    @property
    def is_distinguishable(self) -> bool:
        """Whether 0 is outside of the interval."""
        return not self.low_per_h <= 0.0 <= self.high_per_h


def slope_of(
    at_s: Sequence[float],
    values: Sequence[float],
    clients: Sequence[float],
    *,
    figures: int = 1,
) -> Slope:
    """Return how fast values grow, at an equal number of clients.

    Args:
        at_s: When each was measured, seconds.
        values: What was measured.
        clients: How many there were then.
        figures: So many slopes are looked at: together their intervals hold what they
            are to hold in 95 % of all runs.

    Raises:
        ValueError: Too few samples for `BLOCKS_MIN` blocks.
    """
    if len(values) < BLOCKS_MIN:
        raise ValueError(f"{len(values)} samples; at least {BLOCKS_MIN} are needed.")
    blocks = min(BLOCKS, len(values))
    t, y, c = (_blocks(column, blocks) for column in (at_s, values, clients))
    is_moving = max(c) - min(c) > 0
    time, rest = (_without(t, c), _without(y, c)) if is_moving else (_even(t), _even(y))
    spread = math.fsum(x * x for x in time)
    if spread == 0.0:
        raise ValueError("All samples are of one moment.")
    slope = math.fsum(x * v for x, v in zip(time, rest, strict=True)) / spread
    left = [v - slope * x for x, v in zip(time, rest, strict=True)]
    freedom = blocks - (3 if is_moving else 2)
    variance = math.fsum(v * v for v in left) / freedom
    likeness = _likeness(left)
    widened = math.sqrt((1 + likeness) / (1 - likeness))
    half = _student(freedom, 0.05 / figures) * math.sqrt(variance / spread) * widened
    return Slope(
        per_h=slope * HOUR_S,
        low_per_h=(slope - half) * HOUR_S,
        high_per_h=(slope + half) * HOUR_S,
        first=y[0],
        last=y[-1],
        blocks=blocks,
    )


def _blocks(values: Sequence[float], count: int) -> list[float]:
    edges = [round(n * len(values) / count) for n in range(count + 1)]
    return [fmean(values[a:b]) for a, b in pairwise(edges)]


def _even(values: Sequence[float]) -> list[float]:
    mean = fmean(values)
    return [value - mean for value in values]


def _without(values: Sequence[float], other: Sequence[float]) -> list[float]:
    """Return what is left of values when a straight line of another is taken away."""
    x, y = _even(other), _even(values)
    share = math.fsum(a * b for a, b in zip(x, y, strict=True)) / math.fsum(
        a * a for a in x
    )
    return [b - share * a for a, b in zip(x, y, strict=True)]


def _likeness(left: Sequence[float]) -> float:
    """Return the correlation of neighbours, at least 0.

    A line takes some of it away: about (2 + 4r) / n, which is put back.
    """
    whole = math.fsum(v * v for v in left)
    if whole == 0.0:
        return 0.0
    pairs = math.fsum(a * b for a, b in pairwise(left))
    found = pairs / whole
    return min(max(found + (2 + 4 * found) / len(left), 0.0), LIKENESS_MAX)


def _student(freedom: int, chance: float) -> float:
    """Return Student's t, both sides; within 1 % from 5 degrees of freedom on."""
    z = NormalDist().inv_cdf(1 - chance / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
