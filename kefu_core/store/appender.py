"""Group commit: one transaction for all that waits.

Theory of operation
-------------------

A durable commit costs a flush of the disk, whether it holds one message or a hundred.
So appends queue for one task, which takes everything that waits, commits it in one
transaction, and then, in one step without an await, answers all of it. There is no
timer: the commit in flight is the window in which the next batch collects. An idle
server commits a lone message at once; a busy one commits large batches.

::

    submit ─▶ queue ─▶ take ─▶ BEGIN ─▶ rows, known keys ─▶ plan ─▶ write ─▶ COMMIT
                         ▲                                            │        │
                         └───── unknown or temporary: whole again ◀───┴────────┤
                                                                               ▼
                                                              done, done, … in order

What holds, and why:

- The write connection belongs to this task alone. A client that goes away never
  cancels a statement, so no transaction is ever left in doubt by it (G11).
- Rows are locked first and keys are looked up second; on SQLite the lock is the
  database's (`BEGIN IMMEDIATE`). Nothing slow happens between BEGIN and COMMIT.
- A COMMIT whose outcome is unknown is run again: keys that were stored are found and
  answered with their first seq (G3).
- Every `done` of a batch runs before the next batch is taken. Whoever must not store
  its later messages after a failure marks them void in that moment (G14).
- A message that the database refuses is found by halving the batch; its neighbours are
  stored. After a temporary failure of one half the rest of the batch fails as well.
- Other writes are jobs of the same task, each in a transaction of its own: SQLite has
  one writer, and two would wait for each other's locks in threads.

Given up: a second writer. One commit at a time is what the disk does anyway.
"""

import logging
import random
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import anyio
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kefu_core.abc.store import Outcome, PendingAppend
from kefu_core.errors import (
    Busy,
    Invalid,
    KefuError,
    OutOfOrder,
    StoreUnavailable,
)
from kefu_core.limits import Limits
from kefu_core.model import Draft
from kefu_core.store.planner import Plan
from kefu_core.store.transaction import commit_drafts

logger = logging.getLogger(__name__)

T = TypeVar("T")
Job = Callable[[AsyncConnection], Awaitable[T]]

_RETRY_S = (0.01, 0.25)


class _DataError(Exception):
    """The database refuses something in the batch."""


class _TemporaryError(Exception):
    """The transaction did not happen, or nobody knows; it may be run again."""


