"""Whether something grows is told by a line whose interval means what it says."""

import random

import pytest

from benchmarks.slope import slope_of

AT_S = [5.0 * n for n in range(360)]
STILL = [300.0] * len(AT_S)


def test_an_exact_line_has_its_slope() -> None:
    slope = slope_of(AT_S, [100.0 + at / 3_600 for at in AT_S], STILL)
    assert slope.per_h == pytest.approx(1.0)
    assert slope.low_per_h <= slope.per_h <= slope.high_per_h
    assert slope.is_distinguishable


def test_a_leak_is_seen_through_noise_and_noise_is_no_leak() -> None:
    rng = random.Random(7)
    noise = [rng.gauss(100.0, 1.0) for _ in AT_S]
    leaking = [value + 30 * at / 3_600 for value, at in zip(noise, AT_S, strict=True)]
    assert not slope_of(AT_S, noise, STILL).is_distinguishable
    slope = slope_of(AT_S, leaking, STILL)
    assert slope.is_distinguishable
    assert slope.low_per_h < 30.0 < slope.high_per_h


def test_the_interval_misses_no_more_often_than_it_says() -> None:
    rng, missed = random.Random(1), 0
    for _ in range(400):
        # Memory stays where it went: each sample is near the one before.
        level, values = 0.0, []
        for _ in AT_S:
            level = 0.9 * level + rng.gauss(0.0, 1.0)
            values.append(level)
        missed += slope_of(AT_S, values, STILL).is_distinguishable
    assert missed <= 0.08 * 400


def test_what_follows_the_number_of_clients_is_no_growth() -> None:
    rng = random.Random(3)
    clients = [300.0 + at / 60 + rng.gauss(0.0, 5.0) for at in AT_S]
    values = [50.0 + 0.04 * each for each in clients]
    assert slope_of(AT_S, values, clients).per_h == pytest.approx(0.0, abs=1e-6)


def test_more_figures_make_each_interval_wider() -> None:
    rng = random.Random(5)
    values = [rng.gauss(0.0, 1.0) for _ in AT_S]
    one, five = (slope_of(AT_S, values, STILL, figures=n) for n in (1, 5))
    assert five.low_per_h < one.low_per_h < one.high_per_h < five.high_per_h


def test_too_few_samples_say_nothing() -> None:
    with pytest.raises(ValueError, match="at least 8"):
        slope_of(AT_S[:7], STILL[:7], STILL[:7])
