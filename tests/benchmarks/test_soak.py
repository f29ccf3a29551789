"""`soak` runs, and what grows or stays behind is called a leak."""

import pytest
from rich.progress import Progress

from benchmarks.soak import (
    FIGURES,
    Sample,
    SoakOptions,
    grown,
    left_over,
    run_soak,
)
from benchmarks.story import RunError


def sample(at_s: float, **changes: float) -> Sample:
    usual = dict.fromkeys((*FIGURES, "connections"), 40.0)
    return Sample(at_s=at_s, **(usual | changes))


def test_people_come_and_go_and_nothing_of_them_stays() -> None:
    options = SoakOptions(
        visitors=6,
        seconds=6.0,
        warm_up_s=1.0,
        every_s=0.3,
        seed=7,
        pace_s=1.5,
        stay_s=2.0,
    )
    with Progress(disable=True) as progress:
        outcome = run_soak(options, progress)
    assert outcome.verdict.passed, outcome.verdict.life
    assert outcome.failures == []
    assert outcome.verdict.counts.acknowledged > 0
    assert [growth.figure for growth in outcome.growths] == list(FIGURES)


def test_a_figure_that_climbs_is_a_leak_and_the_others_are_not() -> None:
    samples = [sample(60.0 * n, tasks=40.0 + n) for n in range(60)]
    leaks = {growth.figure: growth.is_leak for growth in grown(samples)}
    assert leaks == dict.fromkeys(FIGURES, False) | {"tasks": True}


def test_memory_may_grow_by_what_is_harmless() -> None:
    samples = [sample(60.0 * n, memory_mib=90.0 + n / 60) for n in range(60)]
    memory = grown(samples)[0]
    assert not memory.is_leak
    assert memory.text.startswith("grows by less than 2 an hour")


def test_what_is_still_there_after_all_have_left_is_named() -> None:
    before = sample(0.0)
    assert left_over(before, sample(9.0, files=60.0)) == []
    assert left_over(before, sample(9.0, tasks=41.0)) == [
        "41 tasks after all have left, 40 before they came."
    ]


def test_too_few_samples_are_no_result() -> None:
    with pytest.raises(RunError, match="say nothing"):
        grown([sample(float(n)) for n in range(7)])
