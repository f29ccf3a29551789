"""Judges a run that never ends: each conversation when it is over, all of them at last.

No rule of the judge goes from one conversation to another, so the verdict of a run is
the sum of those of its conversations, and only those that go on are held in memory. Of
what was judged a hash is kept, to see at the end that it is still as it was.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import msgspec

from benchmarks.history import Record, Row, read_history, roll
from benchmarks.judge import (
    SENT_KINDS,
    Counts,
    Fault,
    Problem,
    Verdict,
    judge,
)
from benchmarks.rows import load_rows, walk_rows

PROBLEMS_MAX = 100


class _Seen(msgspec.Struct, frozen=True):
    """A log as it was when it was judged."""

    seq: int
    rolling: str


class Court:
    """The verdicts so far, and what they were about."""

    def __init__(self, url: str) -> None:
        """Take the SQLAlchemy URL of the run's database."""
        self._url = url
        self._seen: dict[int, _Seen] = {}
        self._counts: dict[str, int] = defaultdict(int)
        self._faults = {fault.value: 0 for fault in Fault}
        self._problems: list[Problem] = []
        self._life: list[str] = []

    def hear(self, history: Path) -> Verdict:
        """Judge a file of whole conversations by what the database has of them."""
        records = list(read_history(history))
        rows = load_rows(self._url, {record.conversation for record in records})
        return self.judge(records, rows)

    def judge(self, records: Iterable[Record], rows: list[Row]) -> Verdict:
        """Judge whole conversations; return the verdict on them."""
        verdict = judge(records, rows)
        for name, count in msgspec.structs.asdict(verdict.counts).items():
            self._counts[name] += count
        for fault, count in verdict.faults.items():
            self._faults[fault] += count
        self._note(verdict.problems, verdict.life)
        for row in sorted(rows, key=lambda row: (row.conversation, row.seq)):
            self._seen[row.conversation] = _after(self._seen.get(row.conversation), row)
        return verdict

    def look_again(self) -> None:
        """Compare all that is in the database now with what was judged."""
        self.compare(walk_rows(self._url))

    def compare(self, rows: Iterable[Row]) -> None:
        """Compare all rows, in the order of conversations and seqs."""
        unmet = dict(self._seen)
        held: _Seen | None = None
        last = 0
        for row in rows:
            if row.conversation != last:
                self._close(last, held, unmet)
                last, held = row.conversation, None
            seen = self._seen.get(row.conversation)
            if seen is None or row.seq > seen.seq:
                self._late(row)
            else:
                held = _after(held, row)
        self._close(last, held, unmet)
        for conversation, seen in unmet.items():
            text = f"All {seen.seq} messages were there when it was judged."
            self._report(Fault.LOST, conversation, seen.seq, text)

    def _close(
        self, conversation: int, held: _Seen | None, unmet: dict[int, _Seen]
    ) -> None:
        seen = unmet.pop(conversation, None) if held is not None else None
        if seen is None or held is None or seen == held:
            return
        fault = Fault.LOST if held.seq < seen.seq else Fault.DIVERGED
        text = f"Not the {seen.seq} messages that were judged; {held.seq} are there."
        self._report(fault, conversation, seen.seq, text)

    def _late(self, row: Row) -> None:
        # The desk may add lines of its own; whoever speaks had left.
        if row.kind in SENT_KINDS:
            text = f"Row {row.seq} came after everybody had left."
            self._report(Fault.UNEXPECTED, row.conversation, row.seq, text)

    def _report(self, fault: Fault, conversation: int, seq: int, text: str) -> None:
        self._faults[fault] += 1
        problem = Problem(fault=fault, conversation=conversation, seq=seq, text=text)
        self._note([problem], [])

    def _note(self, problems: list[Problem], life: list[str]) -> None:
        self._life = self._life or life
        room = PROBLEMS_MAX - len(self._problems)
        self._problems += problems[: max(0, room)]

    @property
    def verdict(self) -> Verdict:
        """The finding on all that was judged so far."""
        counts = {name: self._counts[name] for name in Counts.__struct_fields__}
        return Verdict(
            counts=Counts(**counts),
            faults=dict(self._faults),
            problems=list(self._problems),
            life=list(self._life),
        )


def _after(held: _Seen | None, row: Row) -> _Seen:
    rolling = roll(
        held.rolling if held is not None else "",
        seq=row.seq,
        sender=row.sender,
        kind=row.kind,
        body=row.body,
    )
    return _Seen(row.seq, rolling)
