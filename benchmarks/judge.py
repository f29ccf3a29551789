"""The judge: compares what was promised with what is there. Pure.

Four views of one run must tell the same story: what senders were told, the rows of
the database, what each reader was shown, and each reader's rolling hash. The rules:

- a message told as stored is a row, once, under the seq told, with the body sent;
- a message told as refused is no row; one whose fate was never told is a row or none;
- seqs of a conversation are 1, 2, 3 … and times never decrease along them;
- the messages of one sender stand in the order in which it sent them (FIFO);
- what was told as stored before another was sent stands before it (real time);
- a reader is shown the rows, in seq order, each once, none left out, and a reader
  that stayed to the end was shown all of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from benchmarks.history import Record, Row, What, in_time_order, roll

SENT_KINDS = frozenset({"text", "note"})
"""Kinds that clients send; others are written by the desk and have no invoke."""
PROBLEMS_KEPT_MAX = 1_000


class Fault(StrEnum):
    """What can be wrong."""

    LOST = "lost"
    DOUBLED = "doubled"
    REORDERED = "reordered"
    GAP = "gaps"
    UNEXPECTED = "unexpected"
    DIVERGED = "diverged"


_EXPLAINED = {Fault.GAP: 1, Fault.DIVERGED: 2}
"""What another fault may be the cause of, and is told after it."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, and where to look."""

    fault: Fault
    conversation: int
    seq: int = 0
    key: str = ""
    at: float = 0.0
    text: str


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How much was judged; every zero is worth as much as these numbers."""

    sent: int
    acknowledged: int
    refused: int
    unknown: int
    unknown_stored: int
    """Of the unknown: found in the database, which is allowed once."""
    stored: int
    shown: int
    conversations: int
    readers: int


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The judge's finding."""

    counts: Counts
    faults: dict[str, int]
    """Every kind of fault with its count, zeros included."""
    problems: list[Problem]
    """The first ones found, by time where it is known."""
    life: list[str]
    """All that is known of the message of the first problem."""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.faults.values())


def upper_bound(trials: int) -> float:
    """Return the 95 % bound on a chance after so many trials without the event.

    Exact, about 3 / trials (the rule of three); 1.0 when nothing was tried.
    """
    return float(1.0 - 0.05 ** (1.0 / trials)) if trials else 1.0


def judge(records: Iterable[Record], rows: Iterable[Row]) -> Verdict:
    """Compare a run's histories with the rows it left."""
    trial = _Trial(in_time_order(records), list(rows))
    trial.check_rows()
    trial.check_sends()
    trial.check_sender_order()
    trial.check_real_time()
    trial.check_readers()
    return trial.verdict()


Key = tuple[int, str]
"""Conversation and key. The generator's keys are unique among senders."""


