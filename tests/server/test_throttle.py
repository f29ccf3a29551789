"""Delays for guessing."""

from hypothesis import given
from hypothesis import strategies as st

from kefu_server.throttle import KEYS_MAX, Throttle, address_key


def tries_allowed(throttle: Throttle, seconds: int, every: float = 1.0) -> int:
    """Try as often as possible and fail each time; return how many were let through."""
    allowed, now = 0, 0.0
    while now < seconds:
        if throttle.wait_s("a", now) == 0:
            throttle.charge("a", now)
            allowed += 1
        now += every
    return allowed


def test_the_first_failures_are_free_then_the_wait_doubles() -> None:
    throttle = Throttle(3, 900)
    waits = []
    now = 0.0
    for _ in range(8):
        throttle.charge("a", now)
        waits.append(throttle.wait_s("a", now))
        now += waits[-1]
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32]


def test_a_quarter_of_an_hour_of_guessing_gets_fewer_than_twenty_tries() -> None:
    assert tries_allowed(Throttle(5, 900), 900) < 20


def test_the_wait_is_never_longer_than_the_window() -> None:
    throttle = Throttle(1, 900)
    now = 0.0
    for _ in range(2000):
        throttle.charge("a", now)
        assert throttle.wait_s("a", now) <= 900
        now += 1


def test_after_a_quiet_window_everything_is_forgotten() -> None:
    throttle = Throttle(3, 900)
    for _ in range(3):
        throttle.charge("a", 0)
    throttle.charge("a", 1000)
    assert throttle.wait_s("a", 1000) == 0


def test_a_refund_takes_a_charge_back_but_ends_no_wait() -> None:
    throttle = Throttle(2, 900)
    throttle.charge("a", 0)
    throttle.refund("a")
    throttle.charge("a", 0)
    assert throttle.wait_s("a", 0) == 0
    throttle.charge("a", 0)
    throttle.refund("a")
    assert throttle.wait_s("a", 0) == 1


def test_keys_are_counted_apart() -> None:
    throttle = Throttle(1, 900)
    throttle.charge("a", 0)
    assert throttle.wait_s("b", 0) == 0


def test_memory_is_bounded() -> None:
    throttle = Throttle(1, 900)
    for number in range(KEYS_MAX + 10):
        throttle.charge(str(number), 0)
    assert throttle.wait_s("0", 0) == 0
    assert throttle.wait_s(str(KEYS_MAX + 9), 0) > 0


def test_what_is_over_is_not_kept_until_the_memory_is_full() -> None:
    throttle = Throttle(1, 10)
    throttle.charge("late", 0)
    for number in range(1_000):
        throttle.charge(str(number), number)
        throttle.charge("late", number)
    assert len(throttle) <= 14
    assert throttle.wait_s("late", 999) > 0


def test_ipv6_neighbours_count_as_one_address() -> None:
    assert address_key("2001:db8::1") == address_key("2001:db8::ffff:1")
    assert address_key("2001:db8::1") != address_key("2001:db8:0:1::1")
    assert address_key("::ffff:192.0.2.1") == address_key("192.0.2.1") == "192.0.2.1"


@given(st.text())
def test_any_address_text_gives_a_key(text: str) -> None:
    assert isinstance(address_key(text), str)
