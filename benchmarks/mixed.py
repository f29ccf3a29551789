"""`chat --mix`: people who talk over several transports at once.

At a rate the loop is open: messages are due at moments that were decided before, and
their time counts from then. Without one it is closed: each side answers the other at
once, to saturation. A run whose figures would not mean what they seem to mean fails
with a sentence and has none.
"""

import http.client
import math
import resource
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import psutil
from rich.progress import Progress

from benchmarks.chat import SATURATED
from benchmarks.crowd import Crowd, GeneratorError, generator_count, make_plans
from benchmarks.history import Record, read_history
from benchmarks.judge import Verdict, judge
from benchmarks.mix import spread
from benchmarks.people import Manners
from benchmarks.plan import Plan, Report
from benchmarks.result import (
    Latency,
    Messages,
    bounds,
    latency_of,
    machine,
    messages_of,
    versions,
)
from benchmarks.rows import load_rows
from benchmarks.tally import (
    ByTransport,
    Fairness,
    Second,
    Way,
    by_transport,
    conversations_of,
    fairness_of,
    seconds_of,
    shown_in,
    times_of,
    unaccounted,
    ways_of,
)
from benchmarks.target import Kefu, TargetError
from kefu_core.limits import Limits

WARM_UP_S = 2.0
REACHED = 0.95
"""Of what was due in the measured seconds, so much must get through in them."""
PACE = 0.8
"""Of the limit of one connection: nobody speaks at an even pace."""
LAG_SHARE = 0.5
"""A generator whose own loop is so late, of the latency at p99, measures itself."""
BROKEN = (
    GeneratorError,
    TargetError,
    OSError,
    http.client.HTTPException,
    psutil.Error,
)
"""What a server that is gone, or that does not answer, looks like from here."""
FILES_SPARE = 200
FILES_EACH = {"websocket": 1, "tcp": 1, "longpoll": 2}
"""Connections of one client; a visitor's page has one more."""


class MixedOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `chat --mix` is asked to do."""

    mix: dict[str, float]
    """Share of the visitors by transport; agents use WebSocket, as consoles do."""
    server: str = "hypercorn"
    """The ASGI server that kefu runs on."""
    visitors: int = 300
    agents: int = 30
    seconds: float = 15.0
    rate: float = 0.0
    """Messages a second of all; 0: a closed loop to saturation."""
    has_raised_limits: bool = False
    """Also at a rate one connection may be faster than people are."""
    processes: int = 0
    command: str = ""


class MixedResult(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of `chat --mix`; README.md explains the keys."""

    mix: dict[str, float]
    loop: str
    """`open` or `closed`."""
    rate: float | None
    """What was asked for; null in a closed loop."""
    due_per_s: float | None
    """What was due in the measured seconds; it varies, as people do."""
    messages: Messages
    delivered_per_s: float
    latency_ms: Latency
    by_transport: dict[str, ByTransport]
    fairness: dict[str, Fairness]
    """Of all visitors (`all`), and of those on each transport among themselves."""
    seconds: list[Second]
    server_cpu_us_per_message: float
    generator_limited: str
    """Why these are the figures of the load generator; empty: they are not."""
    machine: dict[str, str | int | float]
    versions: dict[str, str]
    command: str
    faults: dict[str, int]
    bounds_95: dict[str, float]
    details: dict[str, object]


