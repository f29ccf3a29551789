"""Transports × codecs × stores × event loops, served by hypercorn on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from socket import socket
from typing import Any, cast

import anyio
import hypercorn.asyncio
import hypercorn.trio
import pytest
import sniffio
import trio
from hypercorn.config import Config
from hypercorn.events import Closed
from hypercorn.trio.tcp_server import TCPServer

from kefu_core.abc.store import Store
from kefu_core.abc.transports import AsgiEndpoint
from kefu_core.limits import Limits
from kefu_core.node import monotonic, unix_ms
from kefu_core.store.memory import MemoryStore
from kefu_core.store.sql import SqlStore
from kefu_core.testing.serving import OpenStore
from kefu_server.hardening import harden_hypercorn
from kefu_server.servers.with_hypercorn import HypercornServer
from tests.depth import IS_LONG

# SQLite's driver needs asyncio, so trio has the memory store only.
WORLDS = ["asyncio-memory", "asyncio-sqlite", "uvloop-memory", "trio-memory"]
if IS_LONG:
    # Nothing in it is new: that store meets one loop, and that loop another store.
    WORLDS.append("uvloop-sqlite")

_SLOW_SHARES = 9

ONCE_A_LOOP = ("dead_one_way", "quiet_link", "vanish", "never_says_hello", "rubbish")
"""Tests that wait for time-outs. Neither the store nor the codec has a part in them,
so they run once for each transport and event loop."""
NO_STORE = ("an_error_is_told", "a_close_code_says_why", "a_hello_that_fails")
"""Tests that end before anything is stored."""
LEFT_OUT = ("[asyncio-sqlite-msgpack", "[uvloop-memory-json")
"""A codec knows nothing of stores and loops: each meets two loops, and one the disk."""


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what would only do the same again, but for the long run."""
    if IS_LONG:
        return
    again = [
        item
        for item in items
        if "conformance" in str(item.path) and _is_same_again(item.name)
    ]
    if again:
        config.hook.pytest_deselected(items=again)
        left_out = set(again)
        items[:] = [item for item in items if item not in left_out]


def _is_same_again(name: str) -> bool:
    if any(word in name for word in ONCE_A_LOOP):
        return "-sqlite" in name or "-json" in name
    if any(word in name for word in NO_STORE) and "-sqlite" in name:
        return True
    return any(left_out in name for left_out in LEFT_OUT)


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> str:
    """An event loop and a store."""
    return str(request.param)


@pytest.fixture
def anyio_backend(world: str) -> tuple[str, dict[str, Any]]:
    loop = world.partition("-")[0]
    if loop == "trio":
        return "trio", {}
    return "asyncio", {"use_uvloop": loop == "uvloop"}


@pytest.fixture
def world_share(world: str, codec: str) -> tuple[int, int]:
    """The worlds share the offsets of exhaustive tests of a codec between them."""
    if IS_LONG:
        return WORLDS.index(world), len(WORLDS)
    if world.endswith("sqlite"):
        # The slow one does some that the others do as well.
        return 0, _SLOW_SHARES
    sharing = [
        each
        for each in WORLDS
        if each.endswith("memory") and f"[{each}-{codec}" not in LEFT_OUT
    ]
    return sharing.index(world), len(sharing)


@pytest.fixture
def world_store(world: str, tmp_path: Path) -> OpenStore:
    if world.endswith("sqlite"):
        return sqlite_in(tmp_path)
    return lambda limits: MemoryStore(limits, now=monotonic, now_ms=unix_ms)


def sqlite_in(folder: Path) -> Callable[[Limits], Store]:
    url = f"sqlite+aiosqlite:///{folder / 'kefu.db'}"
    return lambda limits: SqlStore(url, limits=limits, now=monotonic, now_ms=unix_ms)


_protocol_send = TCPServer.protocol_send


async def _send_or_close(self: TCPServer, event: Any) -> None:
    """Take a write that meets the closing of its connection for a closed one.

    Hypercorn's trio worker (0.18) lets this end the whole server instead.
    """
    try:
        await _protocol_send(self, event)
    except trio.BusyResourceError:
        await self.protocol.handle(Closed())


TCPServer.protocol_send = _send_or_close  # type: ignore[method-assign]


@asynccontextmanager
async def serve_by_hypercorn(
    endpoint: AsgiEndpoint, listening: socket
) -> AsyncIterator[None]:
    """Serve one endpoint until the block ends."""
    if _is_uvloop():
        async with _serve_as_deployed(endpoint, listening):
            yield
        return
    config = Config()
    config.bind = [f"fd://{listening.detach()}"]
    config.graceful_timeout = 0.2
    config.keep_alive_timeout = 75
    config.errorlog = None
    is_asyncio = sniffio.current_async_library() == "asyncio"
    serve: Any = hypercorn.asyncio.serve if is_asyncio else hypercorn.trio.serve
    stop = anyio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await endpoint(scope, receive, send)
            return
        while True:
            event = await receive()
            await send({"type": f"{event['type']}.complete"})
            if event["type"] == "lifespan.shutdown":
                return

    async with anyio.create_task_group() as tasks:

        async def run() -> None:
            await serve(app, config, shutdown_trigger=stop.wait)

        tasks.start_soon(run)
        try:
            yield
        finally:
            stop.set()


def _is_uvloop() -> bool:
    if sniffio.current_async_library() != "asyncio":
        return False
    return type(asyncio.get_running_loop()).__module__.startswith("uvloop")


@asynccontextmanager
async def _serve_as_deployed(
    endpoint: AsgiEndpoint, listening: socket
) -> AsyncIterator[None]:
    """Serve as `kefu serve` does, where WebSockets are handed over directly."""
    server = HypercornServer(cast(Any, endpoint), Limits())
    harden_hypercorn()
    async with server.accepting(listening):
        yield
    await server.finish(1.0)
