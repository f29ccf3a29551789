"""The judge is judged: planted faults in a recorded history, all of them found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.history import (
    History,
    Reader,
    Record,
    Row,
    What,
    body_hash,
    read_history,
)
from benchmarks.judge import Verdict, judge, upper_bound

C = 7
Evidence = tuple[list[Record], list[Row]]


def record_a_clean_run() -> Evidence:
    """A visitor and an agent talk in turns; both and a second tab read all of it."""
    history, rows = History(), []
    readers = {name: Reader(history, name) for name in ("visitor", "agent", "tab")}
    for seq in range(1, 9):
        process, sender = ("visitor", "v1") if seq % 2 else ("agent", "a1")
        key, body, at = f"k{seq}", f"message {seq}", float(seq)
        told: dict[str, Any] = {"process": process, "conversation": C, "key": key}
        history.add(
            Record(what=What.INVOKE, at=at, sender=sender, body=body_hash(body), **told)
        )
        history.add(Record(what=What.OK, at=at + 0.2, seq=seq, **told))
        row = Row(
            conversation=C,
            seq=seq,
            sender=sender,
            key=key,
            kind="text",
            body=body,
            at=1_000 + seq,
        )
        for name, reader in readers.items():
            own = key if name == process else ""
            reader.shown(msgspec.structs.replace(row, key=own), at + 0.3)
        rows.append(msgspec.structs.replace(row, body=body_hash(body)))
    for reader in readers.values():
        reader.left(20.0)
    return history.records, rows


def change(items: list[Any], position: int, **fields: object) -> None:
    items[position] = msgspec.structs.replace(items[position], **fields)


def find(records: list[Record], what: What, seq: int, process: str = "") -> int:
    """Return the position of one record; invokes are found by their key."""
    for position, record in enumerate(records):
        is_it = record.seq == seq or record.key == f"k{seq}"
        if record.what is what and is_it and process in ("", record.process):
            return position
    raise LookupError(seq)


# -- the planted faults --------------------------------------------------------------


def acknowledged_row_is_missing(records: list[Record], rows: list[Row]) -> None:
    del rows[7]


def row_in_the_middle_is_missing(records: list[Record], rows: list[Row]) -> None:
    del rows[3]


def reader_misses_the_last_message(records: list[Record], rows: list[Row]) -> None:
    del records[find(records, What.SHOWN, 8, "tab")]


def key_is_stored_twice(records: list[Record], rows: list[Row]) -> None:
    rows.append(msgspec.structs.replace(rows[4], seq=9, at=2_000))


def seq_is_given_twice(records: list[Record], rows: list[Row]) -> None:
    change(rows, 4, seq=4)


def reader_is_shown_a_message_twice(records: list[Record], rows: list[Row]) -> None:
    position = find(records, What.SHOWN, 5, "tab")
    records.insert(position + 1, records[position])


def acknowledged_under_two_seqs(records: list[Record], rows: list[Row]) -> None:
    position = find(records, What.OK, 5)
    again = msgspec.structs.replace(records[position], seq=6)
    records.insert(position + 1, again)


def reader_is_shown_two_messages_swapped(
    records: list[Record], rows: list[Row]
) -> None:
    first, second = (find(records, What.SHOWN, seq, "agent") for seq in (5, 6))
    earlier, later = records[first], records[second]
    records[first] = msgspec.structs.replace(later, at=earlier.at)
    records[second] = msgspec.structs.replace(earlier, at=later.at)


def sender_is_overtaken_by_its_own_message(
    records: list[Record], rows: list[Row]
) -> None:
    # Both without an answer, so that only the order of the sends can tell.
    for seq in (5, 7):
        del records[find(records, What.OK, seq)]
    rows[4], rows[6] = (
        msgspec.structs.replace(rows[6], seq=5, at=rows[4].at),
        msgspec.structs.replace(rows[4], seq=7, at=rows[6].at),
    )


def message_stands_before_one_acknowledged_earlier(
    records: list[Record], rows: list[Row]
) -> None:
    # Two senders, the second without an answer: only real time can tell.
    del records[find(records, What.OK, 6)]
    rows[4], rows[5] = (
        msgspec.structs.replace(rows[5], seq=5, at=rows[4].at),
        msgspec.structs.replace(rows[4], seq=6, at=rows[5].at),
    )
    change(records, find(records, What.OK, 5), seq=6)


def acknowledged_under_another_seq_than_stored(
    records: list[Record], rows: list[Row]
) -> None:
    change(records, find(records, What.OK, 8), seq=12)


def time_runs_backwards_along_seq(records: list[Record], rows: list[Row]) -> None:
    change(rows, 4, at=900)


def reader_has_a_hole(records: list[Record], rows: list[Row]) -> None:
    del records[find(records, What.SHOWN, 4, "tab")]


def row_that_nobody_sent(records: list[Record], rows: list[Row]) -> None:
    ghost = msgspec.structs.replace(rows[7], seq=9, key="ghost", at=2_000)
    rows.append(ghost)


def refused_message_is_stored(records: list[Record], rows: list[Row]) -> None:
    change(records, find(records, What.OK, 3), what=What.ERROR)


def reader_is_shown_what_is_not_stored(records: list[Record], rows: list[Row]) -> None:
    shown = records[find(records, What.SHOWN, 8, "tab")]
    records.append(msgspec.structs.replace(shown, seq=9, at=19.0))


def stored_body_is_not_the_one_sent(records: list[Record], rows: list[Row]) -> None:
    change(rows, 2, body=body_hash("something else"))


def reader_is_shown_another_body(records: list[Record], rows: list[Row]) -> None:
    position = find(records, What.SHOWN, 3, "tab")
    change(records, position, body=body_hash("something else"))


def reader_hash_differs_from_then_on(records: list[Record], rows: list[Row]) -> None:
    change(records, find(records, What.SHOWN, 3, "tab"), rolling="0" * 16)


def acknowledged_but_never_sent(records: list[Record], rows: list[Row]) -> None:
    del records[find(records, What.INVOKE, 3)]


PLANTED: list[tuple[Callable[[list[Record], list[Row]], None], str]] = [
    (acknowledged_row_is_missing, "lost"),
    (row_in_the_middle_is_missing, "gaps"),
    (row_in_the_middle_is_missing, "lost"),
    (reader_misses_the_last_message, "lost"),
    (key_is_stored_twice, "doubled"),
    (seq_is_given_twice, "doubled"),
    (reader_is_shown_a_message_twice, "doubled"),
    (acknowledged_under_two_seqs, "doubled"),
    (reader_is_shown_two_messages_swapped, "reordered"),
    (sender_is_overtaken_by_its_own_message, "reordered"),
    (message_stands_before_one_acknowledged_earlier, "reordered"),
    (acknowledged_under_another_seq_than_stored, "reordered"),
    (time_runs_backwards_along_seq, "reordered"),
    (reader_has_a_hole, "gaps"),
    (row_that_nobody_sent, "unexpected"),
    (refused_message_is_stored, "unexpected"),
    (reader_is_shown_what_is_not_stored, "unexpected"),
    (stored_body_is_not_the_one_sent, "diverged"),
    (reader_is_shown_another_body, "diverged"),
    (reader_hash_differs_from_then_on, "diverged"),
    (acknowledged_but_never_sent, "unexpected"),
]


@pytest.mark.parametrize(
    ("plant", "fault"), PLANTED, ids=[f"{p.__name__}-{f}" for p, f in PLANTED]
)
def test_a_planted_fault_is_found_and_named(
    plant: Callable[[list[Record], list[Row]], None], fault: str
) -> None:
    records, rows = record_a_clean_run()
    plant(records, rows)
    verdict = judge(records, rows)
    assert not verdict.passed
    assert verdict.faults[fault] > 0, verdict.faults
    assert verdict.life, "the first bad message has a life to show"


def test_a_clean_run_passes_with_every_message_counted() -> None:
    verdict = judge(*record_a_clean_run())
    assert verdict.passed, verdict.problems
    assert verdict.faults == dict.fromkeys(verdict.faults, 0)
    counts = verdict.counts
    assert (counts.sent, counts.acknowledged, counts.stored) == (8, 8, 8)
    assert (counts.shown, counts.readers, counts.conversations) == (24, 3, 1)


@pytest.mark.parametrize("is_stored", [True, False])
def test_a_message_of_unknown_fate_may_be_stored_once_or_not(is_stored: bool) -> None:
    records, rows = record_a_clean_run()
    del records[find(records, What.OK, 8)]
    if not is_stored:
        del rows[7]
        records[:] = [r for r in records if not (r.what is What.SHOWN and r.seq == 8)]
    verdict = judge(records, rows)
    assert verdict.passed, verdict.problems
    assert (verdict.counts.unknown, verdict.counts.unknown_stored) == (1, is_stored)


def test_messages_of_the_desk_need_no_sender_but_take_a_seq() -> None:
    records, rows = record_a_clean_run()
    rows.append(
        Row(
            conversation=C,
            seq=9,
            sender="s0",
            key="",
            kind="close",
            body="",
            at=2_000,
        )
    )
    verdict: Verdict = judge(
        [record for record in records if record.what is not What.END], rows
    )
    assert verdict.passed, verdict.problems


def test_histories_survive_a_file(tmp_path: Path) -> None:
    records, _ = record_a_clean_run()
    history = History()
    history.records.extend(records)
    history.write(tmp_path / "run.jsonl")
    assert list(read_history(tmp_path / "run.jsonl")) == records


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("not a record\n")
    with pytest.raises(ValueError, match="line 1"):
        list(read_history(path))


@pytest.mark.parametrize(
    ("trials", "bound"), [(0, 1.0), (50, 0.058), (300, 0.00994), (1_000, 0.00299)]
)
def test_the_bound_beside_a_zero_is_the_rule_of_three(
    trials: int, bound: float
) -> None:
    assert upper_bound(trials) == pytest.approx(bound, rel=0.01)
