"""Asking to follow no faster than the server takes it."""

from hypothesis import given
from hypothesis import strategies as st

from kefu_core.protocol.asking import Asking
from kefu_core.types import ConversationId

AT_ONCE = 24


def ids(count: int) -> list[ConversationId]:
    return [ConversationId(each) for each in range(1, count + 1)]


def waiting(count: int, frames_per_s: float = 20.0) -> Asking:
    asking = Asking()
    asking.restart(frames_per_s, 100.0)
    for each in ids(count):
        asking.add(each)
    return asking


def test_two_dozen_go_at_once_and_the_others_at_the_pace() -> None:
    asking = waiting(60)
    assert asking.take(100.0) == ids(24)
    assert asking.take(100.0) == []
    due = asking.next_timer()
    assert due is not None
    assert round(due, 6) == round(100.0 + 1 / 15, 6)
    assert asking.take(101.0) == ids(39)[24:]
    assert asking.take(104.0) == ids(60)[39:]
    assert asking.next_timer() is None


def test_a_server_that_tells_no_pace_is_asked_for_all() -> None:
    assert waiting(500, 0.0).take(100.0) == ids(500)


def test_what_was_refused_is_asked_again_when_it_may_be_and_at_the_pace() -> None:
    asking = waiting(2)
    one, two = asking.take(100.0)
    asking.refused(two, 105.0)
    asking.add(one)
    assert asking.take(100.0) == [], "what the refusal spared is used up"
    assert asking.take(101.0) == [one]
    assert asking.next_timer() == 105.0
    assert asking.take(105.0) == [two]


def test_what_nobody_wants_any_more_is_not_asked_for() -> None:
    asking = waiting(2)
    asking.discard(ConversationId(1))
    asking.discard(ConversationId(9))
    assert asking.take(100.0) == [2]


def test_a_new_connection_begins_with_nothing() -> None:
    asking = waiting(60)
    asking.take(100.0)
    asking.restart(20.0, 101.0)
    assert (asking.take(200.0), asking.next_timer()) == ([], None)


@given(st.lists(st.floats(0.001, 3.0), max_size=60), st.integers(1, 500))
def test_all_is_asked_for_once_and_never_too_fast(
    pauses: list[float], count: int
) -> None:
    asking, now, asked = waiting(count), 100.0, 0
    for pause in pauses:
        taken = asking.take(now)
        assert taken == ids(count)[asked : asked + len(taken)]
        asked += len(taken)
        assert asked <= AT_ONCE + 15 * (now - 100.0) + 1e-6
        now += pause
    while (due := asking.next_timer()) is not None:
        now = max(now, due) + 1e-6
        taken = asking.take(now)
        assert taken, "a timer that is due brings something"
        asked += len(taken)
    assert asked == count
