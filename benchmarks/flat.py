"""`flat`: whether a durable message costs the same, however many there are.

Each station is a server of its own with so many visitors, on a database with so many
messages. All of them are up at the same time and talk by turns, in windows of the same
length, round after round: a machine is not the same all the time, so a window is
compared with the first station's of the same round. Two loads, since each hides
something: `paced` is the same number of messages a second for all, far below what a
server carries, so that a commit holds as many at each station; `full` has a message
of every visitor on its way, as fast as it goes, so that commits grow with the crowd.
"""

import asyncio
import math
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec
from rich.progress import Progress, TaskID

from benchmarks.crowd import Crowd, generator_count, make_plans
from benchmarks.history import Record, read_history
from benchmarks.judge import judge, upper_bound
from benchmarks.mixed import BROKEN, REACHED, BadRunError, why_broken
from benchmarks.result import machine, versions
from benchmarks.rows import load_rows
from benchmarks.soak import Probe
from benchmarks.store.filling import add_people, fill
from benchmarks.store.places import opened
from benchmarks.store.run import bring_up
from benchmarks.story import RunError
from benchmarks.tally import unaccounted
from benchmarks.target import RAISED_LIMITS, Kefu
from kefu_core.abc.store import Store
from kefu_core.ids import IdGenerator
from kefu_core.node import monotonic, unix_ms
from kefu_core.records import DayFigures
from kefu_core.store import schema
from kefu_core.store.sql import SqlStore

FLAT = 0.10
"""A cost is flat when it is nowhere further than this from the first station's."""
LOADS = {"paced": "go", "full": "full"}
"""And the command that begins each."""
SETTLE_S = 2.0
"""From when a talk begins until it is measured."""
STILL_S = 0.5
"""After a talk, until the next station's begins."""
RESTS = 0.05
"""A server at rest takes less of a core than this."""
RESTS_WITHIN_S = 120.0
VISITORS_EACH = 10
"""Of one agent, at every station."""


class FlatOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `flat` is asked to do."""

    transport: str = "websocket"
    visitors: tuple[int, ...] = (30, 100, 300, 1_000)
    """On an empty database; the first is what the others are compared with."""
    messages: tuple[int, ...] = (0, 50_000, 500_000)
    """In the database, with `crowd` visitors."""
    crowd: int = 300
    rate: float = 200.0
    """Messages a second of a station, where it is paced."""
    seconds: float = 8.0
    """Of each window."""
    rounds: int = 5
    data: Path
    """Where the filled databases are; they are kept, and only copied."""
    command: str = ""


class Station(msgspec.Struct, frozen=True, kw_only=True):
    """What a server has to carry."""

    visitors: int
    messages: int
    """In its database, before anybody talks."""

    @property
    def agents(self) -> int:
        """How many sit there: each has as many visitors at every station."""
        return max(1, self.visitors // VISITORS_EACH)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What one station took in one window."""

    seconds: float
    messages: int
    """Acknowledged, so: stored."""
    commits: float
    server_cpu_s: float
    generator_cpu_s: float

    @property
    def us(self) -> float:
        """Of the server's CPU, for each message."""
        return self.server_cpu_s / max(1, self.messages) * 1e6


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """One station under one load: medians of its rounds."""

    by: str
    """What grows in this row of stations: `visitors` or `messages`."""
    load: str
    visitors: int
    messages: int
    us_per_message: float
    us_least: float
    us_most: float
    ratio: float
    """To the first station of the row, quotients within rounds."""
    ratio_least: float
    ratio_most: float
    per_s: float
    messages_per_commit: float
    server_share: float
    """Of a core."""
    generator_share: float


