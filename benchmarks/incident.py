"""`incident`: everything that goes wrong in real life at once, for as long as asked."""

import contextlib
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import msgspec
import psutil
from rich.progress import Progress

from benchmarks.databases import PrivateServer
from benchmarks.everybody import PeopleReport
from benchmarks.judge import Verdict, upper_bound
from benchmarks.network import DROPS, NetworkPlan
from benchmarks.result import bounds, machine, versions
from benchmarks.scene import SceneOptions, prepared
from benchmarks.story import waits_of

SILENCE_MAX_S = 60.0
"""A connected client hears something every 25 s, or knows after 50 that it is cut."""
STALL_S = 2.0
SHIFT_MAX_S = 1_800.0


class IncidentOptions(SceneOptions, frozen=True, kw_only=True):
    """What `incident` is asked to do; times in seconds, on the average."""

    visitors: int = 500
    seconds: float = 600.0
    stall_every_s: float = 60.0
    network: NetworkPlan = NetworkPlan()
    environ: dict[str, str] = msgspec.field(default_factory=dict)
    """More settings of the server: shorter heartbeats, for one."""


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to."""

    found: dict[str, object]
    verdict: Verdict
    failures: list[str]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong with kefu, nor with the run."""
        return self.verdict.passed and not self.failures


class Stalls:
    """Lets the database stand still now and then; of SQLite, its one writer."""

    def __init__(
        self, options: IncidentOptions, database: PrivateServer | None, path: str
    ) -> None:
        """Take a private server, or the path of an SQLite file."""
        self._rng = random.Random(f"{options.seed} stalls")
        self._every_s = options.stall_every_s
        self._database, self._path = database, path
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.count = 0
        self.error = ""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(self._every_s * self._rng.uniform(0.5, 1.5)):
            try:
                with self._stall():
                    time.sleep(STALL_S)
            except (sqlite3.Error, psutil.Error, OSError) as error:
                self.error = f"The database could not be stalled: {error}"
                return
            self.count += 1

    @contextmanager
    def _stall(self) -> Iterator[None]:
        if self._database is not None:
            with self._database.stalled():
                yield
            return
        near = sqlite3.connect(self._path, timeout=30.0, isolation_level=None)
        with contextlib.closing(near):
            near.execute("BEGIN IMMEDIATE")
            yield
            near.execute("ROLLBACK")


class _Shown:
    """The line of progress."""

    def __init__(self, progress: Progress, seconds: float) -> None:
        self._progress = progress
        self._task = progress.add_task("incident", total=seconds)
        self._began = time.monotonic()

    def __call__(self, report: PeopleReport) -> None:
        self._progress.update(
            self._task,
            completed=time.monotonic() - self._began,
            description=f"{report.talks} conversations, {report.live} of "
            f"{report.people} connected, {report.acknowledged} acknowledged, "
            f"{sum(report.faults.values())} faults, {report.over} judged",
        )


def run_incident(options: IncidentOptions, progress: Progress) -> Incident:
    """Let people live through it; judge each conversation, and all of them at last.

    Raises:
        RunError, TargetError: The run says nothing about kefu, or the server is broken.
        ServerMissingError: The database's programs are not installed.
    """
    on = machine()  # Its load is to be that before the run.
    with prepared(
        options,
        shift_max_s=SHIFT_MAX_S,
        ramp_s=options.seconds / 5,
        network=options.network,
    ) as scene:
        server, court = scene.server, scene.court
        server.environ |= options.environ
        path = "" if scene.database is not None else server.database_path
        shown = _Shown(progress, options.seconds)
        with server:
            with scene.story() as story:
                with Stalls(options, scene.database, path) as stalls:
                    story.run(time.monotonic() + options.seconds, shown)
                last = story.finish(shown)
            failures = story.shortcomings(last)
            if not server.is_able():
                failures.append("The server says that it cannot work (/readyz).")
        failures += scene.look_again()
        failures += [stalls.error] if stalls.error else []
        if not stalls.count:
            failures.append("The database never stood still: that was not tried.")
        if not any(last.faults.get(kind) for kind in DROPS):
            failures.append("No connection was dropped: that was not tried.")
    if last.silence_s > SILENCE_MAX_S:
        failures.append(f"{last.silent} heard nothing for {last.silence_s:.1f} s.")
    verdict = court.verdict
    if not verdict.counts.acknowledged:
        failures.append("Nothing was acknowledged: there is nothing to judge.")
    found = _figures(options, last, verdict, stalls.count, story.full_mib)
    own_mib = psutil.Process().memory_info().rss / 2**20
    found |= {"judge_memory_mib": round(own_mib, 1), "machine": on}
    return Incident(found=found, verdict=verdict, failures=failures)


def _figures(
    options: IncidentOptions,
    last: PeopleReport,
    verdict: Verdict,
    stalls: int,
    first_mib: float,
) -> dict[str, object]:
    faults = last.faults | {"stalled database": stalls}
    beside = {
        f"per_{kind.replace(' ', '_')}": upper_bound(count)
        for kind, count in faults.items()
        if count
    }
    return {
        "seed": options.seed,
        "database": options.database,
        "seconds": options.seconds,
        "visitors": options.visitors,
        "conversations": last.over,
        "sent": verdict.counts.sent,
        "acknowledged": verdict.counts.acknowledged,
        "shown": verdict.counts.shown,
        "faults_done": faults,
        "connections_ended": last.closes,
        "longest_silence_s": round(last.silence_s, 1),
        "longest_silence_of": last.silent,
        "longest_away_s": round(last.away_s, 1),
        "to_the_other_side_s": waits_of(last),
        "people_late_s": round(last.late_s, 2),
        "people_memory_mib": [round(first_mib, 1), round(last.memory_mib, 1)],
        "bounds_95": bounds(verdict) | beside,
        "faults": verdict.faults,
        "versions": versions(),
        "command": options.command,
    }
