"""`soak`: what grows in a server over hours in which people come and go."""

import contextlib
import http.client
import os
import secrets
import time
from pathlib import Path

import msgspec
import psutil
from prometheus_client.parser import text_string_to_metric_families
from rich.progress import Progress

from benchmarks.databases import PrivateServer
from benchmarks.everybody import PeopleReport
from benchmarks.judge import Verdict
from benchmarks.network import NetworkPlan
from benchmarks.ports import HOST
from benchmarks.result import bounds, machine, versions
from benchmarks.scene import SceneOptions, prepared
from benchmarks.slope import BLOCKS_MIN, Slope, slope_of
from benchmarks.story import RunError
from benchmarks.target import Kefu

MIB = 2**20
SHIFT_MAX_S = 600.0
AFTER_S = 120.0
"""A poll session whose client is gone lives for 75 s."""
LINGER_S = 6.0
"""The HTTP server notices after 5 s that who asked last, the probe too, has left."""
TIMEOUT_S = 15.0
FIGURES = ("memory_mib", "tasks", "files", "threads", "database_connections")
HARMLESS_PER_H = {"memory_mib": 2.0}
"""What may grow in an hour without being called a leak; of all others, one."""
AFTER_MORE = {"tasks": 0, "connections": 0, "files": 20}
"""What may be more after all have left than before anybody came. Connections to the
database are opened when they are first needed and kept; each has up to three files."""


class SoakOptions(SceneOptions, frozen=True, kw_only=True):
    """What `soak` is asked to do; times in seconds."""

    visitors: int = 300
    seconds: float = 3_600.0
    warm_up_s: float = 600.0
    every_s: float = 5.0
    has_faults: bool = False
    """Behind the network of `incident`."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The server at one moment."""

    at_s: float
    memory_mib: float
    tasks: float
    files: float
    threads: float
    database_connections: float
    connections: float
    """Of clients."""


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one figure."""

    figure: str
    slope: Slope
    is_leak: bool
    text: str


class Soak(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to."""

    found: dict[str, object]
    growths: list[Growth]
    verdict: Verdict
    failures: list[str]

    @property
    def passed(self) -> bool:
        """Whether nothing grows, nothing is lost, and the run is what was asked for."""
        leaks = [growth for growth in self.growths if growth.is_leak]
        return self.verdict.passed and not self.failures and not leaks


class Probe:
    """Looks at a server from outside, and reads what it says of itself."""

    def __init__(self, server: Kefu, database: PrivateServer | None) -> None:
        """Make a secret for `/metrics`; to be called before the server starts."""
        self._secret = secrets.token_urlsafe(24)
        self._server = server
        self._database = database
        self._began = time.monotonic()
        server.environ["KEFU_METRICS_TOKEN"] = self._secret

    def take(self) -> Sample:
        """Return how it is now. Raises `RunError` if it does not say."""
        figures = self.figures()
        process = psutil.Process(self._server.pid)
        return Sample(
            at_s=round(time.monotonic() - self._began, 2),
            memory_mib=process.memory_info().rss / MIB,
            tasks=figures["kefu_tasks"],
            files=process.num_fds(),
            threads=process.num_threads(),
            database_connections=self._database_connections(process),
            # By transport; of none before the first client.
            connections=figures.get("kefu_connections", 0.0),
        )

    def figures(self) -> dict[str, float]:
        """Return what it says itself, in sums. Raises `RunError` if it does not."""
        near = http.client.HTTPConnection(HOST, self._server.port, timeout=TIMEOUT_S)
        headers = {"Authorization": f"Bearer {self._secret}"}
        with contextlib.closing(near):
            try:
                near.request("GET", "/metrics", headers=headers)
                answer = near.getresponse()
                text = answer.read().decode()
            except (OSError, http.client.HTTPException) as error:
                raise RunError(f"/metrics is not answered: {error!r}") from error
        if answer.status != 200:
            raise RunError(f"/metrics is answered {answer.status}.")
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found

    def _database_connections(self, process: psutil.Process) -> int:
        if self._database is not None:
            port = self._database.port
            return sum(
                bool(each.raddr) and each.raddr.port == port
                for each in process.net_connections("tcp")
            )
        path, count = self._server.database_path, 0
        folder = Path(f"/proc/{process.pid}/fd")
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                count += os.readlink(folder / name) == path
        return count


