"""`incident` runs while all goes wrong; a lost message fails it, with its life."""

import contextlib
import sqlite3
from pathlib import Path

import msgspec
import pytest
from rich.progress import Progress

from benchmarks import scene, story
from benchmarks.commands.incident import show_incident
from benchmarks.court import Court
from benchmarks.databases import ServerMissingError
from benchmarks.history import What, read_history
from benchmarks.incident import IncidentOptions, run_incident
from benchmarks.judge import Verdict
from benchmarks.network import NetworkPlan
from benchmarks.person import Ears
from benchmarks.story import RunError, Story, faults_in
from tests.depth import IS_LONG

BAD = NetworkPlan(drops_min=4.0, drops_max=8.0, still_every_s=2.0, still_s=1.0)
QUICK = {f"KEFU_LIMITS_{name}_S": "1.5" for name in ("HEARTBEAT", "POLL_WAIT")} | {
    f"KEFU_LIMITS_{name}_S": "3" for name in ("POLL_SESSION", "POLL_OPENING")
}
"""A dead link is known after 3 s instead of 50."""
SHORT = IncidentOptions(
    visitors=8,
    agents=2,
    seconds=8.0,
    seed=7,
    pace_s=1.5,
    stay_s=4.0,
    stall_every_s=2.0,
    network=BAD,
    environ=QUICK,
)


@pytest.mark.parametrize("database", ["sqlite", *(["mysql"] if IS_LONG else [])])
def test_people_live_through_it_and_the_judge_hears_of_all(database: str) -> None:
    options = msgspec.structs.replace(SHORT, database=database)
    try:
        with Progress(disable=True) as progress:
            outcome = run_incident(options, progress)
    except ServerMissingError as missing:
        pytest.skip(str(missing))
    assert outcome.passed, (outcome.failures, outcome.verdict.life)
    counts = outcome.verdict.counts
    assert counts.acknowledged > 0
    assert counts.conversations == outcome.found["conversations"]
    faults = outcome.found["faults_done"]
    assert isinstance(faults, dict)
    assert faults["stalled database"] > 0
    assert sum(faults.values()) > faults["stalled database"]


class _Thief(Court):
    """Takes one acknowledged message out of the database before the judge looks."""

    taken = ""

    def hear(self, history: Path) -> Verdict:
        told = [each for each in read_history(history) if each.what is What.OK]
        if told and not self.taken:
            type(self).taken = told[0].key
            with contextlib.closing(sqlite3.connect(self._path, timeout=30)) as near:
                near.execute(
                    "DELETE FROM message WHERE conversation_id = ? AND seq = ?",
                    (told[0].conversation, told[0].seq),
                )
                near.commit()
        return super().hear(history)

    @property
    def _path(self) -> str:
        return self._url.split(":///", 1)[1]


def test_a_lost_message_fails_the_run_and_shows_its_life(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scene, "Court", _Thief)
    with Progress(disable=True) as progress:
        outcome = run_incident(msgspec.structs.replace(SHORT, seconds=20.0), progress)
    assert _Thief.taken
    assert outcome.verdict.faults["lost"] > 0
    assert show_incident(outcome, tmp_path / "found.json") == 1
    said = capsys.readouterr().out.replace("\n", "")
    assert f"invoke seq=- key={_Thief.taken}" in said
    assert any(line.startswith("kefu audit") for line in outcome.failures)
    assert msgspec.json.decode((tmp_path / "found.json").read_bytes())["failures"]


def test_more_people_than_files_are_refused_before_anything_begins() -> None:
    options = msgspec.structs.replace(SHORT, visitors=1_000_000)
    with pytest.raises(RunError, match="ulimit"), Progress(disable=True) as progress:
        run_incident(options, progress)


def test_a_server_that_ends_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Story.look

    def look(self: Story) -> None:
        if self.last is not None and self.last.talks:
            self._server.kill()
        usual(self)

    monkeypatch.setattr(story.Story, "look", look)
    ended = pytest.raises(RunError, match="The server ended")
    with ended, Progress(disable=True) as progress:
        run_incident(SHORT, progress)


def test_a_fault_in_the_log_of_the_server_is_one_of_the_run(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("fine\nERROR kefu.server hello failed by a fault of ours\n")
    assert faults_in(log) == [
        "The server's log: ERROR kefu.server hello failed by a fault of ours"
    ]


def test_the_longest_silence_is_remembered_with_whose_it_was() -> None:
    at = 0.0
    ears = Ears(lambda: at)
    at = 5.0
    heard = ears.heard(0.0, "a")
    at = 6.0
    ears.heard(heard, "b")
    assert (ears.longest_s, ears.whose) == (5.0, "a")
