"""`idle --mix`: memory of connections at rest, of all transports on one server.

One transport's visitors come after the other's, and what the server's memory grows by
meanwhile is theirs. All keep saying that they are there; how many the server has is
asked of it in the end, so that nobody is counted who was sent away. Then all leave.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import anyio
import msgspec
import psutil
from websockets.exceptions import ConnectionClosed as WebSocketClosed

from benchmarks.idle import PER_ADDRESS, SETTLE_S, WARM_UP, Beat, opener_of
from benchmarks.mix import spread
from benchmarks.mixed import BadRunError
from benchmarks.result import machine, versions
from benchmarks.soak import Probe
from benchmarks.target import TRANSPORTS, Kefu
from kefu_core.errors import ConnectionClosed

BEAT_S = 15.0
"""Well within the 50 s of silence after which a server takes a client for gone."""
REST_S = 5.0
"""So long their CPU is counted."""
LEFT_S = 30.0
"""Within so much everything that was theirs is to be gone."""

KEPT_S = 6.0
"""So long a server keeps connections over which requests were made."""
GONE = (
    *(OSError, RuntimeError, ConnectionClosed),
    *(WebSocketClosed, anyio.BrokenResourceError, anyio.EndOfStream),
)


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What there was before anybody came, and is when all have left."""

    before: float
    after: float


class Resting(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of `idle --mix`; README.md explains the keys."""

    mix: dict[str, float]
    server: str
    connections: int
    by_transport: dict[str, dict[str, float]]
    idle_kib_per_connection: float
    over_empty_mib: float
    """All of it."""
    server_share_at_rest: float
    """Of a core, while they only say that they are there."""
    left: dict[str, Left]
    machine: dict[str, str | int | float]
    versions: dict[str, str]
    command: str


def run_resting(
    mix: Mapping[str, float], connections: int, server_name: str, command: str
) -> Resting:
    """Measure on a fresh server.

    Raises:
        BadRunError: Not all of them stayed.
    """
    facts = machine()
    everybody = spread(mix, connections)
    counts = {name: everybody.count(name) for name in mix}
    # Those who poll come last: between polls a session does not last for long.
    order = sorted(counts, key=["tcp", "websocket", "longpoll"].index)
    with tempfile.TemporaryDirectory(prefix="kefu-resting-") as name:
        server = Kefu(Path(name), server=server_name)
        probe = Probe(server, None)
        with server:
            tokens = {
                name: [server.visitor_token() for _ in range(counts[name] + WARM_UP)]
                for name in order
            }
            found = anyio.run(_measure, server, probe, tokens)
    by_transport, over_empty, share, left = found
    return Resting(
        mix={name: round(part, 3) for name, part in mix.items()},
        server=server_name,
        connections=connections,
        by_transport={name: by_transport[name] for name in TRANSPORTS if name in mix},
        idle_kib_per_connection=round(over_empty / connections / 1024, 1),
        over_empty_mib=round(over_empty / 2**20, 1),
        server_share_at_rest=round(share, 3),
        left=left,
        machine=facts,
        versions=versions(),
        command=command,
    )


Found = tuple[dict[str, dict[str, float]], int, float, dict[str, Left]]


async def _measure(
    server: Kefu, probe: Probe, tokens: Mapping[str, Sequence[str]]
) -> Found:
    async with AsyncExitStack() as stack:
        for name, some in tokens.items():
            for token in some[:WARM_UP]:
                await opener_of(name, server, [])(stack, token, "127.0.0.2")
    await _are_gone(probe)
    before, empty = _held(server, probe), server.rss_bytes()
    by_transport: dict[str, dict[str, float]] = {}
    async with AsyncExitStack() as stack, anyio.create_task_group() as tasks:
        beats: list[Beat] = []
        tasks.start_soon(_keep, beats)
        total, last = 0, empty
        for name, some in tokens.items():
            opened, own = opener_of(name, server, beats), some[WARM_UP:]
            for number, token in enumerate(own, total):
                await opened(stack, token, f"127.0.0.{3 + number // PER_ADDRESS}")
            total += len(own)
            await anyio.sleep(SETTLE_S)
            used, last = server.rss_bytes() - last, server.rss_bytes()
            by_transport[name] = {
                "connections": len(own),
                "bytes_per_connection": round(used / max(1, len(own))),
                "kib_per_connection": round(used / max(1, len(own)) / 1024, 1),
            }
        cpu_s = server.exact_cpu_s()
        await anyio.sleep(REST_S)
        share = (server.exact_cpu_s() - cpu_s) / REST_S
        there = probe.figures().get("kefu_connections", 0.0)
        tasks.cancel_scope.cancel()
    if there != total:
        raise BadRunError(
            f"Of {total} connections the server had {there:.0f} in the end: the memory "
            "of the others is in no figure."
        )
    await _are_gone(probe)
    after = _held(server, probe)
    left = {key: Left(before=before[key], after=after[key]) for key in before}
    return by_transport, last - empty, share, left


async def _keep(beats: list[Beat]) -> None:
    while True:
        began, known = time.monotonic(), list(beats)
        for beat in known:
            # Who was sent away is missing in the end, and that is told there.
            with suppress(*GONE):
                await beat()
        await anyio.sleep(max(0.1, BEAT_S - (time.monotonic() - began)))


async def _are_gone(probe: Probe) -> None:
    until = time.monotonic() + LEFT_S
    while probe.figures().get("kefu_connections", 0.0) and time.monotonic() < until:
        await anyio.sleep(0.2)
    await anyio.sleep(KEPT_S)


def _held(server: Kefu, probe: Probe) -> dict[str, float]:
    figures = probe.figures()
    return {
        "connections": figures.get("kefu_connections", 0.0),
        "tasks": figures["kefu_tasks"],
        "files": float(psutil.Process(server.pid).num_fds()),
        "memory_mib": round(server.rss_bytes() / 2**20, 1),
    }
