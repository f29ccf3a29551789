"""Whole installations from seeds: nothing is lost, doubled or out of order."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from kefu_core.testing.sim import POINTS, Report, run_seed
from kefu_core.testing.sim.__main__ import reports
from tests.depth import times
from tests.simulation.seeds import FOUND

pytestmark = pytest.mark.alone

COUNT = int(os.environ.get("KEFU_SIMULATION_SEEDS", str(times(500, 1_000))))


@pytest.fixture(scope="module")
def run() -> list[Report]:
    """Reports of the first seeds."""
    jobs = min(2, os.cpu_count() or 1)
    return sorted(reports(range(COUNT), jobs), key=lambda report: report.seed)


def test_every_promise_holds_in_every_seed(run: list[Report]) -> None:
    broken = {report.seed: report.violations for report in run if report.violations}
    assert broken == {}, "replay: python -m kefu_core.testing.sim --seed N --trace"
    assert len(run) == COUNT


def test_every_fault_happens_in_one_seed_of_a_hundred_at_least(
    run: list[Report],
) -> None:
    fired: Counter[str] = Counter(name for report in run for name in report.fired)
    assert len(POINTS) >= 20
    assert [name for name in POINTS if fired[name] < COUNT / 100] == []


def test_the_seeds_are_worth_running(run: list[Report]) -> None:
    assert sum(report.messages for report in run) > 10 * COUNT
    assert sum(len(report.fired) for report in run) > 5 * COUNT
    assert len({report.hash for report in run}) == COUNT


@pytest.mark.parametrize("seed", FOUND)
def test_what_failed_once_fails_no_more(seed: int) -> None:
    assert run_seed(seed).violations == []


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_does_the_same_twice(seed: int) -> None:
    first = run_seed(seed, keeps_trace=True)
    again = run_seed(seed, keeps_trace=True)
    assert first.trace == again.trace
    assert first == again


def test_a_seed_does_the_same_in_another_process() -> None:
    code = "from kefu_core.testing.sim import run_seed; print(run_seed(7).hash)"
    for hash_seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert told.stdout.strip() == run_seed(7).hash


def test_the_command_says_what_a_green_run_excludes() -> None:
    command = [sys.executable, "-m", "kefu_core.testing.sim", "--seeds", "0-9"]
    told = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60
    )
    last = told.stdout.splitlines()[-1]
    assert "none of 10 failed" in last
    assert "30.0000%" in last
