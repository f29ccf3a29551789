"""What became of each message, and how long it took, by transport. Pure.

Everything is taken from the histories of the run and the rows that it left, so that the
same figures come from recorded histories as from a run that has just ended.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import msgspec

from benchmarks.history import Record, Row, What
from benchmarks.judge import Verdict, judge
from benchmarks.result import Latency, Messages, latency_of, messages_of

TWICE = 2.0
"""No visitor's p99 is to be above so many times the median visitor's."""
MESSAGES_ENOUGH = 200
"""Of one visitor. Of a hundred or fewer the p99 is just the slowest."""
DEALT = 60
"""How often times are dealt out anew, to see what chance does."""
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)


class Way(msgspec.Struct, kw_only=True):
    """One message's way. Times are monotonic seconds; None: that never happened."""

    conversation: int
    process: str
    """The sender's."""
    due: float
    """When it was to be sent; its time counts from then."""
    sent_at: float
    acknowledged_at: float | None = None
    refused_at: float | None = None
    shown_at: float | None = None
    """To the other side."""

    @property
    def took_ms(self) -> float | None:
        """From when it was due to the other side's display."""
        return None if self.shown_at is None else 1_000 * (self.shown_at - self.due)


class ByTransport(msgspec.Struct, frozen=True, kw_only=True):
    """The conversations of those visitors who use one transport."""

    visitors: int
    messages: Messages
    delivered_per_s: float
    latency_ms: Latency
    """From when a message was due to the other side's display, both ways."""
    acknowledged_ms: Latency
    """From when a visitor's message was due until the visitor knew it stored."""
    curve_ms: list[tuple[float, float]]
    """Share of the messages, and below how many ms they were."""


class Fairness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether some visitors wait much longer than others."""

    visitors: int
    """Those who had any messages in the measured seconds."""
    messages_median: float
    """So many messages were each visitor's; of fewer than 100 p99 is the slowest."""
    p99_ms_median: float
    p99_ms_worst: float
    above_twice: int
    """Visitors whose p99 is more than twice the median visitor's."""
    messages_least: int = 0
    """Of one visitor: of too few, nothing can be said (`MESSAGES_ENOUGH`)."""
    worst_ratio: float = 0.0
    """The worst visitor's p99 to the median visitor's."""
    chance_ratio: float = 0.0
    """What it stays below in 95 % of all cases where chance alone deals out the same
    times among the same visitors."""

    @property
    def is_met(self) -> bool:
        """Whether there is none."""
        return not self.above_twice

    @property
    def is_enough(self) -> bool:
        """Whether each visitor had so many messages that this can be said."""
        return self.messages_least >= MESSAGES_ENOUGH


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """One second of the run."""

    at_s: int
    due: int
    delivered: int
    p50_ms: float
    p99_ms: float
    """Of those that were due in it."""


def ways_of(records: Iterable[Record], rows: Iterable[Row]) -> list[Way]:
    """Return each message that was sent, in the order of the records."""
    ways: dict[tuple[int, str], Way] = {}
    shown: dict[tuple[int, int], list[Record]] = defaultdict(list)
    for record in records:
        key = (record.conversation, record.key)
        match record.what:
            case What.INVOKE:
                ways[key] = Way(
                    conversation=record.conversation,
                    process=record.process,
                    due=record.due or record.at,
                    sent_at=record.at,
                )
            case What.OK if key in ways and ways[key].acknowledged_at is None:
                ways[key].acknowledged_at = record.at
            case What.ERROR if key in ways:
                ways[key].refused_at = record.at
            case What.SHOWN:
                shown[record.conversation, record.seq].append(record)
    for row in rows:
        way = ways.get((row.conversation, row.key))
        if way is not None:
            way.shown_at = min(
                (
                    record.at
                    for record in shown[row.conversation, row.seq]
                    if record.process != way.process
                ),
                default=None,
            )
    return list(ways.values())


def times_of(ways: Iterable[Way], begin: float, end: float) -> list[float]:
    """Return, sorted, the ms of those that were due in a window and were shown."""
    return sorted(
        way.took_ms
        for way in ways
        if begin <= way.due < end and way.took_ms is not None
    )


def conversations_of(
    records: Iterable[Record], transports: Mapping[str, str]
) -> dict[int, str]:
    """Return the transport of each conversation: that of its visitor's process."""
    return {
        record.conversation: transports[record.process]
        for record in records
        if record.process in transports
    }


