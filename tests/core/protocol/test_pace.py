"""How many acts a token bucket allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu_core.protocol.pace import TokenBucket, TokenBuckets


def test_a_burst_is_allowed_and_one_more_is_told_how_long_to_wait() -> None:
    bucket = TokenBucket(2.0, 3, 100.0)
    assert [bucket.take(100.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(100.0) == pytest.approx(0.5)
    assert bucket.take(100.5) == 0.0


@given(
    st.lists(st.floats(0, 5), max_size=60),
    st.floats(0.1, 50),
    st.integers(1, 20),
)
def test_never_more_than_the_burst_and_the_rate_allow(
    pauses: list[float], rate: float, burst: int
) -> None:
    bucket = TokenBucket(rate, burst, 0.0)
    now, allowed = 0.0, 0
    for pause in pauses:
        now += pause
        wait = bucket.take(now)
        allowed += wait == 0.0
        assert wait <= 1 / rate + 1e-9
        assert allowed <= burst + rate * now + 1e-6


@given(st.lists(st.floats(0, 5), max_size=20), st.floats(0.1, 50))
def test_waiting_as_long_as_told_is_enough(pauses: list[float], rate: float) -> None:
    bucket = TokenBucket(rate, 2, 0.0)
    now = 0.0
    for pause in pauses:
        now += pause
        wait = bucket.take(now)
        if wait:
            now += wait + 1e-6
            assert bucket.take(now) == 0.0


def test_a_long_rest_saves_up_no_more_than_a_burst() -> None:
    bucket = TokenBucket(1.0, 3, 0.0)
    assert [bucket.take(1e6) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(1e6) > 0.0


def test_a_clock_that_goes_backwards_gives_nothing_away() -> None:
    bucket = TokenBucket(1.0, 1, 100.0)
    assert bucket.take(100.0) == 0.0
    assert bucket.take(50.0) > 0.0
    assert bucket.take(100.5) > 0.0
    assert bucket.take(101.5) == 0.0


def test_a_bucket_is_full_again_after_a_while() -> None:
    bucket = TokenBucket(1.0, 5, 0.0)
    assert bucket.is_full(0.0)
    bucket.take(0.0)
    assert not bucket.is_full(0.5)
    assert bucket.is_full(1.0)


@pytest.mark.parametrize(("rate", "burst"), [(0.0, 5), (-1.0, 5), (1.0, 0)])
def test_a_bucket_that_would_never_allow_anything_is_refused(
    rate: float, burst: float
) -> None:
    with pytest.raises(ValueError, match="above"):
        TokenBucket(rate, burst, 0.0)


def test_each_key_has_a_bucket_of_its_own() -> None:
    buckets = TokenBuckets(1.0, 2)
    assert [buckets.take("a", 0.0) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 1.0) == 0.0


def test_who_acted_within_the_time_of_a_full_bucket_is_all_that_is_kept() -> None:
    buckets = TokenBuckets(1.0, 2)
    for number in range(20_000):
        buckets.take(f"v{number}", number / 100)
        assert len(buckets) <= 110, "a hundred a second, one second to be full again"


def test_after_many_at_once_more_go_than_come() -> None:
    buckets = TokenBuckets(1.0, 2)
    for number in range(8_000):
        buckets.take(f"v{number}", 0.0)
    assert len(buckets) == 8_000
    for number in range(1_000):
        buckets.take(f"w{number}", 100.0)
    assert len(buckets) == 1_000


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=60),
    st.integers(1, 2),
)
def test_forgetting_gives_nobody_a_fresh_start(
    acts: list[tuple[str, int]], burst: int
) -> None:
    buckets, own, now = TokenBuckets(1.0, burst), dict[str, TokenBucket](), 0.0
    for key, pause in acts:
        now += pause
        bucket = own.setdefault(key, TokenBucket(1.0, burst, now))
        assert buckets.take(key, now) == bucket.take(now)


def test_of_more_than_the_most_who_acted_longest_ago_is_forgotten() -> None:
    buckets = TokenBuckets(1.0, 1, keys_max=2)
    for key in ("a", "b", "a", "c"):
        buckets.take(key, 0.0)
    assert len(buckets) == 2
    assert buckets.take("a", 0.0) > 0.0
    assert buckets.take("b", 0.0) == 0.0
