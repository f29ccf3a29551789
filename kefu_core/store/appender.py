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
- A conversation that another node holds at this moment is not waited for. Its messages
  go first into the next batch, before any later one of the same conversation.
- A COMMIT whose outcome is unknown is run again: keys that were stored are found and
  answered with their first seq (G3).
- Every `done` of a batch runs before the next batch is taken. Whoever must not store
  its later messages after a failure marks them void in that moment (G14).
- A message that the database refuses is found by halving the batch; its neighbours are
  stored. After a temporary failure of one half the rest of the batch fails as well.
- Other writes are jobs, each in a transaction of its own. On SQLite they are done by
  the same task, between commits: two writers would wait for each other's locks in
  threads. On a server they have an appender of their own, which gets no messages.

A server's database commits several transactions at once, so there each appender has a
share of the conversations; order holds within a conversation, which has one appender.
"""

import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import anyio

from kefu_core.abc.store import Outcome, PendingAppend
from kefu_core.errors import (
    Busy,
    Invalid,
    KefuError,
    OutOfOrder,
    StorageFull,
    StoreUnavailable,
)
from kefu_core.limits import Limits
from kefu_core.model import Draft
from kefu_core.store.writing import (
    Committed,
    DataError,
    DiskFullError,
    DraftWriter,
    Job,
    TemporaryError,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")

_RETRY_S = (0.01, 0.25)
_JOB_ATTEMPTS = 5
_HELD_S = (0.001, 0.02)
"""Before a row that somebody else holds is tried again when nothing else waits."""


class Appender:
    """The task that writes."""

    def __init__(
        self,
        writer: DraftWriter,
        limits: Limits,
        *,
        now: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self.commits = 0
        self.messages = 0
        self._writer = writer
        self._limits = limits
        self._now = now
        self._now_ms = now_ms
        self._rng = random.Random()
        self._queue: deque[PendingAppend] = deque()
        self._bytes = 0
        self._jobs: deque[tuple[Job[Any], Callable[[Any], None]]] = deque()
        self._wake = anyio.Event()
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
                await self._writer.disconnect()

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
        held: list[PendingAppend] = []
        for append, outcome in zip(batch, outcomes, strict=True):
            if outcome is None:
                held.append(append)
            else:
                append.done(append, outcome)
        if held:
            await self._put_back(held)

    async def _put_back(self, held: list[PendingAppend]) -> None:
        """Let what could not be locked go first into the next batch, in its order."""
        self._queue.extendleft(reversed(held))
        self._bytes += sum(append.size for append in held)
        if len(held) == len(self._queue):
            await anyio.sleep(self._rng.uniform(*_HELD_S))

    async def _store(
        self, drafts: Sequence[Draft], batch: Sequence[PendingAppend]
    ) -> list[Outcome | None]:
        """Return an outcome for each draft; None for what must be tried again."""
        try:
            committed = await self._transaction_with_retries(drafts, batch)
        except KefuError as error:
            return [error] * len(drafts)
        except DataError as error:
            if len(drafts) == 1:
                logger.warning("the database refuses a message: %s", error)
                return [Invalid("The database refuses this message.")]
            half = len(drafts) // 2
            first = await self._store(drafts[:half], batch[:half])
            if isinstance(first[-1], StoreUnavailable):
                return first + [first[-1]] * (len(drafts) - half)
            return first + await self._store(drafts[half:], batch[half:])
        self.commits += 1
        self.messages += len(committed.plan.messages)
        outcomes = iter(committed.plan.outcomes)
        return [
            None if draft.conversation in committed.deferred else next(outcomes)
            for draft in drafts
        ]

    async def _transaction_with_retries(
        self, drafts: Sequence[Draft], batch: Sequence[PendingAppend]
    ) -> Committed:
        give_up_at = batch[0].submitted_at + self._limits.appender_wait_s
        while True:
            try:
                return await self._transaction(drafts)
            except DiskFullError as error:
                logger.warning("the database has no room: %s", error)
                raise StorageFull(retry_after_s=5.0) from error
            except TemporaryError as error:
                if self._now() >= give_up_at:
                    logger.warning("a batch was not stored: %s", error)
                    raise StoreUnavailable(retry_after_s=1.0) from error
                logger.info("a batch is tried again: %s", error)
                await anyio.sleep(self._rng.uniform(*_RETRY_S))

    async def _transaction(self, drafts: Sequence[Draft]) -> Committed:
        return await self._writer.commit(drafts, self._now_ms)

    # -- jobs --------------------------------------------------------------------------

    async def _run_job(self, job: Job[Any], done: Callable[[Any], None]) -> None:
        give_up_at = self._now() + self._limits.appender_wait_s
        result: Any = None
        for attempt in range(_JOB_ATTEMPTS):
            try:
                result = await self._writer.run(job)
            except KefuError as error:
                result = error
            except DataError as error:
                logger.warning("the database refuses a write: %s", error)
                result = Invalid("The database refuses this.")
                result.__cause__ = error
            except DiskFullError as error:
                result = StorageFull(retry_after_s=5.0)
                result.__cause__ = error
            except TemporaryError as error:
                may_try = self._is_open and attempt < _JOB_ATTEMPTS - 1
                if may_try and self._now() < give_up_at:
                    logger.info("a write is tried again: %s", error)
                    await anyio.sleep(self._rng.uniform(*_RETRY_S))
                    continue
                logger.warning("a write failed: %s", error)
                result = StoreUnavailable(retry_after_s=1.0)
                result.__cause__ = error
            break
        done(result)


def _fault(append: PendingAppend, expired_before: float) -> KefuError | None:
    if append.void:
        return OutOfOrder()
    if append.submitted_at < expired_before:
        return Busy(retry_after_s=1.0)
    return None