def by_transport(
    records: Sequence[Record],
    rows: Sequence[Row],
    transports: Mapping[str, str],
    begin: float,
    end: float,
) -> dict[str, ByTransport]:
    """Account for each transport's messages.

    Args:
        records: The histories.
        rows: What the database holds.
        transports: That of each visitor's process.
        begin: Monotonic seconds: messages that were due from then on are timed,
        end: and until then. All of them are counted and judged.
    """
    of = conversations_of(records, transports)
    ways = ways_of(records, rows)
    found = {}
    for name in dict.fromkeys(transports.values()):
        own = [way for way in ways if of.get(way.conversation) == name]
        verdict = judge(
            [record for record in records if of.get(record.conversation) == name],
            [row for row in rows if of.get(row.conversation) == name],
        )
        times = times_of(own, begin, end)
        acknowledged = sorted(
            1_000 * (way.acknowledged_at - way.due)
            for way in own
            if way.process in transports
            and way.acknowledged_at is not None
            and begin <= way.due < end
        )
        found[name] = ByTransport(
            visitors=sum(each == name for each in transports.values()),
            messages=messages_of(verdict, sum(w.shown_at is not None for w in own)),
            delivered_per_s=round(shown_in(own, begin, end) / (end - begin), 1),
            latency_ms=latency_of(times),
            acknowledged_ms=latency_of(acknowledged),
            curve_ms=[
                (share, round(times[min(len(times) - 1, int(share * len(times)))], 2))
                for share in SHARES
                if times
            ],
        )
    return found


def shown_in(ways: Iterable[Way], begin: float, end: float) -> int:
    """Return how many were shown to the other side in a window."""
    return sum(way.shown_at is not None and begin <= way.shown_at < end for way in ways)


def fairness_of(ways: Iterable[Way], begin: float, end: float) -> Fairness:
    """Compare visitors: each conversation is one."""
    times: dict[int, list[float]] = defaultdict(list)
    for way in ways:
        if begin <= way.due < end and way.took_ms is not None:
            times[way.conversation].append(way.took_ms)
    counts = [len(each) for each in times.values()]
    p99s = sorted(latency_of(sorted(each)).p99 for each in times.values())
    middle = median(p99s) if p99s else 0.0
    return Fairness(
        visitors=len(times),
        messages_median=median(counts) if counts else 0,
        p99_ms_median=round(middle, 2),
        p99_ms_worst=p99s[-1] if p99s else 0.0,
        above_twice=sum(p99 > TWICE * middle for p99 in p99s),
        messages_least=min(counts, default=0),
        worst_ratio=round(p99s[-1] / middle, 2) if middle else 0.0,
        chance_ratio=_chance_ratio([*times.values()]),
    )


def _chance_ratio(times: Sequence[Sequence[float]]) -> float:
    """Deal all times out among the visitors again and again; return the 95th of 100."""
    rng, every = random.Random(7), [one for each in times for one in each]
    found = []
    for _ in range(DEALT):
        rng.shuffle(every)
        p99s, first = [], 0
        for each in times:
            p99s.append(latency_of(sorted(every[first : first + len(each)])).p99)
            first += len(each)
        middle = median(p99s) if p99s else 0.0
        found.append(max(p99s) / middle if middle else 0.0)
    return round(sorted(found)[int(0.95 * DEALT)], 2)


def seconds_of(ways: Sequence[Way], begin: float, end: float) -> list[Second]:
    """Return the measured seconds one by one."""
    found = []
    for at_s in range(int(end - begin)):
        first, last = begin + at_s, begin + at_s + 1
        times = times_of(ways, first, last)
        latency = latency_of(times)
        found.append(
            Second(
                at_s=at_s,
                due=sum(first <= way.due < last for way in ways),
                delivered=shown_in(ways, first, last),
                p50_ms=latency.p50,
                p99_ms=latency.p99,
            )
        )
    return found


def unaccounted(verdict: Verdict, *, behind: int) -> list[str]:
    """Return a sentence for each way in which messages are not accounted for.

    Of a run in which nothing was killed: then nobody's message may stay unanswered.
    """
    counts = verdict.counts
    said = []
    if not counts.sent:
        said.append("Nobody said anything.")
    if counts.unknown:
        said.append(f"{counts.unknown} of {counts.sent} messages were never answered.")
    if counts.acknowledged > counts.stored:
        missing = counts.acknowledged - counts.stored
        said.append(f"{missing} acknowledged messages are not stored.")
    if behind:
        said.append(f"{behind} people had not everything at the end.")
    if not verdict.passed:
        faults = ", ".join(f"{n} {fault}" for fault, n in verdict.faults.items() if n)
        said.append(f"The judge found: {faults}.")
    return said
