"""The composition root: store, hub and desk, opened and closed in order."""

import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Protocol, Self

import anyio
from anyio.abc import TaskGroup

from kefu_core import languages_detect
from kefu_core.abc.files import FileStorage
from kefu_core.abc.handler import Handler
from kefu_core.abc.outgoing import Mailer, Poster
from kefu_core.abc.store import Store
from kefu_core.abc.tracing import MessageTracer
from kefu_core.abc.translator import Translator
from kefu_core.abc.transports import (
    AsgiEndpoint,
    ServerContext,
    SocketEndpoint,
    Transport,
)
from kefu_core.desk import Desk
from kefu_core.errors import ConfigurationError
from kefu_core.followers.delivering import Delivering
from kefu_core.followers.files import FileSweep
from kefu_core.followers.indexer import Indexer
from kefu_core.followers.mailing import Mailing
from kefu_core.followers.reporter import Reporter
from kefu_core.followers.retention import ErasureWatch, Retention
from kefu_core.followers.telling import Telling
from kefu_core.followers.translating import Translating
from kefu_core.hub import Hub
from kefu_core.ids import IdGenerator
from kefu_core.limits import Limits
from kefu_core.translators.chain import Chain
from kefu_core.translators.economy import Economy
from kefu_core.transports.registry import find_transport


def monotonic() -> float:
    """Return monotonic seconds: the `now` of everything in this process."""
    return time.monotonic()


def unix_ms() -> int:
    """Return wall-clock milliseconds: only for what people are shown."""
    return time.time_ns() // 1_000_000


def _detect(text: str, likely: str) -> str:
    return languages_detect.detect(text, likely=likely)


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

    def __init__(
        self,
        store: Store,
        handler: Handler,
        limits: Limits,
        *,
        transports: Sequence[str | Transport] = ("websocket", "longpoll", "tcp"),
        mailer: Mailer | None = None,
        poster: Poster | None = None,
        storage: FileStorage | None = None,
        translators: Sequence[Translator] = (),
        tracer: MessageTracer | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            store: Where everything is kept.
            handler: Who may do what; a `Desk`, or your own.
            limits: Sizes and counts.
            transports: Names, or objects of your own, of what may be served.
            mailer: Who carries mail; without one it waits in the store.
            poster: Who tells webhooks; without one nothing is written down for them.
            storage: Who keeps files, to clear away those that nobody needs any more.
            translators: Services in their order, for sites that translate.
            tracer: Is told of each step of each message that somebody sends.

        Raises:
            ConfigurationError: There is no such transport.
        """
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
            tracer=tracer,
        )
        context = ServerContext(
            server=self.hub,
            limits=limits,
            now=monotonic,
            rng=random.Random(random.SystemRandom().getrandbits(64)),
        )
        self._endpoints: dict[str, AsgiEndpoint | SocketEndpoint] = {}
        for each in transports:
            transport = find_transport(each) if isinstance(each, str) else each
            self._endpoints[transport.name] = transport.endpoint(context)
        self._mailer = mailer
        self._poster = poster
        self._storage = storage
        self._translators = translators
        self.economy: Economy | None = None
        """What translates while the node is open, with its figures."""
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
            retention = Retention(
                self.store,
                now=monotonic,
                now_ms=unix_ms,
                journal_days=self.limits.journal_days,
            )
            tasks.start_soon(retention.run)
            indexer = Indexer(self.store, now=monotonic)
            self.hub.observers.append(indexer)
            tasks.start_soon(indexer.run)
            reporter = Reporter(
                self.store, ids=IdGenerator(unix_ms), now=monotonic, now_ms=unix_ms
            )
            tasks.start_soon(reporter.run)
            if self._translators:
                self._translate(tasks, self._translators)
            tasks.start_soon(ErasureWatch(self.store, self._forget).run)
            if self._storage is not None:
                sweep = FileSweep(self.store, self._storage, now_ms=unix_ms)
                tasks.start_soon(sweep.run)
            if self._mailer is not None:
                mailing = Mailing(
                    self.store, self._mailer, now_ms=unix_ms, rng=random.SystemRandom()
                )
                tasks.start_soon(mailing.run)
            if self._poster is not None:
                self._tell_webhooks(tasks, self._poster)
            for endpoint in self._endpoints.values():
                if isinstance(endpoint, AsgiEndpoint):
                    await stack.enter_async_context(endpoint)
            stack.callback(tasks.cancel_scope.cancel)
            stack.push_async_callback(self._drain)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Drain and close; bounded by `limits.stop_s`."""
        await self._stack.__aexit__(None, None, None)

    @property
    def websocket(self) -> AsgiEndpoint:
        """The WebSocket application: mount it in any ASGI framework."""
        return self.asgi("websocket")

    @property
    def longpoll(self) -> AsgiEndpoint:
        """The long-poll application: mount it in any ASGI framework."""
        return self.asgi("longpoll")

    @property
    def tcp(self) -> SocketEndpoint:
        """What serves the connections of a listening socket."""
        return self.socket("tcp")

    def asgi(self, name: str) -> AsgiEndpoint:
        """Return a transport's ASGI application. Raises `ConfigurationError`."""
        endpoint = self._endpoints.get(name)
        if not isinstance(endpoint, AsgiEndpoint):
            raise ConfigurationError(f"No ASGI transport {name!r} is served here.")
        return endpoint

    def socket(self, name: str) -> SocketEndpoint:
        """Return a transport that listens itself. Raises `ConfigurationError`."""
        endpoint = self._endpoints.get(name)
        if not isinstance(endpoint, SocketEndpoint):
            raise ConfigurationError(f"No listening transport {name!r} is served here.")
        return endpoint

    def _forget(self) -> None:
        self.hub.forget()
        if self.economy is not None:
            self.economy.forget()

    def _translate(self, tasks: TaskGroup, translators: Sequence[Translator]) -> None:
        self.economy = Economy(
            Chain(translators, now=monotonic, rng=random.SystemRandom()),
            self.store,
            ids=IdGenerator(unix_ms),
            now=monotonic,
            now_ms=unix_ms,
        )
        has_model = languages_detect.is_available()
        translating = Translating(
            self.store,
            self.hub,
            self.economy,
            now=monotonic,
            now_ms=unix_ms,
            detect=_detect if has_model else None,
        )
        self.hub.observers.append(translating)
        if isinstance(self.handler, Desk):
            self.handler.translations = self.economy
            self.handler.interpreter = translating

        async def run() -> None:
            if has_model:
                await anyio.to_thread.run_sync(languages_detect.load)
            await translating.run()

        tasks.start_soon(run)
        tasks.start_soon(self.economy.run)

    def _tell_webhooks(self, tasks: TaskGroup, poster: Poster) -> None:
        delivering = Delivering(
            self.store, poster, now_ms=unix_ms, rng=random.SystemRandom()
        )
        telling = Telling(
            self.store,
            ids=IdGenerator(unix_ms),
            now=monotonic,
            now_ms=unix_ms,
            told=delivering.wake,
        )
        self.hub.observers.append(telling)
        tasks.start_soon(telling.run)
        tasks.start_soon(delivering.run)

    async def _drain(self) -> None:
        if not self.hub.is_draining:
            with (
                anyio.CancelScope(shield=True),
                anyio.move_on_after(self.limits.stop_s),
            ):
                await self.hub.drain()
