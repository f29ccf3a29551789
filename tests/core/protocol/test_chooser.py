"""Which transport is tried next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu_core.protocol.chooser import (
    PROBE_FIRST_S,
    PROBE_MAX_S,
    YOUNG_S,
    TransportChooser,
)

NAMES = ("websocket", "longpoll")


def test_the_first_of_the_list_is_preferred() -> None:
    chooser = TransportChooser(NAMES)
    assert chooser.current == "websocket"
    assert chooser.is_best
    assert chooser.next_probe is None


def test_there_must_be_one_to_choose() -> None:
    with pytest.raises(ValueError, match="at least one"):
        TransportChooser([])


def test_what_worked_last_time_is_tried_first_and_probed_away_from() -> None:
    chooser = TransportChooser(NAMES, start_with="longpoll")
    assert chooser.current == "longpoll"
    chooser.welcomed(0.0)
    assert chooser.next_probe == PROBE_FIRST_S
    assert TransportChooser(NAMES, start_with="pigeon").current == "websocket"


def test_one_that_cannot_be_opened_is_followed_by_the_next_at_once() -> None:
    chooser = TransportChooser(NAMES)
    assert chooser.ended(0.0)
    assert chooser.current == "longpoll"


def test_after_a_round_without_success_there_is_a_pause() -> None:
    chooser = TransportChooser(NAMES)
    assert [chooser.ended(float(n)) for n in range(6)] == [True, False] * 3


def test_one_that_falls_silent_is_followed_by_the_next() -> None:
    chooser = TransportChooser(NAMES)
    chooser.welcomed(0.0)
    assert chooser.ended(100.0, was_silent=True)
    assert chooser.current == "longpoll"


def test_one_that_dies_young_twice_is_followed_by_the_next() -> None:
    chooser = TransportChooser(NAMES)
    chooser.welcomed(0.0)
    assert not chooser.ended(1.0)
    assert chooser.current == "websocket"
    chooser.welcomed(2.0)
    assert chooser.ended(3.0)
    assert chooser.current == "longpoll"


def test_one_that_lived_long_is_kept_and_its_young_deaths_are_forgiven() -> None:
    chooser = TransportChooser(NAMES)
    for age in (1.0, YOUNG_S, 1.0, YOUNG_S):
        chooser.welcomed(0.0)
        assert not chooser.ended(age)
    assert chooser.current == "websocket"


def test_probes_are_rarer_each_time_and_one_that_succeeds_moves_back() -> None:
    chooser = TransportChooser(NAMES)
    chooser.ended(0.0)
    chooser.welcomed(0.0)
    now, gaps = 0.0, []
    for _ in range(8):
        due = chooser.next_probe
        assert due is not None
        assert chooser.probe_due(due - 0.1) == ""
        assert chooser.probe_due(due) == "websocket"
        gaps.append(due - now)
        now = due
        assert not chooser.probed(now, went_through=False)
    assert gaps[:4] == [60.0, 120.0, 240.0, 480.0]
    assert max(gaps) == PROBE_MAX_S
    assert chooser.probed(now, went_through=True)
    assert chooser.current == "websocket"
    assert chooser.probe_due(1e9) == ""


def test_a_fallback_that_comes_back_goes_on_counting_to_its_probe() -> None:
    chooser = TransportChooser(NAMES)
    chooser.ended(0.0)
    chooser.welcomed(0.0)
    chooser.ended(30.0)
    chooser.welcomed(31.0)
    assert chooser.next_probe == PROBE_FIRST_S


def test_with_one_transport_every_end_is_followed_by_a_pause() -> None:
    chooser = TransportChooser(["tcp"])
    for now in range(20):
        if now % 3:
            chooser.welcomed(float(now))
        assert not chooser.ended(now + 0.5, was_silent=now % 2 == 0)
        assert chooser.current == "tcp"


STEPS = st.sampled_from(["welcomed", "ended", "silent", "probe ok", "probe bad"])


@given(st.integers(1, 4), st.lists(st.tuples(STEPS, st.floats(0, 100)), max_size=80))
def test_never_so_many_tries_without_a_pause_as_to_be_a_storm(
    count: int, steps: list[tuple[str, float]]
) -> None:
    chooser = TransportChooser([f"t{n}" for n in range(count)])
    now, at_once, is_live = 0.0, 0, False
    for step, passed in steps:
        now += passed
        if step == "welcomed":
            chooser.welcomed(now)
            is_live, at_once = True, 0
        elif step.startswith("probe"):
            if is_live and chooser.probe_due(now):
                went_through = step == "probe ok"
                assert chooser.probed(now, went_through=went_through) is went_through
        else:
            is_pause = not chooser.ended(now, was_silent=step == "silent" and is_live)
            at_once = 0 if is_pause else at_once + 1
            is_live = False
        assert chooser.current in chooser.names
        assert at_once <= count
