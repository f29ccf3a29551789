"""The two ways to a database, and the tasks that write: the base of `SqlStore`."""

import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
from anyio.abc import TaskGroup
from sqlalchemy import select, update
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kefu_core.abc.store import PendingAppend, StoreStatistics
from kefu_core.counts import SIZES, TIMES_S, Histogram
from kefu_core.errors import Busy, StorageFull, StoreUnavailable
from kefu_core.limits import Limits
from kefu_core.store import schema
from kefu_core.store import tables as t
from kefu_core.store.appender import Appender
from kefu_core.store.backlog import Backlog
from kefu_core.store.dialects import dialect_of
from kefu_core.store.engine import open_readers, open_writer, parse_url
from kefu_core.store.lane import Lane
from kefu_core.store.writing import drop

T = TypeVar("T")
_CLOSE_S = 10.0
_FULL_S = 5.0
"""So long after a refusal for want of room the database counts as full."""


class SqlAccess:
    """Opens and closes a database; reads from it, writes to it."""

    def __init__(
        self,
        url: str,
        limits: Limits,
        *,
        now: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self._limits = limits
        self._url = parse_url(url)
        self._dialect = dialect_of(self._url)
        self._read_errors: tuple[type[Exception], ...] = (
            TimeoutError,
            *self._dialect.errors,
        )
        self._now = now
        self._now_ms = now_ms
        self._writer: AsyncEngine | None = None
        self._readers: AsyncEngine | None = None
        self._backlog = Backlog(limits)
        self._appenders: list[Appender] = []
        """Each has the conversations whose number modulo their count is its own."""
        self._jobs: Appender | None = None
        """Gets no messages; where the appender does jobs itself, that appender."""
        self._lane: Lane | None = None
        self._tasks: TaskGroup | None = None

    # -- life --------------------------------------------------------------------------

    async def _open(self) -> TaskGroup:
        """Open the database, with its tables made if it has none, and start to write.

        Returns the tasks, which live until `_close`.

        Raises:
            ConfigurationError, StoreUnavailable: It cannot be; `_close` what is open.
        """
        self._writer = open_writer(self._url)
        self._readers = open_readers(self._url)
        revision = await schema.current_of(self._writer)
        if revision is None:
            # An empty database: the first start needs no command of its own.
            await schema.upgrade_engine(self._writer)
        else:
            schema.require(revision)
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._start_tasks(self._writer, self._tasks)
        return self._tasks

    def _start_tasks(self, writer: AsyncEngine, tasks: TaskGroup) -> None:
        dialect, limits = self._dialect, self._limits
        clocks: dict[str, Any] = {"now": self._now, "now_ms": self._now_ms}
        if dialect.has_lane:
            self._lane = Lane(
                dialect.draft_writer(writer), limits, self._backlog, **clocks
            )
            tasks.start_soon(self._lane.run)
        for _ in range(dialect.appenders + dialect.job_writers):
            appender = Appender(
                dialect.draft_writer(writer),
                limits,
                backlog=self._backlog,
                lane=self._lane,
                **clocks,
            )
            self._appenders.append(appender)
            tasks.start_soon(appender.run)
        self._jobs = self._appenders[-1]
        if dialect.job_writers:
            del self._appenders[dialect.appenders :]

    async def _close(self) -> None:
        try:
            if self._tasks is not None:
                with anyio.CancelScope(shield=True), anyio.move_on_after(_CLOSE_S):
                    for appender in self._writing:
                        await appender.close()
                    if self._lane is not None:
                        await self._lane.close()
                self._tasks.cancel_scope.cancel()
                await self._tasks.__aexit__(None, None, None)
        finally:
            with anyio.CancelScope(shield=True):
                # Readers first: the last to close checkpoints, and that is the writer.
                for engine in (self._readers, self._writer):
                    if engine is not None:
                        await engine.dispose()

    @property
    def _writing(self) -> list[Appender]:
        jobs = [self._jobs] if self._jobs and self._jobs not in self._appenders else []
        return self._appenders + jobs

    # -- state -------------------------------------------------------------------------

    @property
    def reads_checked_out(self) -> int:
        """Reading connections in use, for tests and metrics."""
        return self._readers.pool.checkedout() if self._readers else 0  # type: ignore[attr-defined]

    def statistics(self) -> StoreStatistics:
        committers = [appender.committer for appender in self._appenders]
        if self._lane is not None:
            committers.append(self._lane.committer)
        return StoreStatistics(
            appends_waiting=self._backlog.messages,
            bytes_waiting=self._backlog.size,
            commits=sum(committer.commits for committer in committers),
            messages=sum(committer.messages for committer in committers),
            commit_messages=sum(
                (committer.sizes.value() for committer in committers),
                start=Histogram(SIZES).value(),
            ),
            commit_s=sum(
                (committer.times.value() for committer in committers),
                start=Histogram(TIMES_S).value(),
            ),
            reads=self.reads_checked_out,
        )

    async def ping(self) -> None:
        await self._read(lambda c: c.execute(select(1)))
        committers = [each.committer for each in self._writing]
        if self._lane is not None:
            committers.append(self._lane.committer)
        full_at = [at for c in committers if (at := c.full_at) is not None]
        if not full_at:
            return
        if self._now() < max(full_at) + _FULL_S:
            # One page more may fit where a batch of messages does not.
            raise StorageFull(retry_after_s=_FULL_S)
        # Reading works on a full disk. Whether there is room again, only writing
        # tells; it changes nothing.
        epoch = t.installation.c.epoch
        await self._do(lambda c: c.execute(update(t.installation).values(epoch=epoch)))
        for committer in committers:
            committer.full_at = None

    # -- the two ways to the database --------------------------------------------------

    def submit(self, append: PendingAppend) -> None:
        if not self._appenders:
            raise StoreUnavailable("The store is not open.")
        share = append.draft.conversation % len(self._appenders)
        self._appenders[share].submit(append)

    async def _do(self, job: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run a write in a transaction of its own; see `Appender.do`."""
        if self._jobs is None:
            raise StoreUnavailable("The store is not open.")
        return await self._jobs.do(job)

    async def _damage(self) -> list[str]:
        """Return what the engine finds wrong with its files; it may take its time."""
        return await self._read(self._dialect.damage, timeout_s=math.inf)

    async def _read(
        self,
        query: Callable[[AsyncConnection], Awaitable[T]],
        *,
        timeout_s: float | None = None,
    ) -> T:
        """Run a read that the caller cannot cancel and that ends by itself.

        A cancelled statement leaves a driver's connection in doubt; so the caller's
        cancellation waits for the read, the read has a deadline, and a connection
        whose read ran out is thrown away.
        """
        if self._readers is None:
            raise StoreUnavailable("The store is not open.")
        with anyio.CancelScope(shield=True):
            connection = self._readers.connect()
            try:
                with anyio.fail_after(timeout_s or self._limits.read_timeout_s):
                    await connection.start()
                    result = await query(connection)
            except PoolTimeoutError as error:
                raise Busy(retry_after_s=1.0) from error
            except self._read_errors as error:
                await drop(connection, self._dialect)
                raise StoreUnavailable(retry_after_s=1.0) from error
            finally:
                if connection.sync_connection is not None:
                    await connection.close()
        return result
