"""`visitors`: what a crowd that changes pages costs the server and who looks on."""

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.progress import Progress

from benchmarks.pages import Page, stays
from benchmarks.ports import HOST
from benchmarks.result import latency_of, machine, versions
from benchmarks.target import ADDRESSES, PASSWORD, Kefu, TargetError
from kefu_core.client import Client
from kefu_core.desk.visits import TOPIC
from kefu_core.protocol import frames as f

SETTLE_S = 2.0


class VisitorsOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `visitors` is asked to do."""

    visitors: int = 1_000
    page_s: float = 5.0
    """How long each stays on a page, half as long to half as long again."""
    agents: int = 3
    seconds: float = 15.0
    """Of each window."""
    chromium: str = ""
    """A browser that shows the console's page of visitors; empty: none."""


class _Figures:
    """What was seen since the last window began."""

    def __init__(self) -> None:
        self.answers_ms: list[float] = []
        self.refused = 0
        self.events = 0
        self.event_bytes = 0
        self.behind_ms: list[float] = []
        """From a report to the agent's row of it."""


async def _browse(
    server: Kefu,
    number: int,
    rng: random.Random,
    options: VisitorsOptions,
    figures: list[_Figures],
) -> None:
    """Change pages until cancelled."""
    page = Page(
        server.port,
        site=server.site.embed_key,
        name=f"page{number}",
        address=f"127.0.0.{2 + number % ADDRESSES}",
    )
    await asyncio.sleep(rng.uniform(0.0, 2 * options.page_s))
    try:
        while True:
            path = f"/tea/{rng.randrange(10_000)}?colour=green"
            for stay_s in stays(rng.uniform(0.5, 1.5) * options.page_s):
                # The title says when, for whoever sees it.
                title = f"Tea of the spring {time.monotonic():.3f}"
                began = time.monotonic()
                status = await page.report(path, title)
                figures[-1].answers_ms.append((time.monotonic() - began) * 1000)
                figures[-1].refused += status != 200
                await asyncio.sleep(stay_s)
    finally:
        page.close()


async def _watch(server: Kefu, token: str, figures: list[_Figures]) -> None:
    """Look on as a console does."""
    async with Client(server.url("websocket"), token=token) as client:
        events = client.events()
        await client.watch(TOPIC)
        async for notice in events:
            if isinstance(notice, f.Event) and notice.put is not None:
                now = figures[-1]
                now.events += 1
                now.event_bytes += len(msgspec.json.encode(notice))
                told_at = float(notice.put["title"].rpartition(" ")[2])
                now.behind_ms.append((time.monotonic() - told_at) * 1000)


async def _window(
    server: Kefu, options: VisitorsOptions, figures: list[_Figures]
) -> dict[str, object]:
    """Measure for a while; returns what was seen."""
    await asyncio.sleep(SETTLE_S)
    figures.append(_Figures())
    cpu_s, began = server.cpu_s(), time.monotonic()
    await asyncio.sleep(options.seconds)
    lasted = time.monotonic() - began
    cpu_s = server.cpu_s() - cpu_s
    seen = figures[-1]
    reports = len(seen.answers_ms)
    found: dict[str, object] = {
        "reports_per_s": round(reports / lasted, 1),
        "server_cpu_share": round(cpu_s / lasted, 3),
        "server_cpu_us_per_report": round(cpu_s / max(1, reports) * 1e6),
        "answer_ms": msgspec.to_builtins(latency_of(sorted(seen.answers_ms))),
        "refused": seen.refused,
        "server_mib": round(server.rss_bytes() / 1_048_576),
    }
    if seen.events:
        found |= {
            "changes_per_s_and_agent": round(
                seen.events / lasted / max(1, options.agents), 1
            ),
            "kb_per_s_and_agent": round(
                seen.event_bytes / lasted / max(1, options.agents) / 1000, 1
            ),
            "agent_behind_ms": msgspec.to_builtins(latency_of(sorted(seen.behind_ms))),
        }
    return found


@contextmanager
def _console(server: Kefu, options: VisitorsOptions, home: Path) -> Iterator[Path]:
    """Run a browser in a process of its own; yields where it writes what it saw."""
    seen = home / "console.json"
    arguments = [
        options.chromium,
        f"http://{HOST}:{server.port}",
        "watcher",
        PASSWORD,
        str(options.seconds),
        str(seen),
    ]
    command = [sys.executable, "-m", "benchmarks.frames", *arguments]
    with subprocess.Popen(command) as process:
        try:
            yield seen
        finally:
            if process.wait(120) != 0:
                raise TargetError("The browser ended with a failure.")


async def _measure(
    server: Kefu, options: VisitorsOptions, tokens: list[str], home: Path
) -> dict[str, object]:
    figures = [_Figures()]
    rng = random.Random(7)
    found: dict[str, object] = {}
    async with asyncio.TaskGroup() as tasks:
        crowd = [
            tasks.create_task(
                _browse(server, number, random.Random(rng.random()), options, figures)
            )
            for number in range(options.visitors)
        ]
        # By then everybody has come.
        await asyncio.sleep(2 * options.page_s)
        found["nobody_looks"] = await _window(server, options, figures)
        watchers = [
            tasks.create_task(_watch(server, token, figures)) for token in tokens
        ]
        found["agents_look"] = await _window(server, options, figures)
        if options.chromium:
            with _console(server, options, home) as seen:
                while not seen.exists():
                    await asyncio.sleep(0.2)
            found["console"] = json.loads(seen.read_text())
        for task in [*crowd, *watchers]:
            task.cancel()
    return found


def run_visitors(options: VisitorsOptions, progress: Progress) -> dict[str, object]:
    """Let a crowd browse; returns the figures."""
    facts = machine()
    task = progress.add_task("browse", total=None)
    with tempfile.TemporaryDirectory(prefix="kefu-visitors-") as name:
        home = Path(name)
        server = Kefu(home, has_raised_limits=False)
        logins = server.add_agents(options.agents)
        if options.chromium:
            server.add_agent("watcher")
        with server:
            tokens = [server.agent_token(login) for login in logins]
            found = asyncio.run(_measure(server, options, tokens, home))
    progress.update(task, total=1, completed=1)
    return {
        "machine": facts,
        "versions": versions(),
        "visitors": options.visitors,
        "page_s": options.page_s,
        "agents": options.agents,
    } | found
