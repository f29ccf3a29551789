"""Rounds of windows: one target after the other, on one database after the other."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import psutil
from rich.progress import Progress

from benchmarks.compare.ejabberd import EjabberdTarget
from benchmarks.compare.figures import (
    NOWHERE,
    Comparison,
    Cut,
    Idle,
    Window,
    ratios_of,
    rows_of,
    spread_of,
)
from benchmarks.compare.load import Report
from benchmarks.compare.talk import Talk
from benchmarks.compare.targets import (
    KefuTarget,
    Place,
    SocketIoTarget,
    Target,
    TargetMissingError,
    UnstoredTarget,
)
from benchmarks.databases import MariaDb, PrivateServer, ServerMissingError
from benchmarks.result import latency_of, machine, versions

TARGETS: dict[str, type[Target]] = {
    target.name: target
    for target in (KefuTarget, SocketIoTarget, UnstoredTarget, EjabberdTarget)
}
OTHERS = tuple(name for name in TARGETS if name != KefuTarget.name)
DATABASES = ("sqlite", "mariadb")
WARM_UP_PEOPLE = 20
SETTLE_S = 1.0
CUT_EVERY_S = 1.0
CUT_REST_S = 3.0
STALL_S = 30.0
"""How long a window waits for the first message that is delivered in it."""


class CompareOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `compare` is asked to do."""

    visitors: int = 300
    agents: int = 30
    seconds: float = 8.0
    rounds: int = 5
    targets: tuple[str, ...] = tuple(TARGETS)
    databases: tuple[str, ...] = DATABASES
    idle: int = 500
    """Connections at rest; 0 leaves their memory out."""
    cuts: int = 10
    """Times a tenth of the people is cut off; 0 leaves that out."""
    warm_up_s: float = 2.0
    rate: float = 200.0
    """Messages a second while people are cut off."""
    command: str = ""


class FailedError(Exception):
    """A target did not do its work; says what was missing."""


def run_compare(options: CompareOptions, progress: Progress) -> Comparison:
    """Run every window; returns what was found."""
    return _Run(options, progress).run()


