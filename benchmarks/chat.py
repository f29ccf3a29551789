"""`chat`: how fast, and how dear, a durable message is."""

import tempfile
import time
from pathlib import Path

import msgspec
from rich.progress import Progress

from benchmarks.crowd import Crowd, generator_count, make_plans
from benchmarks.history import Record, read_history
from benchmarks.idle import measure_idle
from benchmarks.judge import Verdict, judge
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
from benchmarks.texts import load_texts
from benchmarks.yardstick import EchoResult, measure_echo

WARM_UP_S = 2.0
SATURATED = 0.9
"""Share of one core above which a single-threaded process is the limit."""
FRAME_OVERHEAD_BYTES = 70
"""A `send` frame without its text: tags, key, ids."""


class ChatOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `chat` is asked to do."""

    transport: str = "websocket"
    server: str = "hypercorn"
    """The ASGI server that kefu runs on."""
    visitors: int = 300
    agents: int = 30
    seconds: float = 15.0
    rate: float = 0.0
    idle: int = 500
    """Idle connections to measure the memory with; 0 leaves it out."""
    processes: int = 0
    """Generator processes; 0: one for each core but the server's."""
    profile: str = ""
    """A file for py-spy's record of the server during the measured time."""
    profile_options: tuple[str, ...] = ("--gil",)
    """What else py-spy is told."""
    wrapper: tuple[str, ...] = ()
    """A command to run the server under, while people talk."""
    command: str = ""


class _Window(msgspec.Struct, frozen=True, kw_only=True):
    """The measured seconds."""

    before: Report
    after: Report
    server_cpu_s: float
    threads_cpu_s: dict[int, float]
    """Of the server: each thread, by its number."""
    loop_cpu_s: float
    """Of the server: the thread of the event loop; the rest is the database's."""

    @property
    def seconds(self) -> float:
        return self.after.at - self.before.at

    @property
    def delivered(self) -> int:
        return self.after.delivered - self.before.delivered

    @property
    def stored(self) -> int:
        return self.after.acknowledged - self.before.acknowledged

    @property
    def requests(self) -> int:
        return self.after.requests - self.before.requests

    @property
    def generator_share(self) -> float:
        return (self.after.cpu_s - self.before.cpu_s) / self.seconds

    @property
    def server_share(self) -> float:
        return self.server_cpu_s / self.seconds


def run_chat(options: ChatOptions, progress: Progress) -> tuple[Result, Verdict]:
    """Measure the echo, the talk and the idle memory; judge the talk."""
    facts = machine()
    with tempfile.TemporaryDirectory(prefix="kefu-benchmark-") as name:
        directory = Path(name)
        total = options.seconds * 2 + WARM_UP_S
        task = progress.add_task("echo", total=total)
        echo = measure_echo(
            directory,
            options.transport,
            connections=options.visitors,
            seconds=options.seconds,
            frame_bytes=FRAME_OVERHEAD_BYTES + _text_bytes(),
            server=options.server,
        )
        progress.update(task, advance=options.seconds, description="talk")
        window, rest, verdict = _talk(options, directory, progress, task)
        progress.update(task, completed=total, description="idle memory")
        idle = _idle(options, directory)
        progress.update(task, description="done")
    return _result(options, facts, echo, window, rest, idle, verdict), verdict


def _text_bytes() -> int:
    texts = load_texts()
    return sum(len(text.encode()) for text in texts) // len(texts)


def _talk(
    options: ChatOptions, directory: Path, progress: Progress, task: object
) -> tuple[_Window, Report, Verdict]:
    home = directory / "talk"
    home.mkdir()
    server = Kefu(home, server=options.server, wrapper=list(options.wrapper))
    agents = server.add_agents(options.agents)
    with server:
        plans = make_plans(
            server,
            home,
            visitors=options.visitors,
            agents=agents,
            transport=options.transport,
            rate=options.rate,
            processes=options.processes or generator_count(),
        )
        with Crowd(plans, home) as crowd:
            crowd.hear("ready")
            crowd.say("go")
            time.sleep(WARM_UP_S)
            window = _measure(options, server, crowd, progress, task)
            crowd.say("stop")
            rest = crowd.hear("done")
    records: list[Record] = []
    for path in crowd.histories:
        records += read_history(path)
    return window, rest, judge(records, load_rows(server.database_url))


def _measure(
    options: ChatOptions,
    server: Kefu,
    crowd: Crowd,
    progress: Progress,
    task: object,
) -> _Window:
    before = crowd.ask("measure")
    cpu_before, threads_before = server.cpu_s(), server.threads_cpu_s()
    with server.profiled(options.profile, options.seconds, options.profile_options):
        end = time.monotonic() + options.seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(0.5, left))
            progress.advance(task, min(0.5, left))  # type: ignore[arg-type]
        after = crowd.ask("mark")
        cpu_after, threads_after = server.cpu_s(), server.threads_cpu_s()
    threads = {
        number: used - threads_before.get(number, 0.0)
        for number, used in threads_after.items()
    }
    return _Window(
        before=before,
        after=after,
        server_cpu_s=cpu_after - cpu_before,
        threads_cpu_s=threads,
        loop_cpu_s=threads.get(server.pid, 0.0),
    )


def _idle(options: ChatOptions, directory: Path) -> float | None:
    if not options.idle:
        return None
    home = directory / "idle"
    home.mkdir()
    with Kefu(home, server=options.server) as server:
        idle = measure_idle(options.transport, server, options.idle)
        return idle.kib_per_connection


def _result(
    options: ChatOptions,
    facts: dict[str, str | int | float],
    echo: EchoResult,
    window: _Window,
    rest: Report,
    idle: float | None,
    verdict: Verdict,
) -> Result:
    server_us = window.server_cpu_s / max(1, window.delivered) * 1e6
    exchanges = window.requests / max(1, window.delivered)
    # Long poll is measured against the HTTP exchanges that it made.
    is_polling = options.transport == "longpoll"
    floor_us = echo.cpu_us * (exchanges if is_polling else 1.0)
    return Result(
        messages=messages_of(verdict, rest.delivered),
        delivered_per_s=round(window.delivered / window.seconds, 1),
        stored_per_s=round(window.stored / window.seconds, 1),
        latency_ms=latency_of(rest.latencies_ms),
        server_cpu_us_per_message=round(server_us, 1),
        echo_cpu_us_per_message=round(echo.cpu_us, 1),
        cpu_ratio=round(server_us / floor_us, 2),
        idle_kib_per_connection=None if idle is None else round(idle, 1),
        generator_limited=window.generator_share >= SATURATED > window.server_share,
        machine=facts,
        versions=versions(),
        command=options.command,
        exchanges_per_message=round(exchanges, 2) if is_polling else None,
        details={
            "transport": options.transport,
            "server": options.server,
            "server_share_of_a_core": round(window.server_share, 3),
            "event_loop_cpu_us_per_message": round(
                window.loop_cpu_s / max(1, window.delivered) * 1e6, 1
            ),
            "threads_cpu_us_per_message": {
                number: round(used / max(1, window.delivered) * 1e6, 2)
                for number, used in window.threads_cpu_s.items()
                if used
            },
            "generator_share_of_a_core": round(window.generator_share, 3),
            "echo": msgspec.to_builtins(echo),
            "behind_at_the_end": rest.behind,
            "connections_ended": rest.closes,
            "raised_limits": RAISED_LIMITS,
            "bounds_95": bounds(verdict),
            "faults": verdict.faults,
        },
    )
