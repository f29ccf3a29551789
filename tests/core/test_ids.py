"""Ids: rising, never twice, small enough for JavaScript."""

import random

from hypothesis import given
from hypothesis import strategies as st

from kefu_core.ids import (
    ID_MAX,
    SYSTEM,
    IdGenerator,
    agent_participant,
    document_id_at,
    visitor_participant,
)
from tests.depth import times

NOW_MS = 1_800_000_000_000


@given(st.lists(st.integers(-5_000, 5_000), min_size=1, max_size=200))
def test_ids_rise_whatever_the_clock_does(steps: list[int]) -> None:
    now = [NOW_MS]
    ids = IdGenerator(lambda: now[0], random.Random(1))
    made = []
    for step in steps:
        now[0] += step
        made.append(ids.new())
    assert made == sorted(set(made))


def test_ten_thousand_in_one_millisecond_are_all_different() -> None:
    ids = IdGenerator(lambda: NOW_MS, random.Random(1))
    assert len({ids.new() for _ in range(10_000)}) == 10_000


def test_none_comes_twice_when_the_clock_jumps_back_a_day() -> None:
    now = [NOW_MS]
    ids = IdGenerator(lambda: now[0], random.Random(1))
    made = set()
    count = times(20_000, 1_000_000)
    for number in range(count):
        now[0] += 1 if number % 3 else 0
        if number == count // 2:
            now[0] -= 86_400_000
        made.add(ids.new())
    assert len(made) == count


def test_two_nodes_rarely_make_the_same() -> None:
    first = IdGenerator(lambda: NOW_MS, random.Random(1))
    second = IdGenerator(lambda: NOW_MS, random.Random(2))
    assert first.new() != second.new()


def test_an_id_fits_a_javascript_number_until_2093() -> None:
    year_2093 = 3_881_000_000_000
    assert 0 < IdGenerator(lambda: year_2093, random.Random(1)).new() <= ID_MAX
    assert float(ID_MAX) == ID_MAX
    assert float(ID_MAX + 2) != ID_MAX + 2


def test_a_clock_before_the_beginning_still_makes_ids() -> None:
    ids = IdGenerator(lambda: 0, random.Random(1))
    assert 0 <= ids.new() < ids.new()


def test_participants_are_a_letter_and_a_number() -> None:
    assert visitor_participant(12) == "v12"
    assert agent_participant(7) == "a7"
    assert SYSTEM == "s0"


def test_documents_are_in_the_order_of_time_and_safe_as_numbers() -> None:
    assert 0 == document_id_at(-1) <= document_id_at(0) < document_id_at(1)
    assert document_id_at(2) - document_id_at(1) == 256
    assert document_id_at(2**45 - 1) + 255 == ID_MAX
