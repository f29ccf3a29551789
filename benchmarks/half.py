"""`chat --mix --half`: how long people wait at half of what a server carries.

First a closed loop finds how much that is here; then the same people talk in an open
loop at half of it, on a fresh server, for so long that each visitor has messages enough
for a p99 of its own.
"""

import msgspec
from rich.progress import Progress

from benchmarks.judge import Verdict
from benchmarks.mixed import BadRunError, MixedOptions, MixedResult, run_mixed
from benchmarks.result import Latency
from benchmarks.tally import MESSAGES_ENOUGH, Fairness

P99_MS = 50.0
"""The aim."""
SPARE = 1.5
"""By chance some have fewer messages than others."""
SECONDS_MAX = 900.0


class Half(msgspec.Struct, frozen=True, kw_only=True):
    """What was found before the measured talk, and what came of it."""

    saturation_per_s: float
    """Messages a second in a closed loop."""
    saturated_ms: Latency
    saturation_limited: str
    """Why that is what the load generator carries; empty: it is the server's."""
    rate: float
    seconds: float
    p99_ms: float
    is_p99_met: bool
    fairness: str
    """`met`, `missed`, or why nothing can be said."""


def run_half(
    options: MixedOptions, progress: Progress
) -> tuple[MixedResult, Half, Verdict]:
    """Find the saturation, then measure at half of it.

    Raises:
        BadRunError: There are no figures.
    """
    closed, _ = run_mixed(msgspec.structs.replace(options, rate=0.0), progress)
    if closed.delivered_per_s <= 0:
        raise BadRunError("Nothing arrived in a closed loop: there is no half of it.")
    rate = closed.delivered_per_s / 2
    seconds = max(options.seconds, seconds_for(options.visitors, rate))
    talk = msgspec.structs.replace(
        options, rate=rate, seconds=seconds, has_raised_limits=True
    )
    result, verdict = run_mixed(talk, progress)
    p99 = result.latency_ms.p99
    half = Half(
        saturation_per_s=closed.delivered_per_s,
        saturated_ms=closed.latency_ms,
        saturation_limited=closed.generator_limited,
        rate=round(rate, 1),
        seconds=round(seconds, 1),
        p99_ms=p99,
        is_p99_met=p99 < P99_MS,
        fairness=fairness_judged(result.fairness["all"]),
    )
    return result, half, verdict


def seconds_for(visitors: int, rate: float) -> float:
    """Return how long each visitor needs for messages enough."""
    return min(SECONDS_MAX, SPARE * MESSAGES_ENOUGH * visitors / rate)


def fairness_judged(fairness: Fairness) -> str:
    """Return whether no visitor waits much longer, where that can be said."""
    if not fairness.is_enough:
        return (
            f"not judged: a visitor had only {fairness.messages_least} messages, and a "
            f"p99 needs {MESSAGES_ENOUGH}"
        )
    return "met" if fairness.is_met else "missed"
