"""A run that is judged piece by piece is judged as if it were judged whole."""

from pathlib import Path

import msgspec
import pytest

from benchmarks.court import Court
from benchmarks.history import Row
from tests.benchmarks.test_judge import C, record_a_clean_run


def rows_of(*rows: Row, **changes: object) -> list[Row]:
    return [msgspec.structs.replace(row, **changes) for row in rows]


@pytest.fixture
def court() -> Court:
    """Two conversations were judged and found good."""
    court = Court("")
    records, rows = record_a_clean_run()
    for conversation in (C, C + 1):
        moved = [
            msgspec.structs.replace(each, conversation=conversation) for each in records
        ]
        verdict = court.judge(moved, rows_of(*rows, conversation=conversation))
        assert verdict.passed
    return court


def stored() -> list[Row]:
    _, rows = record_a_clean_run()
    return rows_of(*rows, conversation=C) + rows_of(*rows, conversation=C + 1)


def test_the_verdict_is_the_sum_and_what_stayed_as_it_was_is_good(court: Court) -> None:
    court.compare(stored())
    verdict = court.verdict
    assert verdict.passed
    assert (verdict.counts.conversations, verdict.counts.acknowledged) == (2, 16)
    assert verdict.counts.shown == 48


def test_what_is_lost_after_it_was_judged_is_found(court: Court) -> None:
    court.compare(stored()[:-1])
    assert court.verdict.faults["lost"] == 1
    assert court.verdict.problems[0].conversation == C + 1


def test_a_conversation_that_vanished_is_found(court: Court) -> None:
    court.compare(stored()[:8])
    assert court.verdict.faults["lost"] == 1
    court.compare(stored()[8:])
    assert [problem.conversation for problem in court.verdict.problems] == [C + 1, C]


def test_a_text_that_changed_after_it_was_judged_is_found(court: Court) -> None:
    rows = stored()
    rows[3] = msgspec.structs.replace(rows[3], body="other")
    court.compare(rows)
    assert court.verdict.faults["diverged"] == 1


def test_what_nobody_can_have_sent_any_more_is_found_but_not_a_line_of_the_desk(
    court: Court,
) -> None:
    rows = stored()
    line = msgspec.structs.replace(rows[-1], seq=9, kind="close", key="")
    court.compare([*rows, line])
    assert court.verdict.passed
    court.compare([*rows, msgspec.structs.replace(line, kind="text")])
    assert court.verdict.faults["unexpected"] == 1


def test_the_life_of_the_first_bad_message_is_kept(
    court: Court, tmp_path: Path
) -> None:
    records, rows = record_a_clean_run()
    moved = [msgspec.structs.replace(each, conversation=C + 2) for each in records]
    verdict = court.judge(moved, rows_of(*rows[:-1], conversation=C + 2))
    assert not verdict.passed
    assert court.verdict.life == verdict.life != []
    assert any("key=k8" in line for line in court.verdict.life)
