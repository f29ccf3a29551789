"""`chat --half`: half of saturation, and whether some visitors wait longer."""

import json
import random
from pathlib import Path

import pytest

from benchmarks import half
from benchmarks.__main__ import main
from benchmarks.half import fairness_judged, seconds_for
from benchmarks.tally import MESSAGES_ENOUGH, Way, fairness_of


def ways_of(times_s: list[list[float]]) -> list[Way]:
    return [
        Way(conversation=n, process="p", due=1.0, sent_at=1.0, shown_at=1.0 + took_s)
        for n, times in enumerate(times_s)
        for took_s in times
    ]


def test_of_too_few_messages_nothing_is_said() -> None:
    slow = [[0.01] * MESSAGES_ENOUGH for _ in range(4)]
    slow[0] = [0.03] * (MESSAGES_ENOUGH - 1)
    found = fairness_of(ways_of(slow), 0.0, 2.0)
    assert (found.above_twice, found.worst_ratio) == (1, 3.0)
    said = fairness_judged(found)
    assert said.startswith("not judged: a visitor had only 199 messages")
    slow[0].append(0.03)
    assert fairness_judged(fairness_of(ways_of(slow), 0.0, 2.0)) == "missed"
    assert fairness_judged(fairness_of(ways_of(slow[1:]), 0.0, 2.0)) == "met"


def test_chance_is_told_from_a_visitor_who_always_waits() -> None:
    rng = random.Random(1)
    alike = [[rng.expovariate(100.0) for _ in range(300)] for _ in range(30)]
    found = fairness_of(ways_of(alike), 0.0, 9.0)
    assert 1.0 < found.worst_ratio < 1.2 * found.chance_ratio
    alike[7] = [5 * took_s for took_s in alike[7]]
    found = fairness_of(ways_of(alike), 0.0, 9.0)
    assert found.worst_ratio > 1.5 * found.chance_ratio


def test_a_window_is_as_long_as_the_messages_take() -> None:
    # 300 visitors at 300 a second have one each in a second.
    assert seconds_for(300, 300.0) == 1.5 * MESSAGES_ENOUGH
    assert seconds_for(300, 0.1) == half.SECONDS_MAX


def test_half_of_what_a_closed_loop_carries_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(half, "seconds_for", lambda *_: 1.0)
    file = tmp_path / "half.json"
    line = "chat --mix websocket=1 --half --visitors 2 --agents 1 --seconds 1 --json"
    assert main([*line.split(), str(file)]) == 0
    found = json.loads(file.read_bytes())
    assert found["loop"] == "open"
    assert found["rate"] == pytest.approx(found["half"]["saturation_per_s"] / 2)
    assert found["half"]["p99_ms"] == found["latency_ms"]["p99"]
    assert "not judged" in found["half"]["fairness"]


@pytest.mark.parametrize("more", [["--half"], ["--mix", "tcp=1", "--half", "--rate=9"]])
def test_half_of_what_is_not_sought_is_a_wrong_command_line(more: list[str]) -> None:
    assert main(["chat", *more]) == 2
