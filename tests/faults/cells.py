"""What networks do to a link, and one conversation that has to live with it."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx
import msgspec

from benchmarks.judge import Verdict
from kefu_core.testing.proxy import Link, Proxy, WholeAnswers, proxy_to
from tests.faults.people import (
    LOOK_S,
    TRANSPORTS,
    Server,
    Story,
    Way,
    ports_of,
    proxied,
    running,
)

HEARTBEAT_S = 1.5
"""Instead of 25 s; everything that is measured in heartbeats shrinks with it."""
LIMITS: dict[str, Any] = {
    "heartbeat_s": HEARTBEAT_S,
    "poll_wait_s": HEARTBEAT_S,
    "poll_session_s": 2 * HEARTBEAT_S,
    "poll_opening_s": 2 * HEARTBEAT_S,
}
NOTICED_S = 2 * HEARTBEAT_S + 2.0
"""Two heartbeats, and what a loaded machine and the sweep of sessions may take."""
FAULT_S = 2.5
HEALED_S = 25.0
"""Longer than any client waits before it dials again; how long it took is told."""

Act = Callable[[Proxy], Awaitable[None]]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One way for a network to be bad."""

    begin: Act
    silent_on: tuple[str, ...] = ()
    """Where nobody is told: both ends have to find out by themselves. The requests of
    a poll session find another connection when theirs is reset."""
    is_cut_after: bool = False
    """Connections of the bad time do not survive it."""
    talk_per_s: float = 8.0
    """How much each side says meanwhile; 0: nobody says anything."""
    seconds: float = FAULT_S
    is_harmless: bool = False
    """No connection may end because of it."""
    is_cutting: bool = False
    """The proxy is to cut, or nothing was tried."""


def _set(way: str = "both", **values: Any) -> Act:
    async def begin(proxy: Proxy) -> None:
        for direction in (proxy.up, proxy.down):
            if way == "both" or direction is getattr(proxy, way):
                for name, value in values.items():
                    setattr(direction, name, value)

    return begin


async def _fin(proxy: Proxy) -> None:
    proxy.is_resetting = False
    await proxy.cut()


async def _reset(proxy: Proxy) -> None:
    await proxy.cut()


async def _half_open(proxy: Proxy) -> None:
    await proxy.abandon()


async def _address_change(proxy: Proxy) -> None:
    proxy.strand()
    proxy.source_host = "127.0.0.3"


async def _buffering(proxy: Proxy) -> None:
    proxy.down.filter = WholeAnswers
    await proxy.cut()


async def _duplicating(proxy: Proxy) -> None:
    proxy.is_duplicating = True
    await proxy.cut()


def _idle(seconds: float) -> Act:
    async def begin(proxy: Proxy) -> None:
        proxy.idle_s = seconds

    return begin


FAULTS: dict[str, Fault] = {
    "delay": Fault(begin=_set(delay_s=0.3, jitter_s=0.15), is_harmless=True),
    "cut by FIN": Fault(begin=_fin),
    "cut by RST": Fault(begin=_reset),
    "half-open": Fault(begin=_half_open, silent_on=("websocket", "tcp")),
    "silence up": Fault(begin=_set("up", is_swallowing=True), silent_on=TRANSPORTS),
    "silence down": Fault(begin=_set("down", is_swallowing=True), silent_on=TRANSPORTS),
    "stall": Fault(begin=_set(is_paused=True), is_harmless=True),
    "byte by byte": Fault(begin=_set(piece_bytes=1), is_harmless=True),
    "16 kbit/s": Fault(begin=_set(bytes_per_s=2_000), is_harmless=True),
    "buffering": Fault(begin=_buffering, is_cut_after=True),
    # 60 s of a usual proxy to 25 s of a heartbeat: heartbeats keep what is idle.
    "idle cut": Fault(
        begin=_idle(60 / 25 * HEARTBEAT_S),
        talk_per_s=0.0,
        seconds=90 / 25 * HEARTBEAT_S,
        is_harmless=True,
    ),
    "idle cut below": Fault(begin=_idle(0.1), talk_per_s=2.0, is_cutting=True),
    "duplicate": Fault(begin=_duplicating, is_cut_after=True),
    "address change": Fault(begin=_address_change, silent_on=TRANSPORTS),
}


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A fault, the transport it hits, and the one to be on afterwards."""

    fault: str
    transport: str
    after: str

    @property
    def name(self) -> str:
        switch = f" to {self.after}" if self.after != self.transport else ""
        return f"{self.fault}, {self.transport}{switch}"


CELLS = [
    Cell(fault=fault, transport=one, after=other)
    for fault in FAULTS
    for number, one in enumerate(TRANSPORTS)
    for other in (one, TRANSPORTS[(number + 1) % 3])
]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a cell came to."""

    cell: str
    verdict: Verdict
    noticed_s: float
    """Until both ends knew of a dead link; 0 where they were told."""
    healed_s: float
    """From the end of the fault until everybody had everything."""
    down_count: int
    """How often those behind the fault lost their connection during it."""


