"""`flat`: what a message costs is compared within rounds, or there are no figures."""

import json
from pathlib import Path

import pytest

from benchmarks import flat
from benchmarks.__main__ import main
from benchmarks.document import load_runs, make_report
from benchmarks.flat import (
    Station,
    Window,
    Windows,
    costs_of,
    shortfalls,
    verdicts_of,
)

FEW, MANY = (Station(visitors=n, messages=0) for n in (30, 300))


def windows_of(few: list[float], many: list[float]) -> Windows:
    """Return rounds in which a message took so many µs."""

    def row(costs: list[float]) -> list[Window]:
        return [
            Window(
                seconds=2.0,
                messages=100,
                commits=20,
                server_cpu_s=us * 100 / 1e6,
                generator_cpu_s=1.0,
            )
            for us in costs
        ]

    return {"paced": {FEW: row(few), MANY: row(many)}}


def test_a_round_is_compared_with_its_own_first_station() -> None:
    # The machine was three times as slow in the second round, for both.
    windows = windows_of([100.0, 300.0, 100.0], [105.0, 315.0, 105.0])
    few, many = costs_of({"visitors": [FEW, MANY]}, windows)
    assert (many.ratio_least, many.ratio, many.ratio_most) == (1.05, 1.05, 1.05)
    assert (many.us_per_message, many.us_most) == (105.0, 315.0)
    assert (few.ratio, few.per_s, few.messages_per_commit) == (1.0, 50.0, 5.0)


@pytest.mark.parametrize(
    ("us", "verdict"),
    [(111.0, "dearer"), (109.0, "flat"), (91.0, "flat"), (89.0, "cheaper")],
)
def test_flat_is_what_stays_within_ten_percent(us: float, verdict: str) -> None:
    costs = costs_of({"visitors": [FEW, MANY]}, windows_of([100.0], [us]))
    assert verdicts_of(costs) == {"visitors, paced": verdict}


def test_a_pace_that_was_not_kept_is_no_comparison() -> None:
    windows = windows_of([100.0], [100.0])
    assert shortfalls(windows, 50.0) == []
    said = shortfalls(windows, 90.0)
    assert len(said) == 2
    assert "With 30 visitors only 50.0 of 90 messages a second were stored" in said[0]


def test_a_run_compares_visitors_and_histories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flat, "SETTLE_S", 0.2)
    monkeypatch.setattr(flat, "STILL_S", 0.1)
    file = tmp_path / "flat.json"
    line = "flat --visitors 2,4 --crowd 2 --messages 5 --rate 5 --seconds 0.5"
    line += f" --rounds 1 --data {tmp_path} --json {file}"
    assert main(line.split()) == 0
    found = json.loads(file.read_bytes())
    assert found["verdicts"].keys() == {
        *("visitors, paced", "visitors, full", "messages, paced", "messages, full")
    }
    stations = [(each["visitors"], each["messages"]) for each in found["costs"]]
    assert stations == 2 * [(2, 0), (4, 0)] + 2 * [(2, 0), (2, 5)]
    assert all(each["us_per_message"] > 0 for each in found["costs"])
    assert not any(found["faults"].values())
    page = make_report(load_runs([file]), made="today")
    assert "visitors, paced" in page