class Appender:
    """The task that writes."""

    def __init__(
        self,
        engine: AsyncEngine,
        limits: Limits,
        *,
        now: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self.commits = 0
        self.messages = 0
        self._engine = engine
        self._limits = limits
        self._now = now
        self._now_ms = now_ms
        self._rng = random.Random()
        self._queue: deque[PendingAppend] = deque()
        self._bytes = 0
        self._jobs: deque[tuple[Job[Any], Callable[[Any], None]]] = deque()
        self._wake = anyio.Event()
        self._connection: AsyncConnection | None = None
        self._driver: Any = None
        """The driver's own connection: the way of a message goes past no layer."""
        self._is_open = True
        self._is_busy = False
        self._drained = anyio.Event()

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages and bytes that wait."""
        return len(self._queue), self._bytes

    def submit(self, append: PendingAppend) -> None:
        """Queue a message. Raises `Busy` or `StoreUnavailable`; see `Store.submit`."""
        limits = self._limits
        if not self._is_open:
            raise StoreUnavailable("The store is closing.", retry_after_s=1.0)
        if (
            len(self._queue) >= limits.appender_messages_max
            or self._bytes + append.size > limits.appender_bytes_max
        ):
            raise Busy(retry_after_s=1.0)
        self._queue.append(append)
        self._bytes += append.size
        self._wake.set()

    async def do(self, job: Job[T]) -> T:
        """Run another write in a transaction of its own and return its result.

        Cancellation: the job runs to its end; only its result is not waited for.
        """
        if not self._is_open:
            raise StoreUnavailable("The store is closing.", retry_after_s=1.0)
        finished = anyio.Event()
        results: list[Any] = []

        def done(result: Any) -> None:
            results.append(result)
            finished.set()

        self._jobs.append((job, done))
        self._wake.set()
        await finished.wait()
        result = results[0]
        if isinstance(result, BaseException):
            raise result
        return result  # type: ignore[no-any-return]

    async def run(self) -> None:
        """Write for ever."""
        try:
            while True:
                self._is_busy = True
                while self._queue or self._jobs:
                    # Whoever opened the store may be cancelled with all it started.
                    # That waits for the round, which `appender_wait_s` bounds: a
                    # cancelled driver leaves its lock and its transaction behind.
                    with anyio.CancelScope(shield=True):
                        if self._jobs:
                            await self._run_job(*self._jobs.popleft())
                        if self._queue:
                            await self._commit_batch()
                self._is_busy = False
                self._drained.set()
                self._wake = anyio.Event()
                await self._wake.wait()
        finally:
            self._is_open = self._is_busy = False
            self._refuse_all()
            self._drained.set()
            with anyio.CancelScope(shield=True):
                await self._disconnect()

    def _refuse_all(self) -> None:
        """Answer what will not be written: nobody may wait for a task that ended."""
        while self._jobs:
            self._jobs.popleft()[1](StoreUnavailable("The store is closed."))
        while self._queue:
            append = self._queue.popleft()
            append.done(append, StoreUnavailable("The store is closed."))
        self._bytes = 0

    async def close(self) -> None:
        """Refuse new work and wait until what waits is answered."""
        self._is_open = False
        while self._queue or self._jobs or self._is_busy:
            self._drained = anyio.Event()
            await self._drained.wait()

    # -- batches -----------------------------------------------------------------------

    def _take(self) -> list[PendingAppend]:
        """Take what goes into the next transaction; answer what may not."""
        limits = self._limits
        batch: list[PendingAppend] = []
        size = 0
        expired_before = self._now() - limits.appender_wait_s
        while self._queue and len(batch) < limits.commit_messages_max:
            append = self._queue[0]
            if batch and size + append.size > limits.commit_bytes_max:
                break
            self._queue.popleft()
            self._bytes -= append.size
            fault = _fault(append, expired_before)
            if fault is not None:
                append.done(append, fault)
                continue
            batch.append(append)
            size += append.size
        return batch

    async def _commit_batch(self) -> None:
        batch = self._take()
        if not batch:
            return
        outcomes = await self._store([append.draft for append in batch], batch)
        for append, outcome in zip(batch, outcomes, strict=True):
            append.done(append, outcome)

    async def _store(
        self, drafts: Sequence[Draft], batch: Sequence[PendingAppend]
    ) -> list[Outcome]:
        try:
            planned = await self._transaction_with_retries(drafts, batch)
        except KefuError as error:
            return [error] * len(drafts)
        except _DataError as error:
            if len(drafts) == 1:
                logger.warning("the database refuses a message: %s", error)
                return [Invalid("The database refuses this message.")]
            half = len(drafts) // 2
            first = await self._store(drafts[:half], batch[:half])
            if isinstance(first[-1], StoreUnavailable):
                return first + [first[-1]] * (len(drafts) - half)
            return first + await self._store(drafts[half:], batch[half:])
        self.commits += 1
        self.messages += len(planned.messages)
        return list(planned.outcomes)

    async def _transaction_with_retries(
        self, drafts: Sequence[Draft], batch: Sequence[PendingAppend]
    ) -> Plan:
        give_up_at = batch[0].submitted_at + self._limits.appender_wait_s
        while True:
            try:
                return await self._transaction(drafts)
            except _TemporaryError as error:
                await self._disconnect()
                if self._now() >= give_up_at:
                    logger.warning("a batch was not stored: %s", error)
                    raise StoreUnavailable(retry_after_s=1.0) from error
                logger.info("a batch is tried again: %s", error)
                await anyio.sleep(self._rng.uniform(*_RETRY_S))

    async def _transaction(self, drafts: Sequence[Draft]) -> Plan:
        try:
            driver = self._driver or await self._connect()
            # The driver's own way into its thread, which its public methods share.
            return await driver._execute(  # type: ignore[no-any-return]
                commit_drafts, driver._conn, drafts, self._now_ms
            )
        except (
            sqlite3.Error,
            SQLAlchemyError,
            OSError,
            ValueError,
            OverflowError,
            TypeError,
        ) as error:
            if _is_about_data(error):
                await self._roll_back()
                raise _DataError(str(error)) from error
            raise _TemporaryError(str(error)) from error

    async def _roll_back(self) -> None:
        try:
            await self._driver.execute_fetchall("ROLLBACK")
        except (sqlite3.Error, ValueError) as error:
            logger.info("rollback failed, the connection is replaced: %s", error)
            await self._disconnect()

    # -- jobs --------------------------------------------------------------------------

    async def _run_job(self, job: Job[Any], done: Callable[[Any], None]) -> None:
        result: Any
        try:
            await self._connect()
            assert self._connection is not None, "connected without a connection"
            async with self._connection.begin():
                result = await job(self._connection)
        except KefuError as error:
            result = error
        except (SQLAlchemyError, sqlite3.Error, OSError, ValueError) as error:
            logger.warning("a write failed: %s", error)
            await self._disconnect()
            unavailable = StoreUnavailable(retry_after_s=1.0)
            unavailable.__cause__ = error
            result = unavailable
        done(result)

    # -- the connection ----------------------------------------------------------------

    async def _connect(self) -> Any:
        if self._connection is None:
            connection = await self._engine.connect()
            raw = await connection.get_raw_connection()
            self._connection, self._driver = connection, raw.driver_connection
        return self._driver

    async def _disconnect(self) -> None:
        """Drop the connection; closing it rolls back what it had begun."""
        connection, self._connection, self._driver = self._connection, None, None
        if connection is None:
            return
        try:
            await connection.invalidate()
            await connection.close()
        except (SQLAlchemyError, sqlite3.Error, OSError, ValueError) as error:
            logger.info("a broken connection did not close: %s", error)


def _fault(append: PendingAppend, expired_before: float) -> KefuError | None:
    if append.void:
        return OutOfOrder()
    if append.submitted_at < expired_before:
        return Busy(retry_after_s=1.0)
    return None


def _is_about_data(error: Exception) -> bool:
    """Whether the statement's values are at fault, not the database's state."""
    if isinstance(error, (UnicodeError, OverflowError, TypeError)):
        # A lone surrogate, a number beyond 64 bits, `data` that JSON cannot say.
        return True
    return isinstance(
        error, (sqlite3.DataError, sqlite3.InterfaceError, sqlite3.NotSupportedError)
    )