class _Sampler:
    """Takes a sample now and then while the people are shown."""

    def __init__(
        self, probe: Probe, options: SoakOptions, progress: Progress, began: float
    ) -> None:
        self.samples: list[Sample] = []
        self._probe, self._options, self._began = probe, options, began
        self._due = began
        self._progress = progress
        self._task = progress.add_task("soak", total=options.seconds)

    def __call__(self, report: PeopleReport) -> None:
        at = time.monotonic()
        if at >= self._due:
            self._due += self._options.every_s
            self.samples.append(self._probe.take())
        last = self.samples[-1]
        self._progress.update(
            self._task,
            completed=at - self._began,
            description=f"{report.live} connected, {report.over} conversations over, "
            f"{last.memory_mib:.1f} MiB, {last.tasks:.0f} tasks",
        )


def run_soak(options: SoakOptions, progress: Progress) -> Soak:
    """Let people come and go; look what grows.

    Raises:
        RunError, TargetError: The run says nothing about kefu, or the server is broken.
        ServerMissingError: The database's programs are not installed.
    """
    on = machine()  # Its load is to be that before the run.
    with prepared(
        options,
        shift_max_s=SHIFT_MAX_S,
        ramp_s=options.warm_up_s / 2,
        network=NetworkPlan() if options.has_faults else None,
    ) as scene:
        server, court = scene.server, scene.court
        probe = Probe(server, scene.database)
        with server:
            before = probe.take()
            began = time.monotonic()
            sampler = _Sampler(probe, options, progress, began)
            with scene.story() as story:
                story.run(began + options.seconds, sampler)
                samples = list(sampler.samples)
                last = story.finish(sampler)
            failures = story.shortcomings(last)
            after = _settled(probe, before)
            failures += left_over(before, after)
        failures += scene.look_again()
    warm_at = before.at_s + options.warm_up_s
    growths = grown([sample for sample in samples if sample.at_s >= warm_at])
    return Soak(
        found={
            "seed": options.seed,
            "database": options.database,
            "seconds": options.seconds,
            "warm_up_s": options.warm_up_s,
            "visitors": options.visitors,
            "conversations": last.over,
            "acknowledged": last.acknowledged,
            "faults_done": last.faults,
            "before": before,
            "after": after,
            "growth": growths,
            "faults": court.verdict.faults,
            "bounds_95": bounds(court.verdict),
            "machine": on,
            "versions": versions(),
            "command": options.command,
            "samples": samples,
        },
        growths=growths,
        verdict=court.verdict,
        failures=failures,
    )


def _settled(probe: Probe, before: Sample) -> Sample:
    """Return how it is once all have left: as before, or at the end of patience."""
    give_up_at = time.monotonic() + AFTER_S
    time.sleep(LINGER_S)
    while left_over(before, after := probe.take()) and time.monotonic() < give_up_at:
        time.sleep(LINGER_S)
    return after


def left_over(before: Sample, after: Sample) -> list[str]:
    """Return what is still there although all have left."""
    found = []
    for figure, more in AFTER_MORE.items():
        was, now = getattr(before, figure), getattr(after, figure)
        if now > was + more:
            text = (
                f"{now:.0f} {figure} after all have left, {was:.0f} before they came."
            )
            found.append(text)
    return found


def grown(samples: list[Sample]) -> list[Growth]:
    """Return how each figure grew after the warm-up.

    Raises:
        RunError: There are too few samples to say.
    """
    if len(samples) < BLOCKS_MIN:
        raise RunError(
            f"{len(samples)} samples after the warm-up say nothing of growth; "
            f"{BLOCKS_MIN} are the least."
        )
    return [_grown(figure, samples) for figure in FIGURES]


def _grown(figure: str, samples: list[Sample]) -> Growth:
    slope = slope_of(
        [sample.at_s for sample in samples],
        [getattr(sample, figure) for sample in samples],
        [sample.connections for sample in samples],
        figures=len(FIGURES),
    )
    harmless = HARMLESS_PER_H.get(figure, 1.0)
    interval = f"95 %: {slope.low_per_h:+.3g} to {slope.high_per_h:+.3g} an hour"
    is_leak = slope.low_per_h > 0.0 and slope.high_per_h > harmless
    if is_leak:
        text = f"LEAK: {slope.per_h:+.3g} an hour ({interval})"
    elif not slope.is_distinguishable:
        text = f"not distinguishable from zero ({interval})"
    elif slope.per_h < 0.0:
        text = f"shrinks ({interval})"
    else:
        text = f"grows by less than {harmless:g} an hour ({interval})"
    return Growth(figure=figure, slope=slope, is_leak=is_leak, text=text)
