"""`noisy`: whether one client that asks for much slows down anybody else."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import msgspec
from rich.progress import Progress

from benchmarks.crowd import Crowd, generator_count, make_plans
from benchmarks.flooder import Flood, FloodPlan
from benchmarks.history import Record, read_history
from benchmarks.judge import Verdict, judge
from benchmarks.result import judged, latency_of, machine, versions
from benchmarks.rows import load_rows
from benchmarks.target import Kefu, TargetError

SETTLE_S = 1.0


class NoisyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `noisy` is asked to do."""

    transport: str = "websocket"
    visitors: int = 300
    agents: int = 30
    rate: float = 50.0
    """Messages a second of all that behave."""
    flood: float = 1_000.0
    """Frames a second that the flooder tries to say."""
    open: int = 0
    """Conversations that one agent more opens at once, and reads; 0: a visitor floods
    instead."""
    seconds: float = 8.0
    """Of each window; a quiet one and a loud one are a round."""
    rounds: int = 3
    is_elsewhere: bool = False
    """The flooder has a server of its own: what it costs then, the machine costs."""
    opening_s: float = 0.0
    """So long after its beginning the loud window is measured, so that the busy agent's
    opening is not in it."""


class _Flooding:
    """The flooder's process, or the busy agent's."""

    def __init__(self, plan: FloodPlan, path: Path) -> None:
        path.write_bytes(msgspec.json.encode(plan))
        path.chmod(0o600)  # It holds a token.
        module = "benchmarks.busy" if plan.conversations else "benchmarks.flooder"
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        self._hear()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.kill()
        self._process.communicate()

    def _hear(self) -> bytes:
        assert self._process.stdout is not None, "asked for a pipe"
        line = self._process.stdout.readline()
        if not line:
            raise TargetError("The flooder ended before its time.")
        return line

    def _say(self) -> None:
        assert self._process.stdin is not None, "asked for a pipe"
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def begin(self) -> None:
        """Let it flood."""
        self._say()

    def end(self) -> Flood:
        """Let it stop, and tell."""
        self._say()
        return msgspec.json.decode(self._hear(), type=Flood)


@contextmanager
def _open(options: NoisyOptions, home: Path) -> Iterator[tuple[Kefu, Crowd, FloodPlan]]:
    server = Kefu(home, has_raised_limits=False)
    agents = server.add_agents(options.agents)
    with ExitStack() as stack:
        stack.enter_context(server)
        flooded = server
        if options.is_elsewhere:
            (home / "elsewhere").mkdir()
            other = Kefu(home / "elsewhere", has_raised_limits=False)
            flooded = stack.enter_context(other)
        plans = make_plans(
            server,
            home,
            visitors=options.visitors,
            agents=agents,
            transport=options.transport,
            rate=options.rate,
            processes=generator_count(),
        )
        token = flooded.visitor_token()
        flood = FloodPlan(
            url=flooded.url(options.transport),
            transport=options.transport,
            token=token,
            conversation=flooded.open_conversation(token),
            frames_per_s=options.flood,
        )
        if options.open:
            server.add_agent("busy")
            busy_token = server.agent_token("busy")
        crowd = stack.enter_context(Crowd(plans, home))
        crowd.hear("ready")
        if options.open:
            rows = load_rows(server.database_url)
            known = sorted({row.conversation for row in rows} - {flood.conversation})
            if len(known) < options.open:
                raise TargetError(
                    f"There are only {len(known)} conversations for --open; "
                    "add --visitors."
                )
            flood = msgspec.structs.replace(
                flood, token=busy_token, conversations=known[: options.open]
            )
        yield server, crowd, flood


def run_noisy(
    options: NoisyOptions, progress: Progress
) -> tuple[dict[str, object], Verdict]:
    """Talk in quiet and in noise by turns; judge all that was said."""
    facts = machine()
    quiet: list[float] = []
    loud: list[float] = []
    floods: list[Flood] = []
    with tempfile.TemporaryDirectory(prefix="kefu-noisy-") as name:
        home = Path(name)
        task = progress.add_task("connect", total=2 * options.rounds)
        with _open(options, home) as (server, crowd, plan):
            crowd.say("go")
            time.sleep(SETTLE_S)
            crowd.ask("measure")
            cpu_s = {"quiet": 0.0, "loud": 0.0}
            for number in range(options.rounds):
                progress.update(task, description="quiet")
                # Its process is there in both windows, so only the flood differs.
                with _Flooding(plan, home / f"flood{number}.json") as flooding:
                    cpu_s["quiet"] += _watch(server, crowd, options, quiet)
                    progress.update(task, advance=1, description="loud")
                    flooding.begin()
                    time.sleep(options.opening_s)
                    cpu_s["loud"] += _watch(server, crowd, options, loud)
                    floods.append(flooding.end())
                progress.update(task, advance=1)
            crowd.say("stop")
            rest = crowd.hear("done")
        records: list[Record] = []
        for path in crowd.histories:
            records += read_history(path)
        # What the flooder got through is nobody's loss and in no history.
        rows = load_rows(server.database_url)
        own = set() if options.is_elsewhere else {plan.conversation}
        others = [row for row in rows if row.conversation not in own]
        verdict = judge(records, others)
    calm, noise = latency_of(sorted(quiet)), latency_of(sorted(loud))
    answers: dict[str, int] = {}
    for flood in floods:
        for kind, count in flood.answers.items():
            answers[kind] = answers.get(kind, 0) + count
    wall = options.seconds * options.rounds
    return {
        "transport": options.transport,
        "visitors": options.visitors,
        "agents": options.agents,
        "rate": options.rate,
        "flood": options.flood if not options.open else 0,
        "open": options.open,
        "opening_s": options.opening_s,
        "is_elsewhere": options.is_elsewhere,
        "quiet_ms": msgspec.to_builtins(calm),
        "loud_ms": msgspec.to_builtins(noise),
        "p99_ratio": round(noise.p99 / calm.p99, 2) if calm.p99 else None,
        "flooder_sent": sum(flood.sent for flood in floods),
        "flooder_answers": answers,
        "flooder_cut": sum(flood.cuts for flood in floods),
        "flooder_not_let_in": sum(flood.refused for flood in floods),
        "server_share_quiet": round(cpu_s["quiet"] / wall, 2),
        "server_share_loud": round(cpu_s["loud"] / wall, 2),
        "behind_at_the_end": rest.behind,
        "connections_ended": rest.closes,
        "machine": facts,
        "versions": versions(),
        **judged(verdict),
    }, verdict


def _watch(
    server: Kefu, crowd: Crowd, options: NoisyOptions, into: list[float]
) -> float:
    """Gather the latencies of one window; return the server's CPU seconds."""
    time.sleep(SETTLE_S)
    crowd.ask("window")
    before = server.cpu_s()
    time.sleep(options.seconds)
    spent = server.cpu_s() - before
    into += crowd.ask("window").latencies_ms
    return spent