class _Trial:
    """The views of one run, indexed, and the problems found so far."""

    def __init__(self, records: Sequence[Record], rows: list[Row]) -> None:
        self.records = records
        self.log: dict[int, list[Row]] = defaultdict(list)
        self.stored: dict[Key, list[Row]] = defaultdict(list)
        self.invokes: dict[Key, Record] = {}
        self.oks: dict[Key, list[Record]] = defaultdict(list)
        self.errors: dict[Key, Record] = {}
        self.displays: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self.ends: list[Record] = []
        self.found: list[Problem] = []
        for row in sorted(rows, key=lambda row: (row.conversation, row.seq)):
            self.log[row.conversation].append(row)
            if row.kind in SENT_KINDS:
                self.stored[row.conversation, row.key].append(row)
        for record in records:
            self._index(record)

    def _index(self, record: Record) -> None:
        key = (record.conversation, record.key)
        match record.what:
            case What.INVOKE:
                self.invokes.setdefault(key, record)
            case What.OK:
                self.oks[key].append(record)
            case What.ERROR:
                self.errors[key] = record
            case What.SHOWN:
                display = (record.process, record.conversation)
                self.displays[display].append(record)
            case What.END:
                self.ends.append(record)
            case What.UNKNOWN:
                pass  # An invoke without an answer says the same.

    def report(
        self, fault: Fault, text: str, about: Record | Row, *, key: str = ""
    ) -> None:
        """Note one problem."""
        self.found.append(
            Problem(
                fault=fault,
                conversation=about.conversation,
                seq=about.seq,
                key=key or about.key,
                at=about.at if isinstance(about, Record) else 0.0,
                text=text,
            )
        )

    # -- the rules ---------------------------------------------------------------------

    def check_rows(self) -> None:
        """Seqs 1..n, time that never runs back, each key once, nothing invented."""
        for rows in self.log.values():
            expected, last_at = 1, 0
            for row in rows:
                if row.seq < expected:
                    self.report(Fault.DOUBLED, f"Two rows have seq {row.seq}.", row)
                elif row.seq > expected:
                    text = f"Row {row.seq} follows row {expected - 1}."
                    self.report(Fault.GAP, text, row)
                if row.at < last_at:
                    text = f"Row {row.seq} is older than the row before it."
                    self.report(Fault.REORDERED, text, row)
                expected, last_at = max(expected, row.seq + 1), max(last_at, row.at)
        for key, rows in self.stored.items():
            for row in rows[1:]:
                text = f"Stored as {rows[0].seq} and again as {row.seq}."
                self.report(Fault.DOUBLED, text, row)
            if key not in self.invokes:
                self.report(Fault.UNEXPECTED, "Stored, but nobody sent it.", rows[0])

    def check_sends(self) -> None:
        """What was told of each message is true."""
        for key, invoke in self.invokes.items():
            rows = self.stored.get(key, [])
            for row in rows:
                if row.sender != invoke.sender or row.body != invoke.body:
                    text = "Stored with another sender or body than was sent."
                    self.report(Fault.DIVERGED, text, row)
            if rows and key in self.errors:
                text = "Told as refused, but stored."
                self.report(Fault.UNEXPECTED, text, rows[0])
        for key, oks in self.oks.items():
            if key not in self.invokes:
                self.report(Fault.UNEXPECTED, "Acknowledged, but never sent.", oks[0])
            if len({ok.seq for ok in oks}) > 1:
                seqs = ", ".join(str(ok.seq) for ok in oks)
                text = f"Acknowledged under several seqs: {seqs}."
                self.report(Fault.DOUBLED, text, oks[1])
            rows = self.stored.get(key, [])
            if not rows:
                text = f"Acknowledged as {oks[0].seq}, but not stored."
                self.report(Fault.LOST, text, oks[0])
            elif all(row.seq != oks[0].seq for row in rows):
                text = f"Acknowledged as {oks[0].seq}, but stored as {rows[0].seq}."
                self.report(Fault.REORDERED, text, oks[0])

    def check_sender_order(self) -> None:
        """The messages of one sender stand in the order sent."""
        last: dict[tuple[str, int], tuple[int, str]] = {}
        for key, invoke in self.invokes.items():
            rows = self.stored.get(key)
            if not rows:
                continue
            lane = (invoke.process, invoke.conversation)
            before, before_key = last.get(lane, (0, ""))
            if rows[0].seq < before:
                text = (
                    f"{invoke.process} sent it after {before_key} (seq {before}), "
                    f"but it stands before, as {rows[0].seq}."
                )
                self.report(Fault.REORDERED, text, rows[0])
            if rows[0].seq > before:
                last[lane] = (rows[0].seq, key[1])

    def check_real_time(self) -> None:
        """What was acknowledged before another was sent stands before it."""
        newest: dict[int, int] = {}
        for record in self.records:
            if record.what is What.OK:
                seq = max(newest.get(record.conversation, 0), record.seq)
                newest[record.conversation] = seq
            elif record.what is What.INVOKE:
                rows = self.stored.get((record.conversation, record.key))
                before = newest.get(record.conversation, 0)
                if rows and rows[0].seq <= before:
                    text = (
                        f"Sent after seq {before} was acknowledged, "
                        f"but stored as {rows[0].seq}."
                    )
                    self.report(Fault.REORDERED, text, rows[0])

    def check_readers(self) -> None:
        """Every display is the log, and the hashes agree."""
        for (process, conversation), shown in self.displays.items():
            self._check_display(process, self.log.get(conversation, []), shown)
        for end in self.ends:
            rows = self.log.get(end.conversation, [])
            shown = self.displays.get((end.process, end.conversation), [])
            seen = shown[-1].seq if shown else 0
            if rows and seen < rows[-1].seq:
                missing = next(row for row in rows if row.seq > seen)
                text = f"{end.process} stayed to the end but saw nothing beyond {seen}."
                self.report(Fault.LOST, text, missing)

    def _check_display(
        self, process: str, rows: Sequence[Row], shown: Sequence[Record]
    ) -> None:
        by_seq = {row.seq: row for row in rows}
        hashes = _rolling_hashes(rows)
        last, seen, hashes_agree = 0, set[int](), True
        for record in shown:
            seq = record.seq
            if seq in seen:
                self.report(Fault.DOUBLED, f"{process} was shown {seq} twice.", record)
            elif seq < last:
                text = f"{process} was shown {seq} after {last}."
                self.report(Fault.REORDERED, text, record)
            elif seq > last + 1:
                text = f"{process} was shown {seq} right after {last}."
                self.report(Fault.GAP, text, record)
            seen.add(seq)
            last = max(last, seq)
            row = by_seq.get(seq)
            if row is None:
                text = f"{process} was shown what is not stored."
                self.report(Fault.UNEXPECTED, text, record)
            elif not _is_same(record, row):
                text = f"{process} was shown other content than is stored."
                self.report(Fault.DIVERGED, text, record)
            if hashes_agree and record.rolling != hashes.get(seq):
                hashes_agree = False  # All later ones differ too; one report is enough.
                text = f"{process} and the rows tell different stories up to {seq}."
                self.report(Fault.DIVERGED, text, record)

    # -- the finding -------------------------------------------------------------------

    def verdict(self) -> Verdict:
        """Return what was found."""
        faults = {fault.value: 0 for fault in Fault}
        for problem in self.found:
            faults[problem.fault] += 1
        # A lost message explains a gap beside it, and both a hash that differs.
        self.found.sort(key=lambda problem: _EXPLAINED.get(problem.fault, 0))
        return Verdict(
            counts=self._counts(),
            faults=faults,
            problems=self.found[:PROBLEMS_KEPT_MAX],
            life=self._life(self.found[0]) if self.found else [],
        )

    def _counts(self) -> Counts:
        unknown = [
            key
            for key in self.invokes
            if key not in self.oks and key not in self.errors
        ]
        return Counts(
            sent=len(self.invokes),
            acknowledged=len(self.oks),
            refused=len(self.errors),
            unknown=len(unknown),
            unknown_stored=sum(key in self.stored for key in unknown),
            stored=sum(len(rows) for rows in self.stored.values()),
            shown=sum(len(shown) for shown in self.displays.values()),
            conversations=len(self.log),
            readers=len({process for process, _ in self.displays}),
        )

    def _life(self, problem: Problem) -> list[str]:
        """Return everything that mentions the message of a problem, in time order."""
        keys, seqs = {problem.key} - {""}, {problem.seq} - {0}
        for row in self.log.get(problem.conversation, []):
            if row.seq in seqs or row.key in keys:
                keys.add(row.key)
                seqs.add(row.seq)
        lines = [
            f"{record.at:.6f} {record.process} {record.what} "
            f"seq={record.seq or '-'} key={record.key or '-'} body={record.body or '-'}"
            for record in self.records
            if record.conversation == problem.conversation
            and (record.key in keys or record.seq in seqs)
        ]
        lines += [
            f"row: seq={row.seq} sender={row.sender} key={row.key} kind={row.kind} "
            f"body={row.body} at={row.at}"
            for row in self.log.get(problem.conversation, [])
            if row.key in keys or row.seq in seqs
        ]
        return lines


def _is_same(record: Record, row: Row) -> bool:
    if record.key and record.key != row.key:
        return False
    return (record.sender, record.kind, record.body) == (row.sender, row.kind, row.body)


def _rolling_hashes(rows: Sequence[Row]) -> dict[int, str]:
    rolling, hashes = "", dict[int, str]()
    for row in rows:
        rolling = roll(
            rolling, seq=row.seq, sender=row.sender, kind=row.kind, body=row.body
        )
        hashes[row.seq] = rolling
    return hashes