class BadRunError(Exception):
    """The run has no figures; says why, a sentence for each reason."""

    def __init__(self, *reasons: str, verdict: Verdict | None = None) -> None:
        """Take the reasons, and what the judge found where there was a judgement."""
        super().__init__(" ".join(reasons))
        self.reasons = reasons
        self.verdict = verdict


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of a run from outside."""

    before: Report
    after: Report
    rest: Report
    server_cpu_s: float
    plans: list[Plan]

    @property
    def seconds(self) -> float:
        """How long was measured."""
        return self.after.at - self.before.at

    @property
    def generator_share(self) -> float:
        """Of a core, of the busiest generator process."""
        return (self.after.cpu_s - self.before.cpu_s) / self.seconds


def run_mixed(options: MixedOptions, progress: Progress) -> tuple[MixedResult, Verdict]:
    """Let people talk, and account for every message.

    Raises:
        BadRunError: There are no figures.
    """
    facts = machine()
    check_files(options, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    with tempfile.TemporaryDirectory(prefix="kefu-mixed-") as name:
        home = Path(name)
        # People at a rate must do with what an installation lets them do.
        is_raised = options.has_raised_limits or not options.rate
        server = Kefu(home, server=options.server, has_raised_limits=is_raised)
        check_pace(options, server.settings.limits)
        try:
            seen = _talk(options, server, home, progress)
        except BROKEN as error:
            raise BadRunError(str(error), *why_broken(server)) from error
        records: list[Record] = []
        for plan in seen.plans:
            records += read_history(Path(plan.history))
        rows = load_rows(server.database_url)
    verdict = judge(records, rows)
    ways = ways_of(records, rows)
    begin, end = seen.before.at, seen.after.at
    reasons = shortfall(options.rate, ways, begin, end)
    reasons += _refused(verdict, seen.rest)
    reasons += unaccounted(verdict, behind=seen.rest.behind)
    if reasons:
        raise BadRunError(*reasons, verdict=verdict)
    transports = {
        f"{plan.name}v{number}": transport
        for plan in seen.plans
        for number, transport in enumerate(plan.transports)
    }
    parts = by_transport(records, rows, transports, begin, end)
    of = conversations_of(records, transports)
    return _result(options, facts, seen, verdict, ways, parts, of), verdict


def check_files(options: MixedOptions, limit: int) -> None:
    """See that there may be as many open files as there will be connections.

    Raises:
        BadRunError: There may not.
    """
    each = sum(FILES_EACH[name] * share for name, share in options.mix.items())
    needed = math.ceil(options.visitors * (each + 1) + options.agents + FILES_SPARE)
    if needed > limit:
        raise BadRunError(
            f"{options.visitors} visitors and {options.agents} agents need some "
            f"{needed} open files, and the system allows a process {limit}: ask for "
            f"fewer, or allow more with `ulimit -Hn {needed}` as root."
        )


def check_pace(options: MixedOptions, limits: Limits) -> None:
    """See that these people may say as much as a rate asks of them.

    Raises:
        BadRunError: They may not: what they wait for then is the limit.
    """
    visitor, agent = (
        options.rate / 2 / count for count in (options.visitors, options.agents)
    )
    may_visitor = PACE * limits.visitor_messages_per_s
    may_agent = PACE * limits.agent_messages_per_s
    if visitor > may_visitor or agent > may_agent:
        raise BadRunError(
            f"At {options.rate:g} messages a second each visitor would say "
            f"{visitor:.2g} a second and each agent {agent:.2g}; the limits that an "
            f"installation has leave room for {may_visitor:g} and {may_agent:g}: ask "
            "for more people, or a lower rate."
        )


def _talk(options: MixedOptions, server: Kefu, home: Path, progress: Progress) -> Seen:
    task = progress.add_task("connect", total=options.seconds)
    agents = server.add_agents(options.agents)
    with server:
        plans = make_plans(
            server,
            home,
            visitors=options.visitors,
            agents=agents,
            transports=spread(options.mix, options.visitors),
            manners=Manners(site=server.site.embed_key, port=server.port),
            rate=options.rate,
            processes=options.processes or generator_count(),
        )
        with Crowd(plans, home) as crowd:
            crowd.hear("ready")
            progress.update(task, description="talk")
            crowd.say("go")
            time.sleep(WARM_UP_S)
            before = crowd.ask("measure")
            cpu_before = server.cpu_s()
            end = time.monotonic() + options.seconds
            while (left := end - time.monotonic()) > 0:
                time.sleep(min(0.5, left))
                progress.advance(task, min(0.5, left))
                if server.exit_status is not None:
                    raise TargetError("They could not talk to the end.")
            cpu_after = server.cpu_s()
            after = crowd.ask("mark")
            if not server.is_able():
                raise TargetError("The server says that it cannot do its work.")
            crowd.say("stop")
            rest = crowd.hear("done")
    return Seen(
        before=before,
        after=after,
        rest=rest,
        server_cpu_s=cpu_after - cpu_before,
        plans=plans,
    )


def why_broken(server: Kefu) -> list[str]:
    """Return what is to be said of a server that has ended; nothing of another."""
    if server.exit_status is None:
        return []
    said = [f"The server had ended by then, with status {server.exit_status}."]
    log = server.log.read_text("utf-8", "replace").splitlines()
    # Only what went wrong: a log has codes in it that nobody else is to see.
    said += [f"Its log: {line}" for line in log if " ERROR " in line][-3:]
    return said


def _refused(verdict: Verdict, rest: Report) -> list[str]:
    said = []
    if verdict.counts.refused:
        said.append(
            f"{verdict.counts.refused} messages were refused: these people talk faster "
            "than the limits let them. Ask for more of them, or a lower rate."
        )
    if lost := sum(n for why, n in rest.closes.items() if "open files" in why):
        said.append(f"{lost} connections failed for want of open files.")
    return said


def shortfall(rate: float, ways: Sequence[Way], begin: float, end: float) -> list[str]:
    """Return a sentence where what a rate asks for was not done in time."""
    if not rate:
        return []
    seconds = end - begin
    # What a slow generator never came to is no message of any history, so the rate
    # counts. Some more or less are due by chance, and a few on their way at both ends.
    enough = REACHED * rate * seconds - 3 * math.sqrt(rate * seconds)
    sent = sum(begin <= way.sent_at < end for way in ways)
    if sent < enough:
        said = (
            f"The load generator could send only {sent / seconds:.1f} of {rate:g} "
            "messages a second: it is itself the limit. Give it more cores, or a lower "
            "rate."
        )
        return [said]
    shown = shown_in(ways, begin, end)
    if shown < enough:
        said = (
            f"Only {shown / seconds:.1f} of {rate:g} messages a second arrived: this "
            "is above what the server carries here, and a latency would only say for "
            "how long it was asked."
        )
        return [said]
    return []


def limit_of(seen_share: float, lags: Latency, latency: Latency) -> str:
    """Return why the generator is what was measured; nothing where it was not."""
    if seen_share >= SATURATED:
        return f"a generator process filled {seen_share:.2f} of a core"
    if lags.p99 > LAG_SHARE * latency.p99:
        return (
            f"the generator's own loop was {lags.p99} ms late at p99, and messages "
            f"took {latency.p99} ms"
        )
    return ""


def _result(
    options: MixedOptions,
    facts: dict[str, str | int | float],
    seen: Seen,
    verdict: Verdict,
    ways: Sequence[Way],
    parts: dict[str, ByTransport],
    of: Mapping[int, str],
) -> MixedResult:
    begin, end = seen.before.at, seen.after.at
    times = times_of(ways, begin, end)
    latency, lags = latency_of(times), latency_of(seen.rest.lags_ms)
    shown = shown_in(ways, begin, end)
    due = sum(begin <= way.due < end for way in ways)
    fairness = {"all": fairness_of(ways, begin, end)} | {
        name: fairness_of(
            [way for way in ways if of.get(way.conversation) == name], begin, end
        )
        for name in parts
    }
    server_share = seen.server_cpu_s / seen.seconds
    return MixedResult(
        mix={name: round(share, 3) for name, share in options.mix.items()},
        loop="open" if options.rate else "closed",
        rate=options.rate or None,
        due_per_s=round(due / seen.seconds, 1) if options.rate else None,
        messages=messages_of(verdict, sum(way.shown_at is not None for way in ways)),
        delivered_per_s=round(shown / seen.seconds, 1),
        latency_ms=latency,
        by_transport=parts,
        fairness=fairness,
        seconds=seconds_of(ways, begin, end),
        server_cpu_us_per_message=round(seen.server_cpu_s / max(1, shown) * 1e6, 1),
        generator_limited=limit_of(seen.generator_share, lags, latency),
        machine=facts,
        versions=versions(),
        command=options.command,
        faults=verdict.faults,
        bounds_95=bounds(verdict),
        details={
            "server": options.server,
            "visitors": options.visitors,
            "agents": options.agents,
            "server_share_of_a_core": round(server_share, 3),
            "generator_share_of_a_core": round(seen.generator_share, 3),
            "generator_lag_ms": lags,
            "sent_late_ms": latency_of(
                sorted(1_000 * (way.sent_at - way.due) for way in ways)
            ),
            "http_requests": seen.rest.requests,
            "offered_deflate_and_got_it": seen.rest.deflated,
            "pages_reported": seen.rest.pages,
            "pages_not_taken": seen.rest.pages_failed,
            "connections_ended": seen.rest.closes,
        },
    )
