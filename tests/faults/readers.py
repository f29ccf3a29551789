"""Readers who stop reading while messages flow to them, and come back."""

import time
from pathlib import Path

import anyio
import msgspec
import psutil

from benchmarks.judge import Verdict
from kefu_core.testing.proxy import proxy_to
from tests.faults.people import (
    LOOK_S,
    Server,
    Story,
    Way,
    ports_of,
    proxied,
    running,
)

STOPPED = 6
PER_S = 120.0
CHARACTERS = 1_500
"""Of three bytes each: half a megabyte a second to every reader."""
READER_BYTES_MAX = 512 * 1_024
QUIET_S = 7.0
"""Until the server has what it needs for a stream without stopped readers."""
KERNEL_BYTES = 65_536


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What stopped readers cost."""

    verdict: Verdict
    bytes_a_reader: int
    """What the server grew by, for each of them, beyond what it grows by while
    everybody reads (pages that SQLite keeps)."""
    sent_bytes: int
    """What each of them was sent meanwhile."""
    behind: int
    """Messages that the furthest of them lacked when it came back."""
    others_s: float
    """Until those who read had everything, while the stopped still stood."""
    back_s: float
    """Until everybody had everything."""


async def stop_reading(server: Server, transport: str, seconds: float) -> Outcome:
    """Talk to everybody, then to readers who do not read, then let them."""
    memory = psutil.Process(server.process.pid).memory_info
    async with (
        proxy_to(server.port) as http,
        proxy_to(server.tcp_port) as tcp,
    ):
        story = Story(server, time.monotonic)
        clear = Way(ports_of(server), transport)
        behind_proxy = Way(proxied(http, tcp), transport)
        visitor = story.person("visitor", server.visitor(), clear)
        agent = story.person("agent", server.agent_token, clear)
        for proxy in (http, tcp):
            proxy.receive_buffer_bytes = KERNEL_BYTES
        stopped = [
            story.person(f"stopped{number}", server.agent_token, behind_proxy)
            for number in range(STOPPED)
        ]
        async with running(story):
            with anyio.fail_after(2 * seconds + 30):
                await story.begin(visitor, agent, *stopped)
                await visitor.talk(int(QUIET_S * PER_S), PER_S, CHARACTERS)
                await story.until_complete()
                before = memory().rss
                await visitor.talk(int(seconds * PER_S), PER_S, CHARACTERS)
                await story.until_complete()
                quiet = memory().rss
                usual = max(0, quiet - before)
                for proxy in (http, tcp):
                    proxy.down.is_paused = True
                most = quiet
                async with anyio.create_task_group() as tasks:
                    count = int(seconds * PER_S)
                    tasks.start_soon(visitor.talk, count, PER_S, CHARACTERS)
                    began = time.monotonic()
                    while time.monotonic() < began + seconds:
                        most = max(most, memory().rss)
                        await anyio.sleep(0.1)
                silent_at = time.monotonic()
                while visitor.waiting or agent.seen < visitor.seen:
                    await anyio.sleep(LOOK_S)
                others_s = time.monotonic() - silent_at
                most = max(most, memory().rss)
                behind = agent.seen - min(person.seen for person in stopped)
                for proxy in (http, tcp):
                    proxy.down.is_paused = False
                back_at = time.monotonic()
                await story.until_complete()
                back_s = time.monotonic() - back_at
    return Outcome(
        verdict=await story.end(),
        bytes_a_reader=(most - quiet - usual) // STOPPED,
        sent_bytes=int(seconds * PER_S) * CHARACTERS * 3,
        behind=behind,
        others_s=round(others_s, 2),
        back_s=round(back_s, 2),
    )


def run_stopped(folder: Path, transport: str, seconds: float) -> Outcome:
    """Do it against a server of its own, so that memory is nobody else's."""
    with Server(folder) as server:
        return anyio.run(stop_reading, server, transport, seconds)