class FlatResult(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of `flat`; README.md explains the keys."""

    verdicts: dict[str, str]
    """For each row of stations and load: `flat`, `cheaper` or `dearer`."""
    costs: list[Cost]
    rest_ms_per_s: dict[str, float]
    """CPU that each station takes while nobody talks there."""
    acknowledged: int
    faults: dict[str, int]
    bounds_95: dict[str, float]
    machine: dict[str, str | int | float]
    versions: dict[str, str]
    command: str
    details: dict[str, object]


class Talk:
    """A station that is up."""

    def __init__(
        self, station: Station, options: FlatOptions, home: Path, stack: ExitStack
    ) -> None:
        """Start its server and bring its people in."""
        self.station = station
        home.mkdir()
        url = ""
        if station.messages:
            shutil.copyfile(
                path_of(options.data, station.messages), home / "history.db"
            )
            url = f"sqlite+aiosqlite:///{home}/history.db"
        self.server = Kefu(home, database_url=url)
        self._probe = Probe(self.server, None)
        # Not those who are named in the history.
        logins = self.server.add_agents(station.agents, name="talker")
        stack.enter_context(self.server)
        self._plans = make_plans(
            self.server,
            home,
            visitors=station.visitors,
            agents=logins,
            transport=options.transport,
            rate=options.rate,
            processes=generator_count(),
        )
        self.crowd = stack.enter_context(Crowd(self._plans, home))
        self.crowd.hear("ready")

    @property
    def name(self) -> str:
        """How people call it."""
        return f"{self.station.visitors} visitors, {self.station.messages:,} messages"

    def settle(self) -> None:
        """Wait until the server rests. Raises `BadRunError` if it does not."""
        until = time.monotonic() + RESTS_WITHIN_S
        while self._share(1.0) > RESTS:
            if time.monotonic() > until:
                raise BadRunError(
                    f"{self.name}: the server was still busy with itself after "
                    f"{RESTS_WITHIN_S:.0f} s."
                )

    def _share(self, seconds: float) -> float:
        before = self.server.exact_cpu_s()
        time.sleep(seconds)
        return (self.server.exact_cpu_s() - before) / seconds

    def window(self, load: str, seconds: float) -> Window:
        """Let them talk, and measure."""
        self.crowd.say(LOADS[load])
        time.sleep(SETTLE_S)
        commits = self._commits()
        before, cpu_s = self.crowd.ask("mark"), self.server.exact_cpu_s()
        time.sleep(seconds)
        after, cpu_after_s = self.crowd.ask("mark"), self.server.exact_cpu_s()
        commits = self._commits() - commits
        self.crowd.say("pause")
        time.sleep(STILL_S)
        return Window(
            seconds=after.at - before.at,
            messages=after.acknowledged - before.acknowledged,
            commits=commits,
            server_cpu_s=cpu_after_s - cpu_s,
            generator_cpu_s=after.cpu_s - before.cpu_s,
        )

    def _commits(self) -> float:
        return self._probe.figures().get("kefu_commit_messages_count", 0.0)

    def end(self) -> tuple[dict[str, int], int, list[str]]:
        """Account for everything; return faults, what was stored, and reasons."""
        self.crowd.say("stop")
        behind = self.crowd.hear("done").behind
        records: list[Record] = []
        for path in self.crowd.histories:
            records += read_history(path)
        own = {record.conversation for record in records}
        verdict = judge(records, load_rows(self.server.database_url, own))
        missing = unaccounted(verdict, behind=behind)
        faults = dict(verdict.faults)
        return faults, verdict.counts.acknowledged, missing


def run_flat(options: FlatOptions, progress: Progress) -> FlatResult:
    """Have all stations talk by turns, and account for every message.

    Raises:
        BadRunError: There are no figures.
        FillError: The databases are of something else.
    """
    facts = machine()
    rows = rows_of(options)
    stations = list(dict.fromkeys(station for row in rows.values() for station in row))
    for messages in sorted({station.messages for station in stations} - {0}):
        asyncio.run(_fill(options.data, messages, progress))
    turns = len(stations) * len(LOADS) * (options.rounds + 1)
    task = progress.add_task("connect", total=turns)
    with (
        tempfile.TemporaryDirectory(prefix="kefu-flat-") as name,
        ExitStack() as stack,
    ):
        talks: list[Talk] = []
        try:
            for number, station in enumerate(stations):
                home = Path(name) / f"{number}"
                talks.append(Talk(station, options, home, stack))
            for talk in talks:
                talk.settle()
            rest = _rest(talks, options.seconds)
            windows = _rounds(talks, options, progress, task)
            ends = [talk.end() for talk in talks]
        except (*BROKEN, RunError) as error:
            said = [line for talk in talks for line in why_broken(talk.server)]
            raise BadRunError(str(error), *said) from error
    faults: Counter[str] = Counter()
    for found, _, _ in ends:
        faults.update(found)
    missing = [
        f"{talk.name}: {line}"
        for talk, (_, _, lines) in zip(talks, ends, strict=True)
        for line in lines
    ]
    missing += shortfalls(windows, options.rate)
    if missing:
        raise BadRunError(*missing)
    acknowledged = sum(count for _, count, _ in ends)
    costs = costs_of(rows, windows)
    return FlatResult(
        verdicts=verdicts_of(costs),
        costs=costs,
        rest_ms_per_s=rest,
        acknowledged=acknowledged,
        faults={fault: faults[fault] for fault in ends[0][0]},
        bounds_95={"per_message": upper_bound(acknowledged)},
        machine=facts,
        versions=versions(),
        command=options.command,
        details={
            "rate": options.rate,
            "seconds": options.seconds,
            "windows": options.rounds,
            "raised_limits": RAISED_LIMITS,
        },
    )


def rows_of(options: FlatOptions) -> dict[str, list[Station]]:
    """Return the stations by what grows from one to the next."""
    rows = {
        "visitors": [Station(visitors=n, messages=0) for n in options.visitors],
        "messages": [
            Station(visitors=options.crowd, messages=n) for n in options.messages
        ],
    }
    return {by: row for by, row in rows.items() if len(row) > 1}


Windows = dict[str, dict[Station, list[Window]]]
"""By load and station, in the order of the rounds."""


def _rounds(
    talks: Sequence[Talk], options: FlatOptions, progress: Progress, task: TaskID
) -> Windows:
    windows: Windows = {load: {} for load in LOADS}
    for number in range(-1, options.rounds):
        for load, of in windows.items():
            for talk in talks:
                progress.update(task, description=f"{load}: {talk.name}")
                # What is first done at all is done once more slowly: not counted.
                seconds = options.seconds if number >= 0 else min(1.0, options.seconds)
                window = talk.window(load, seconds)
                if number >= 0:
                    of.setdefault(talk.station, []).append(window)
                progress.advance(task)
    return windows


def _rest(talks: Sequence[Talk], seconds: float) -> dict[str, float]:
    before = [talk.server.exact_cpu_s() for talk in talks]
    time.sleep(seconds)
    return {
        talk.name: round((talk.server.exact_cpu_s() - cpu_s) / seconds * 1e3, 2)
        for talk, cpu_s in zip(talks, before, strict=True)
    }


def shortfalls(windows: Windows, rate: float) -> list[str]:
    """Return a sentence for each station at which a pace was not kept."""
    said = []
    for station, row in windows["paced"].items():
        seconds = sum(each.seconds for each in row)
        reached = sum(each.messages for each in row)
        # As with people: a few are on their way at both ends of each window.
        if reached < REACHED * rate * seconds - 3 * math.sqrt(rate * seconds):
            pace = reached / seconds
            said.append(
                f"With {station.visitors} visitors only {pace:.1f} of {rate:g} "
                "messages a second were stored: a cost at another pace is no "
                "comparison. Ask for a lower --rate."
            )
    return said


def costs_of(rows: dict[str, list[Station]], windows: Windows) -> list[Cost]:
    """Return what each station's messages cost, beside the first one's of its row."""
    return [
        _cost(by, load, station, of[station], of[row[0]])
        for by, row in rows.items()
        for load, of in windows.items()
        for station in row
    ]


def _cost(
    by: str,
    load: str,
    station: Station,
    own: Sequence[Window],
    first: Sequence[Window],
) -> Cost:
    us = [window.us for window in own]
    ratios = [
        window.us / beside.us if beside.us else 0.0
        for window, beside in zip(own, first, strict=True)
    ]
    return Cost(
        by=by,
        load=load,
        visitors=station.visitors,
        messages=station.messages,
        us_per_message=round(median(us), 1),
        us_least=round(min(us), 1),
        us_most=round(max(us), 1),
        ratio=round(median(ratios), 3),
        ratio_least=round(min(ratios), 3),
        ratio_most=round(max(ratios), 3),
        per_s=round(median(each.messages / each.seconds for each in own), 1),
        messages_per_commit=round(
            median(each.messages / max(1.0, each.commits) for each in own), 1
        ),
        server_share=round(median(w.server_cpu_s / w.seconds for w in own), 2),
        generator_share=round(median(w.generator_cpu_s / w.seconds for w in own), 2),
    )


def verdicts_of(costs: Sequence[Cost]) -> dict[str, str]:
    """Return of each row and load whether it is flat; `dearer` is what may not be."""
    found: dict[str, list[float]] = {}
    for cost in costs:
        found.setdefault(f"{cost.by}, {cost.load}", []).append(cost.ratio)
    return {name: _verdict(ratios) for name, ratios in found.items()}


def _verdict(ratios: Sequence[float]) -> str:
    if max(ratios) > 1 + FLAT:
        return "dearer"
    return "flat" if min(ratios) >= 1 - FLAT else "cheaper"


# -- the history -----------------------------------------------------------------------


def path_of(data: Path, messages: int) -> Path:
    """Return the file with so many messages; `store` fills the same ones."""
    with opened("sqlite", data) as place:
        return Path(place.url_of(messages).partition(":///")[2])


async def _fill(data: Path, messages: int, progress: Progress) -> None:
    """Fill a file as `store` does, and bring its search index up."""
    path = path_of(data, messages)
    url = f"sqlite+aiosqlite:///{path}"
    await schema.upgrade(url)
    async with SqlStore(url, now=monotonic, now_ms=unix_ms) as store:
        await add_people(store)
        task = progress.add_task(f"fill {messages:,}", total=messages)
        filled = await fill(
            url, messages, progress=lambda done: progress.update(task, completed=done)
        )
        # Otherwise the server that is measured would do it meanwhile.
        await bring_up(store, filled, progress)
        await _report_up_to_now(store)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _report_up_to_now(store: Store) -> None:
    """Have the figures of reports taken for made: a server would make them for hours.

    It looks at what was active from two days before the newest day that it knows.
    """
    today = int(datetime.now(UTC).strftime("%Y%m%d"))
    known = await store.list_records(DayFigures, where={"day": today}, limit=1)
    if not known:
        number = IdGenerator(unix_ms).new()
        await store.put_records(DayFigures(id=number, site_id=1, day=today))
