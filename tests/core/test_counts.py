"""What was refused is counted by our own words."""

import pytest

from kefu_core.counts import Counts, Histogram, by_transport


def test_nothing_is_counted_at_first() -> None:
    counts = Counts()
    assert not counts.refused + counts.errors + counts.closes


def test_a_counter_is_shown_by_transport_in_order() -> None:
    counts = Counts()
    for key in (("websocket", "4201"), ("tcp", "4000"), ("websocket", "1000")):
        counts.closes[key] += 1
    counts.closes["tcp", "4000"] += 1
    shown = by_transport(counts.closes)
    assert shown == {"tcp": {"4000": 2}, "websocket": {"1000": 1, "4201": 1}}
    assert [*shown["websocket"]] == ["1000", "4201"]


def test_a_value_is_counted_below_the_first_bound_that_holds_it() -> None:
    histogram = Histogram((1.0, 5.0))
    for value in (0.5, 1.0, 1.1, 5.0, 9.0):
        histogram.add(value)
    counted = histogram.value()
    assert counted.counts == (2, 2, 1)
    assert counted.total == pytest.approx(16.6)
    both = counted + counted
    assert both.counts == (4, 4, 2)
    assert both.total == pytest.approx(33.2)


def test_what_most_values_do_not_exceed_is_read_from_what_came_since() -> None:
    histogram = Histogram((1.0, 5.0, 10.0))
    assert histogram.value().quantile(0.99) == 0.0
    histogram.add(9.0)
    before = histogram.value()
    for _ in range(100):
        histogram.add(2.0)
    since = histogram.value() - before
    assert since.counts == (0, 100, 0, 0)
    assert since.quantile(0.5) == pytest.approx(3.0)
    assert since.quantile(1.0) == pytest.approx(5.0)
    histogram.add(99.0)
    assert histogram.value().quantile(1.0) == 10.0
