"""`chat --translation`: whether messages wait for the translation of messages."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.progress import Progress

from benchmarks.chat import WARM_UP_S, ChatOptions
from benchmarks.crowd import Crowd, generator_count, make_plans
from benchmarks.history import Record, read_history
from benchmarks.judge import Verdict, judge
from benchmarks.ports import HOST, free_port
from benchmarks.result import judged, latency_of, machine, versions
from benchmarks.rows import load_rows
from benchmarks.target import Kefu, Process
from benchmarks.translator import MODES
from kefu_core.abc.store import Store
from kefu_core.site import Translation
from kefu_server import accounts

OFF = "off"
CHOICES = (OFF, *MODES)
RATE = 50.0
"""Messages a second where none are asked for: above what a machine carries, latency
says how much work there is, and not whether one waits for another."""
ROUNDS = 2
SETTLE_S = 3.0
"""A server looks every two seconds which sites translate."""
REST_MAX_S = 120.0
REST_S = 10.0
"""What is being asked of a service when a site stops is written still."""


def run_translated(
    options: ChatOptions, mode: str, progress: Progress
) -> tuple[dict[str, object], Verdict]:
    """Talk with and without translation by turns; judge all that was said."""
    facts = machine()
    without: list[float] = []
    with_it: list[float] = []
    with tempfile.TemporaryDirectory(prefix="kefu-translation-") as name:
        home = Path(name)
        task = progress.add_task("connect", total=2 * ROUNDS + 1)
        with _open(options, mode, home) as (server, crowd):
            crowd.say("go")
            time.sleep(WARM_UP_S)
            crowd.ask("measure")
            for _ in range(ROUNDS):
                progress.update(task, description="without")
                _watch(crowd, options.seconds, without)
                _switch(server, is_on=mode != OFF)
                progress.update(task, advance=1, description=f"translation {mode}")
                _watch(crowd, options.seconds, with_it)
                _switch(server, is_on=False)
                progress.update(task, advance=1)
            progress.update(task, description="rest")
            if mode != OFF:
                _wait_for_the_last(server)
            crowd.say("stop")
            rest = crowd.hear("done")
        records: list[Record] = []
        for path in crowd.histories:
            records += read_history(path)
        rows = load_rows(server.database_url)
        verdict = judge(records, rows)
        progress.update(task, advance=1)
    calm, busy = latency_of(sorted(without)), latency_of(sorted(with_it))
    return {
        "translation": mode,
        "transport": options.transport,
        "visitors": options.visitors,
        "agents": options.agents,
        "rate": options.rate or RATE,
        "seconds": options.seconds,
        "without_ms": msgspec.to_builtins(calm),
        "with_ms": msgspec.to_builtins(busy),
        "p50_ratio": round(busy.p50 / calm.p50, 2) if calm.p50 else None,
        "p95_ratio": round(busy.p95 / calm.p95, 2) if calm.p95 else None,
        "texts": sum(row.kind == "text" for row in rows),
        "translation_lines": sum(row.kind == "translation" for row in rows),
        "behind_at_the_end": rest.behind,
        "connections_ended": rest.closes,
        "machine": facts,
        "versions": versions(),
        "command": options.command,
        **judged(verdict),
    }, verdict


def _wait_for_the_last(server: Kefu) -> None:
    """Return once no translation has come for a while.

    One that came after the readers have left would look as if they had lost it.
    """
    until, count = time.monotonic() + REST_MAX_S, -1
    while time.monotonic() < until:
        rows = load_rows(server.database_url)
        found = sum(row.kind == "translation" for row in rows)
        if found == count:
            return
        count = found
        time.sleep(REST_S)


@contextmanager
def _open(options: ChatOptions, mode: str, home: Path) -> Iterator[tuple[Kefu, Crowd]]:
    port = free_port()
    services = home / "services.toml"
    services.write_text(f'[libretranslate]\nurl = "http://{HOST}:{port}"\n')
    command = [sys.executable, "-m", "benchmarks.translator", mode, str(port)]
    server = Kefu(home, translation_file="" if mode == OFF else str(services))
    agents = server.add_agents(options.agents)
    # It is there in both windows, so only the translating differs.
    with Process(command, port, home / "service.log", dict(os.environ)), server:
        plans = make_plans(
            server,
            home,
            visitors=options.visitors,
            agents=agents,
            transport=options.transport,
            rate=options.rate or RATE,
            processes=options.processes or generator_count(),
        )
        with Crowd(plans, home) as crowd:
            crowd.hear("ready")
            yield server, crowd


def _watch(crowd: Crowd, seconds: float, into: list[float]) -> None:
    """Gather the latencies of one window."""
    time.sleep(SETTLE_S)
    crowd.ask("window")
    time.sleep(seconds)
    into += crowd.ask("window").latencies_ms


def _switch(server: Kefu, *, is_on: bool) -> None:
    """Let the site translate, as its settings do."""

    async def switch(store: Store) -> None:
        for site in await store.sites():
            rules = Translation(is_on=is_on, language="zh-CN")
            settings = msgspec.structs.replace(site.settings, translation=rules)
            await store.put_site(msgspec.structs.replace(site, settings=settings))

    accounts.in_store(server.settings, switch)
