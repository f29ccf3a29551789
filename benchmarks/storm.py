"""Everybody is dropped at once: how long until all are back and caught up."""

import tempfile
import time
from pathlib import Path

import msgspec
from rich.progress import Progress

from benchmarks.crowd import Crowd, generator_count, make_plans
from benchmarks.history import Record, read_history
from benchmarks.judge import Verdict, judge
from benchmarks.mix import spread
from benchmarks.result import judged, machine, versions
from benchmarks.rows import load_rows
from benchmarks.target import Kefu

SLICE_S = 0.25
"""Clients that come back together come in such a slice of time."""
_NETSTAT = Path("/proc/net/netstat")


class StormOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `storm` is asked to do."""

    transport: str = "websocket"
    server: str = "hypercorn"
    """The ASGI server that kefu runs on."""
    mix: dict[str, float] = {}
    """Share of the visitors by transport; empty: all use `transport`, as agents do."""
    visitors: int = 1_000
    agents: int = 30
    rate: float = 50.0
    """Messages a second, before and after the drop."""
    processes: int = 0
    drop: str = "cut"
    """cut: every connection, the server stays; kill: the server, and start it again."""
    talk_s: float = 3.0
    """How long they talk before the drop."""


def run_storm(
    options: StormOptions, progress: Progress
) -> tuple[dict[str, object], Verdict]:
    """Talk, drop everybody, wait until all are back; judge."""
    facts = machine()
    with tempfile.TemporaryDirectory(prefix="kefu-storm-") as name:
        home = Path(name)
        task = progress.add_task("connect", total=4)
        server = Kefu(home, server=options.server)
        agents = server.add_agents(options.agents)
        with server:
            plans = make_plans(
                server,
                home,
                visitors=options.visitors,
                agents=agents,
                transport=options.transport,
                transports=spread(options.mix, options.visitors) if options.mix else (),
                rate=options.rate,
                processes=options.processes or generator_count(),
            )
            with Crowd(plans, home) as crowd:
                crowd.hear("ready")
                progress.update(task, advance=1, description="talk")
                crowd.say("go")
                time.sleep(options.talk_s)
                before = crowd.ask("measure")
                start_s = 0.0
                overflows = listen_overflows()
                dropped_at = time.monotonic()
                if options.drop == "kill":
                    crowd.ask("down")
                    server.kill()
                    start_s = server.start()
                    # What takes long before this is the server and not the crowd.
                    dropped_at = time.monotonic()
                progress.update(task, advance=1, description="come back")
                server_before = server.cpu_s()
                crowd.say("back" if options.drop == "kill" else "cut")
                crowd.hear("live")
                live_s = time.monotonic() - dropped_at
                back = crowd.hear("back")
                server_s = server.cpu_s() - server_before
                back_s = time.monotonic() - dropped_at
                overflows = listen_overflows() - overflows
                progress.update(task, advance=1, description="rest")
                crowd.say("stop")
                rest = crowd.hear("done")
                progress.update(task, advance=1, description="done")
        records: list[Record] = []
        for path in crowd.histories:
            records += read_history(path)
        verdict = judge(records, load_rows(server.database_url))
    wall = back.at - before.at
    return {
        "transport": options.transport,
        "server": options.server,
        "mix": options.mix,
        "visitors": options.visitors,
        "agents": options.agents,
        "rate": options.rate,
        "drop": options.drop,
        "server_start_s": round(start_s, 2),
        "all_live_s": round(live_s, 2),
        "all_back_s": round(back_s, 2),
        "fullest_slice_share": round(fullest_slice(back.came_at), 3),
        "listen_overflows": overflows,
        "server_cpu_ms_per_return": round(
            server_s / (options.visitors + options.agents) * 1e3, 2
        ),
        "server_share_of_a_core": round(server_s / back_s, 2),
        "generator_share_of_a_core": round((back.cpu_s - before.cpu_s) / wall, 2),
        "behind_at_the_end": rest.behind,
        "connections_ended": rest.closes,
        "sent": rest.sent,
        "machine": facts,
        "versions": versions(),
        **judged(verdict),
    }, verdict


def fullest_slice(came_at: list[float]) -> float:
    """Return the largest share that came within `SLICE_S`, of times in order.

    0.0 if none came: sessions of long poll outlive their connections.
    """
    most = first = 0
    for last, at in enumerate(came_at):
        while came_at[first] < at - SLICE_S:
            first += 1
        most = max(most, last - first + 1)
    return most / len(came_at) if came_at else 0.0


def listen_overflows() -> int:
    """Return how many connections this machine's listeners have had no room for."""
    names, values = (
        line.split()
        for line in _NETSTAT.read_text().splitlines()
        if line.startswith("TcpExt:")
    )
    return int(dict(zip(names, values, strict=True))["ListenOverflows"])