async def run_cell(server: Server, cell: Cell) -> Outcome:
    """Talk, let the fault happen, heal, and judge."""
    fault = FAULTS[cell.fault]
    async with (
        proxy_to(server.port) as http,
        proxy_to(server.tcp_port) as tcp,
    ):
        story = Story(server, time.monotonic)
        ways = [Way(proxied(http, tcp), cell.transport) for _ in range(2)]
        token = await anyio.to_thread.run_sync(server.visitor)
        visitor = story.person(f"v {cell.name}", token, ways[0])
        story.person(f"t {cell.name}", token, ways[1])
        clear = Way(ports_of(server), cell.transport)
        agent = story.person(f"a {cell.name}", server.agent_token, clear)
        async with running(story), anyio.create_task_group() as tasks:
            await story.begin(visitor, agent)
            for one in (visitor, agent):
                await one.talk(5, per_s=20)
            await story.until_complete()
            lost_before = [p.down_count for p in story.people[:2]]
            sessions = [way.streams[-1] for way in ways]
            links = [*http.links, *tcp.links]
            for proxy in (http, tcp):
                await fault.begin(proxy)
            began = time.monotonic()
            for one in (visitor, agent):
                if fault.talk_per_s:
                    count = int(fault.talk_per_s * fault.seconds)
                    tasks.start_soon(one.talk, count, fault.talk_per_s)
            noticed_s = 0.0
            if cell.transport in fault.silent_on:
                with anyio.fail_after(NOTICED_S):
                    await _until_noticed(story, lost_before, links, cell)
                noticed_s = time.monotonic() - began
                if cell.transport == "longpoll":
                    # Asked once: a request is a sign of life.
                    await anyio.sleep(max(0.0, began + NOTICED_S - time.monotonic()))
                    assert await _sessions_left(server, sessions) == 0
            await anyio.sleep(max(0.0, began + fault.seconds - time.monotonic()))
            downs = sum(p.down_count for p in story.people[:2]) - sum(lost_before)
            assert agent.down_count == 0, "only those behind the fault are hit"
            for way in ways:
                way.current = cell.after
            await _heal(http, tcp, fault, is_moving=cell.after != cell.transport)
            healed = time.monotonic()
            with anyio.fail_after(HEALED_S):
                for one in (visitor, agent):
                    await one.talk(5, per_s=20)
                while visitor.waiting or not story.is_complete:
                    await anyio.sleep(LOOK_S)
            healed_s = time.monotonic() - healed
        assert not (fault.is_harmless and downs), f"{downs} connections lost"
        assert not fault.is_cutting or http.cut_count + tcp.cut_count
    return Outcome(
        cell=cell.name,
        verdict=await story.end(),
        noticed_s=round(noticed_s, 2),
        healed_s=round(healed_s, 2),
        down_count=downs,
    )


async def _until_noticed(
    story: Story, before: list[int], links: list[Link], cell: Cell
) -> None:
    """Wait until the clients behind the fault have left, and the server let go."""
    while any(p.down_count <= n for p, n in zip(story.people, before, strict=False)):
        await anyio.sleep(LOOK_S)
    if cell.transport == "longpoll":
        return  # The connections of requests say nothing; sessions are asked for.
    while not all(link.has_server_left for link in links):
        await anyio.sleep(LOOK_S)


async def _sessions_left(server: Server, streams: list[Any]) -> int:
    """Return how many of these poll sessions the server still has.

    A hello with the id of a session that has ended begins another one.
    """
    left = 0
    hello = {"t": "hello", "v": 1, "token": "nobody's"}
    body = {"poll": 1, "ack": 0, "wait": 0, "hello": hello}
    async with httpx.AsyncClient(trust_env=False) as client:
        for stream in streams:
            session = stream._headers["kefu-session"]
            answer = await client.post(
                f"{server.url}/kefu/poll",
                headers={
                    "kefu-session": session,
                    "content-type": "application/msgpack",
                },
                content=msgspec.msgpack.encode(body),
            )
            left += answer.headers["kefu-session"] == session
    return left


async def _heal(http: Proxy, tcp: Proxy, fault: Fault, *, is_moving: bool) -> None:
    for proxy in (http, tcp):
        for way in (proxy.up, proxy.down):
            way.delay_s = way.jitter_s = 0.0
            way.bytes_per_s = 0
            way.is_swallowing = way.is_paused = False
            way.piece_bytes = 65_536
            way.filter = None
        proxy.is_duplicating = False
        proxy.idle_s = 0.0
        if fault.is_cut_after or is_moving:
            await proxy.cut()
