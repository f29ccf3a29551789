"""The composition root: store, hub and desk, opened and closed in order."""

import random
import time
from contextlib import AsyncExitStack
from typing import Protocol, Self

import anyio
from anyio.abc import TaskGroup

from kefu_core.abc.handler import Handler
from kefu_core.abc.store import Store
from kefu_core.hub import Hub
from kefu_core.limits import Limits
from kefu_core.transports.websocket import WebSocketApp


def monotonic() -> float:
    """Return monotonic seconds: the `now` of everything in this process."""
    return time.monotonic()


def unix_ms() -> int:
    """Return wall-clock milliseconds: only for what people are shown."""
    return time.time_ns() // 1_000_000


class NodeHandler(Protocol):
    """A handler that wants the hub and a task group of the node's life."""

    def attach(self, hub: Hub) -> None:
        """Take the hub, before anything is served."""

    async def start(self, tasks: TaskGroup) -> None:
        """Start background work in `tasks`; returns when it is ready."""


class Node:
    """`async with Node(store, handler, limits) as node:` serves until the block ends.

    Order: store, hub, handler; closed in reverse. At the end of the block the hub is
    drained if that was not done before: what was being committed is answered.
    """

    def __init__(self, store: Store, handler: Handler, limits: Limits) -> None:
        self.store = store
        self.handler = handler
        self.limits = limits
        self.hub = Hub(
            store,
            handler,
            limits,
            now=monotonic,
            now_ms=unix_ms,
            rng=random.SystemRandom(),
        )
        self.websocket = WebSocketApp(self.hub, limits, now=monotonic)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open. Raises what opening the store raises."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.store)
            tasks = await stack.enter_async_context(anyio.create_task_group())
            await tasks.start(self.hub.run)
            attach = getattr(self.handler, "attach", None)
            if attach is not None:
                attach(self.hub)
            start = getattr(self.handler, "start", None)
            if start is not None:
                await start(tasks)
            stack.callback(tasks.cancel_scope.cancel)
            stack.push_async_callback(self._drain)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Drain and close; bounded by `limits.stop_s`."""
        await self._stack.__aexit__(None, None, None)

    async def _drain(self) -> None:
        if not self.hub.is_draining:
            with (
                anyio.CancelScope(shield=True),
                anyio.move_on_after(self.limits.stop_s),
            ):
                await self.hub.drain()
