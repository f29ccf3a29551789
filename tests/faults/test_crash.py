"""A hundred clients under load while the server ends, in two ways, and comes back."""

import pytest
from rich.progress import Progress

from benchmarks.crash import CrashOptions, CrashOutcome, run_crash
from benchmarks.databases import SERVERS, ServerMissingError
from benchmarks.generator import NOT_WELCOMED
from tests.depth import times

pytestmark = pytest.mark.alone


def end_the_server(signal: str, times: int) -> CrashOutcome:
    options = CrashOptions(kills=times, clients=100, rate=300.0, signal=signal)
    with Progress(disable=True) as progress:
        return run_crash(options, progress)


@pytest.mark.timeout(times(150, 400))
def test_a_server_killed_again_and_again_loses_doubles_and_reorders_nothing() -> None:
    """Half of the kills come in the middle of a group commit."""
    kills = times(10, 30)
    outcome = end_the_server("kill", kills)
    verdict = outcome.verdict
    assert [round_.exit_status for round_ in outcome.rounds] == [-9] * kills
    assert sum(round_.is_aimed for round_ in outcome.rounds) == kills // 2
    assert verdict.passed, (verdict.faults, verdict.problems[:3], verdict.life)
    assert outcome.audit == []
    assert verdict.counts.readers == 100
    assert verdict.counts.acknowledged == verdict.counts.sent > 0
    assert outcome.last.behind == 0


@pytest.mark.timeout(times(90, 300))
def test_a_server_stopped_under_load_keeps_everything_and_says_drain() -> None:
    stops = times(3, 10)
    outcome = end_the_server("term", stops)
    verdict = outcome.verdict
    assert [round_.exit_status for round_ in outcome.rounds] == [0] * stops
    assert max(round_.stop_s for round_ in outcome.rounds) <= 10.0
    assert verdict.passed, (verdict.faults, verdict.problems[:3], verdict.life)
    assert outcome.audit == []
    assert verdict.counts.acknowledged == verdict.counts.sent > 0
    # Every client that was connected at a stop was told; one may still be on its way
    # back from the stop before.
    ends = outcome.last.closes
    assert {end for end in ends if not end.startswith(NOT_WELCOMED)} == {"drain"}, ends
    assert ends["drain"] >= 100


@pytest.mark.timeout(times(110, 300))
@pytest.mark.parametrize("name", ["mysql", "postgres"])
def test_a_killed_database_ends_no_connection_and_loses_nothing(name: str) -> None:
    try:
        SERVERS[name]()
    except ServerMissingError as missing:
        pytest.skip(f"{missing}; no database was killed")
    kills = times(3, 10)
    options = CrashOptions(
        target="database", url=name, kills=kills, clients=40, rate=60.0
    )
    with Progress(disable=True) as progress:
        outcome = run_crash(options, progress)
    verdict = outcome.verdict
    assert verdict.passed, (verdict.faults, verdict.problems[:3], verdict.life)
    assert outcome.audit == []
    assert verdict.counts.acknowledged == verdict.counts.sent > 0
    assert outcome.last.behind == 0
    assert outcome.last.closes == {}
    assert all(round_.healed_s is not None for round_ in outcome.rounds)
