"""When a client comes back: spread out, never at once, never too late."""

import random

from hypothesis import given
from hypothesis import strategies as st

from kefu_core.protocol.backoff import MAX_S, MIN_S, Backoff


@given(st.integers(0, 2**32), st.integers(0, 60))
def test_a_delay_is_never_nothing_and_never_above_the_ceiling(
    seed: int, attempts: int
) -> None:
    backoff = Backoff(random.Random(seed))
    for attempt in range(attempts):
        assert 0 < backoff.next() <= min(MAX_S, MIN_S * 2**attempt)


def test_later_attempts_wait_longer_on_average() -> None:
    means = []
    for attempt in range(6):
        total = 0.0
        for seed in range(300):
            backoff = Backoff(random.Random(seed))
            for _ in range(attempt):
                backoff.next()
            total += backoff.next()
        means.append(total / 300)
    assert means == sorted(means)
    assert means[-1] > 10 * means[0]


def test_a_thousand_clients_do_not_come_back_as_one() -> None:
    backoffs = [Backoff(random.Random(seed)) for seed in range(1_000)]
    for _ in range(5):
        moments = [backoff.next() for backoff in backoffs]
    tenths = [sum(m * 10 // MAX_S == tenth for m in moments) for tenth in range(10)]
    assert max(tenths) < 400, "more than two fifths come within one tenth of the time"


def test_a_reset_begins_again_with_short_delays() -> None:
    backoff = Backoff(random.Random(1))
    for _ in range(10):
        backoff.next()
    backoff.reset()
    assert backoff.next() <= MIN_S


@given(st.floats(-10, 1_000))
def test_a_window_that_the_server_named_is_kept(seconds: float) -> None:
    moment = Backoff(random.Random(1)).within(seconds)
    assert 0.0 <= moment <= max(0.0, seconds)
