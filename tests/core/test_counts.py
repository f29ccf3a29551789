"""What was refused is counted by our own words."""

from kefu_core.counts import Counts, by_transport


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
