"""`crash`: kills server or database under load, again and again; the judge looks."""

import contextlib
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from rich.progress import Progress

from benchmarks.crowd import Crowd, generator_count, make_plans
from benchmarks.databases import SERVERS, PrivateServer
from benchmarks.history import Record, read_history
from benchmarks.judge import Verdict, judge
from benchmarks.mix import spread
from benchmarks.plan import Report
from benchmarks.result import (
    Result,
    bounds,
    latency_of,
    machine,
    messages_of,
    versions,
)
from benchmarks.rows import load_rows
from benchmarks.target import RAISED_LIMITS, Kefu

UP_MIN_S, UP_MAX_S = 0.2, 3.0
"""A kill comes so long after the server was ready."""
AIM_S = 0.5
"""Half of the kills wait this long at most for a commit to begin."""
HEAL_MAX_S = 60.0
FIRST_LOAD_S = 1.0
LAST_LOAD_S = 1.0


class CrashOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `crash` is asked to do."""

    target: str = "server"
    """`server`: kefu; `database`: the database's own server, which must be `url`'s."""
    url: str = "sqlite"
    """`sqlite`, or a private server of `benchmarks.databases`: `mysql`, `postgres`."""
    kills: int = 5
    clients: int = 100
    transport: str = "websocket"
    mix: dict[str, float] = {}
    """Share of the visitors by transport; empty: all use `transport`, as agents do."""
    server: str = "hypercorn"
    """The ASGI server that kefu runs on."""
    rate: float = 300.0
    signal: str = "kill"
    """`kill`: SIGKILL; `term`: SIGTERM, a graceful stop."""
    seed: int = 0
    waits_for_all: bool = False
    """End the server only when everybody is connected again."""
    command: str = ""
    keep: str = ""
    """A folder to keep histories and database in; empty: removed."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One end of the server and its return."""

    up_s: float
    """Between ready and the signal."""
    is_aimed: bool
    """The signal was sent when the log of the database had just changed."""
    exit_status: int
    stop_s: float
    """From the signal to the end of the process."""
    ready_s: float
    """From the start of the next process until it accepted."""
    healed_s: float | None = None
    """Of a database: from when it answered again until kefu said that it can work."""


class CrashOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of crashes left."""

    verdict: Verdict
    audit: list[str]
    """What `kefu audit` found afterwards."""
    rounds: list[Round]
    before: Report
    last: Report
    seconds: float


def run_crash(options: CrashOptions, progress: Progress) -> CrashOutcome:
    """Load, end and restart the server so many times; judge what is left."""
    stack = contextlib.ExitStack()
    with stack, tempfile.TemporaryDirectory(prefix="kefu-crash-") as name:
        directory = Path(options.keep or name)
        directory.mkdir(parents=True, exist_ok=True)
        database = stack.enter_context(_database(options.url))
        url = database.create("kefu") if database is not None else ""
        server = Kefu(directory, database_url=url, server=options.server)
        tabs = options.clients // 5
        agents = server.add_agents(max(1, options.clients // 5))
        visitors = max(1, options.clients - tabs - len(agents))
        with server:
            plans = make_plans(
                server,
                directory,
                visitors=visitors,
                agents=agents,
                transport=options.transport,
                transports=spread(options.mix, visitors) if options.mix else (),
                rate=options.rate,
                second_tabs=tabs,
                processes=generator_count(),
            )
            with Crowd(plans, directory) as crowd:
                crowd.hear("ready")
                crowd.say("go")
                time.sleep(FIRST_LOAD_S)
                before = crowd.ask("measure")
                rounds = _rounds(options, server, database, crowd, progress)
                time.sleep(LAST_LOAD_S)
                crowd.say("stop")
                stopped = crowd.hear("stopped")
                last = crowd.hear("done")
        records: list[Record] = []
        for path in crowd.histories:
            records += read_history(path)
        verdict = judge(records, load_rows(server.database_url))
        audit = server.audit()
    return CrashOutcome(
        verdict=verdict,
        audit=audit,
        rounds=rounds,
        before=before,
        last=last,
        seconds=stopped.at - before.at,
    )


@contextlib.contextmanager
def _database(name: str) -> Iterator[PrivateServer | None]:
    """Run the private server of a name; nothing for `sqlite`."""
    if name == "sqlite":
        yield None
        return
    with SERVERS[name]() as server:
        yield server


def _rounds(
    options: CrashOptions,
    server: Kefu,
    database: PrivateServer | None,
    crowd: Crowd,
    progress: Progress,
) -> list[Round]:
    rng = random.Random(options.seed)
    rounds = []
    task = progress.add_task(f"{options.signal} and restart", total=options.kills)
    for number in range(options.kills):
        up_s = rng.uniform(UP_MIN_S, UP_MAX_S)
        back_s = 0.0
        if options.waits_for_all:
            back_s = _await_everybody(crowd)
        time.sleep(up_s)
        up_s += back_s
        if options.target == "database":
            assert database is not None, "there is a database to kill"
            rounds.append(_end_database(server, database, up_s))
        else:
            is_aimed = number % 2 == 1 and options.signal == "kill" and not database
            rounds.append(_end_server(server, up_s, options.signal, is_aimed=is_aimed))
        progress.advance(task)
    return rounds


def _end_server(server: Kefu, up_s: float, signal: str, *, is_aimed: bool) -> Round:
    if is_aimed:
        _await_commit(server)
    started = time.monotonic()
    status = server.kill() if signal == "kill" else server.stop()
    stop_s = time.monotonic() - started
    ready_s = server.start()
    return Round(
        up_s=round(up_s, 3),
        is_aimed=is_aimed,
        exit_status=status,
        stop_s=round(stop_s, 3),
        ready_s=round(ready_s, 3),
    )


def _end_database(server: Kefu, database: PrivateServer, up_s: float) -> Round:
    started = time.monotonic()
    database.kill()
    killed = time.monotonic()
    database.start()
    answered = time.monotonic()
    while not server.is_able() and time.monotonic() - answered < HEAL_MAX_S:
        time.sleep(0.05)
    return Round(
        up_s=round(up_s, 3),
        is_aimed=False,
        exit_status=-9,
        stop_s=round(killed - started, 3),
        ready_s=round(answered - killed, 3),
        healed_s=round(time.monotonic() - answered, 3),
    )


def _await_everybody(crowd: Crowd) -> float:
    """Return when everybody was answered on a live connection; how long that took."""
    started = time.monotonic()
    crowd.say("back")
    crowd.hear("live")
    crowd.hear("back")
    return time.monotonic() - started


def _await_commit(server: Kefu) -> None:
    """Return in the middle of a group commit: when its first page was just written."""
    log = Path(server.database_path + "-wal")
    seen, give_up_at = _changed_at(log), time.monotonic() + AIM_S
    while _changed_at(log) == seen and time.monotonic() < give_up_at:
        pass  # A sleep would be longer than a commit.


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def result_of(options: CrashOptions, outcome: CrashOutcome) -> Result:
    """Return the outcome in the form of every benchmark."""
    verdict, last = outcome.verdict, outcome.last
    delivered = last.delivered - outcome.before.delivered
    stored = last.acknowledged - outcome.before.acknowledged
    return Result(
        messages=messages_of(verdict, last.delivered),
        delivered_per_s=round(delivered / outcome.seconds, 1),
        stored_per_s=round(stored / outcome.seconds, 1),
        latency_ms=latency_of(last.latencies_ms),
        server_cpu_us_per_message=None,
        echo_cpu_us_per_message=None,
        cpu_ratio=None,
        idle_kib_per_connection=None,
        generator_limited=False,
        machine=machine(),
        versions=versions(),
        command=options.command,
        details={
            "rounds": msgspec.to_builtins(outcome.rounds),
            "behind_at_the_end": last.behind,
            "connections_ended": last.closes,
            "raised_limits": RAISED_LIMITS,
            "bounds_95": bounds(verdict, kills=options.kills),
            "faults": verdict.faults,
            "audit": outcome.audit,
            "seed": options.seed,
        },
    )