class _Run:
    def __init__(self, options: CompareOptions, progress: Progress) -> None:
        self.options = options
        self.progress = progress
        self.task = progress.add_task("start")
        self.windows: list[Window] = []
        self.idles: list[Idle] = []
        self.cuts: list[Cut] = []
        self.failed: dict[str, str] = {}
        self.missing: dict[str, str] = {}
        self.servers: dict[str, PrivateServer | None] = {}
        self.count = 0

    def run(self) -> Comparison:
        options, facts = self.options, machine()
        targets = self._targets()
        with tempfile.TemporaryDirectory(prefix="kefu-compare-") as name:
            self.home = Path(name)
            with ExitStack() as stack:
                self._open_databases(stack)
                work = self._work(targets)
                total = len(work) * options.rounds
                self.progress.update(self.task, total=total)
                for number in range(options.rounds):
                    # In turn forwards and backwards: nobody is always the first.
                    for target, database in work[:: -1 if number % 2 else 1]:
                        self._measure(target, database, number)
                        self.progress.update(self.task, advance=1)
                if options.cuts:
                    for target, database in work:
                        self._cut(target, database)
        windows = [w for w in self.windows if _label(w) not in self.failed]
        idle: dict[str, list[float]] = {}
        for each in self.idles:
            idle.setdefault(each.target, []).append(each.kib_per_connection)
        return Comparison(
            rows=rows_of(windows, {t.name for t in targets if t.stores}),
            ratios=ratios_of(windows),
            idle_kib_per_connection={k: spread_of(v) for k, v in idle.items()},
            cuts=[cut for cut in self.cuts if _label(cut) not in self.failed],
            failed=self.failed,
            missing=self.missing,
            windows=windows,
            options=msgspec.to_builtins(options),
            machine=facts,
            versions=versions(),
            command=options.command,
        )

    def _targets(self) -> list[type[Target]]:
        found = []
        for name in self.options.targets:
            try:
                TARGETS[name].check()
            except TargetMissingError as missing:
                self.missing[name] = str(missing)
            else:
                found.append(TARGETS[name])
        return found

    def _open_databases(self, stack: ExitStack) -> None:
        for name in self.options.databases:
            try:
                server = stack.enter_context(MariaDb()) if name == "mariadb" else None
            except ServerMissingError as missing:
                self.missing[name] = str(missing)
            else:
                self.servers[name] = server

    def _work(self, targets: list[type[Target]]) -> list[tuple[type[Target], str]]:
        work = [(t, database) for database in self.servers for t in targets if t.stores]
        return [*work, *((t, NOWHERE) for t in targets if not t.stores)]

    # -- one of each -------------------------------------------------------------------

    def _measure(self, kind: type[Target], database: str, number: int) -> None:
        with self._noting(kind, database):
            with self._started(kind, database) as target:
                self.windows.append(self._window(target, database, number))
            # Memory does not depend on where nothing is being written.
            if self.options.idle and database in (*list(self.servers)[:1], NOWHERE):
                with self._started(kind, database) as target:
                    self.idles.append(self._idle(target, number))

    @contextmanager
    def _noting(self, kind: type[Target], database: str) -> Iterator[None]:
        """Note what breaks as a failure of the target; it is not tried again."""
        self.progress.update(self.task, description=f"{kind.name}, {database}")
        try:
            yield
        except Exception as error:  # Whatever it is: the others are measured still.
            self.failed[f"{kind.name} on {database}"] = str(error) or repr(error)

    @contextmanager
    def _started(self, kind: type[Target], database: str) -> Iterator[Target]:
        self.count += 1
        home = self.home / f"run{self.count}"
        home.mkdir()
        place = Place(home, self.servers.get(database), f"run{self.count}")
        try:
            target = kind(place)
            with target.process:
                yield target
        finally:
            place.drop()

    def _window(self, target: Target, database: str, number: int) -> Window:
        options = self.options
        plan = target.plan(options.visitors, options.agents)
        with Talk(plan, target.place.home) as talk:
            talk.hear("ready")
            talk.say("go")
            time.sleep(options.warm_up_s)
            before, cpu_before = talk.ask("measure"), self._cpu_s(target)
            time.sleep(options.seconds)
            after, cpu_after = talk.ask("mark"), self._cpu_s(target)
            while (
                after.delivered == before.delivered and after.at < before.at + STALL_S
            ):
                time.sleep(0.1)
                after, cpu_after = talk.ask("mark"), self._cpu_s(target)
            talk.say("stop")
            done = talk.hear("done")
        delivered = after.delivered - before.delivered
        acknowledged = after.acknowledged - before.acknowledged
        self._check(target, done, delivered)
        seconds = after.at - before.at
        latency = latency_of(sorted(done.latencies_ms))
        server_s, database_s = (
            b - a for a, b in zip(cpu_before, cpu_after, strict=True)
        )
        return Window(
            target=target.name,
            database=database,
            round=number,
            delivered=delivered,
            delivered_per_s=delivered / seconds,
            acknowledged_per_s=acknowledged / seconds,
            server_us=server_s / delivered * 1e6,
            database_us=database_s / delivered * 1e6,
            p50_ms=latency.p50,
            p99_ms=latency.p99,
            server_share=server_s / seconds,
            generator_share=(after.cpu_s - before.cpu_s) / seconds,
        )

    def _check(self, target: Target, done: Report, delivered: int) -> None:
        """Raise `FailedError` unless everything said was stored and delivered."""
        if done.errors:
            raise FailedError(f"errors: {done.errors}")
        if not delivered:
            raise FailedError("no message was delivered")
        if done.unanswered or done.lost or done.doubled:
            raise FailedError(
                f"of {done.sent} messages {done.unanswered} were never acknowledged, "
                f"{done.lost} lost, {done.doubled} shown twice"
            )
        if target.stores and (stored := target.stored()) != done.acknowledged:
            raise FailedError(f"{stored} of {done.acknowledged} messages are stored")

    def _cpu_s(self, target: Target) -> tuple[float, float]:
        """Return the CPU seconds of the server and of the database's server."""
        database = 0.0
        if target.place.server is not None:
            times = psutil.Process(target.place.server.pid).cpu_times()
            database = times.user + times.system
        return target.process.cpu_s(), database

    def _idle(self, target: Target, number: int) -> Idle:
        server, home = target.process, target.place.home
        count = self.options.idle
        plan = target.plan(WARM_UP_PEOPLE + count, 0)
        names = list(plan.visitors.items())
        # The first connections load code and caches that are not any connection's.
        first, rest = dict(names[:WARM_UP_PEOPLE]), dict(names[WARM_UP_PEOPLE:])
        with Talk(msgspec.structs.replace(plan, visitors=first), home, "first") as talk:
            talk.hear("ready")
        time.sleep(SETTLE_S)
        empty = server.rss_bytes()
        with Talk(msgspec.structs.replace(plan, visitors=rest), home, "rest") as talk:
            talk.hear("ready")
            time.sleep(SETTLE_S)
            used = server.rss_bytes() - empty
        return Idle(
            target=target.name, round=number, kib_per_connection=used / count / 1024
        )

    def _cut(self, kind: type[Target], database: str) -> None:
        """Cut people off while they talk, with and without what the target has."""
        if f"{kind.name} on {database}" in self.failed:
            return
        for keeps in kind.ways_back:
            with (
                self._noting(kind, database),
                self._started(kind, database) as target,
            ):
                self.cuts.append(self._cut_once(target, database, keeps=keeps))

    def _cut_once(self, target: Target, database: str, *, keeps: bool) -> Cut:
        options = self.options
        plan = msgspec.structs.replace(
            target.plan(options.visitors, options.agents),
            rate=options.rate,
            keeps=keeps,
            rest_s=CUT_REST_S,
        )
        with Talk(plan, target.place.home) as talk:
            talk.hear("ready")
            talk.say("go")
            for _ in range(options.cuts):
                time.sleep(CUT_EVERY_S)
                talk.say("cut")
            time.sleep(CUT_EVERY_S)
            talk.say("stop")
            done = talk.hear("done")
        if done.away or not done.acknowledged:
            raise FailedError(f"{done.away} did not come back: {done.errors}")
        return Cut(
            target=target.name,
            database=database,
            keeps=keeps,
            cuts=done.cuts,
            sent=done.sent,
            acknowledged=done.acknowledged,
            lost=done.lost,
            doubled=done.doubled,
            unanswered=done.unanswered,
            errors=done.errors,
        )


def _label(found: Window | Cut) -> str:
    return f"{found.target} on {found.database}"
