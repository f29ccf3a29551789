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
  go first into the next batch, before any later one of the same conversation; when it
  was held three times in a row, the lane waits for it (`store.lane`).
- What may go wrong with a batch is `store.committing`'s.
- What nobody waits for rides along: it is committed with the next message that somebody
  does wait for, and alone only when its patience is at its end.
- Every `done` of a batch runs before the next batch is taken. Whoever must not store
  its later messages after a failure marks them void in that moment (G14).
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

from kefu_core.abc.store import PendingAppend
from kefu_core.errors import Busy, Invalid, KefuError, StorageFull, StoreUnavailable
from kefu_core.limits import Limits
from kefu_core.model import Draft
from kefu_core.store.backlog import Backlog
from kefu_core.store.committing import RETRY_S, Committer
from kefu_core.store.lane import Lane
from kefu_core.store.writing import (
    Committed,
    DataError,
    DiskFullError,
    DraftWriter,
    Job,
    TemporaryError,
)
from kefu_core.types import ConversationId

logger = logging.getLogger(__name__)

T = TypeVar("T")

_JOB_ATTEMPTS = 5
_JOBS_MAX = 4_096
_HELD_S = (0.001, 0.02)
"""Before a row that somebody else holds is tried again when nothing else waits."""
_HELD_MAX = 3
"""So often a conversation is left out in a row; then the lane waits for it."""
_IDLE_S = 300.0
"""After so long without work a connection over a network is closed: firewalls forget
idle ones, and who writes into such a one waits for an answer until its time is up."""


class Appender:
    """The task that writes."""

    def __init__(
        self,
        writer: DraftWriter,
        limits: Limits,
        *,
        now: Callable[[], float],
        now_ms: Callable[[], int],
        backlog: Backlog | None = None,
        lane: Lane | None = None,
    ) -> None:
        """Prepare; `run` writes.

        Args:
            writer: The connection.
            limits: Sizes and times.
            now: Monotonic seconds.
            now_ms: Unix milliseconds.
            backlog: The node's; None makes one.
            lane: Where held conversations wait; None tries them for ever.
        """
        self._rng = random.Random()
        self.committer = Committer(
            lambda drafts, timeout_s: self._transaction(drafts, timeout_s),
            limits,
            now=now,
            rng=self._rng,
        )
        self._writer = writer
        self._limits = limits
        self._now = now
        self._now_ms = now_ms
        self._backlog = backlog or Backlog(limits)
        self._lane = lane
        self._queue: deque[PendingAppend] = deque()
        self._riding: deque[PendingAppend] = deque()
        """What may wait for a message to be committed with."""
        self._held: dict[ConversationId, int] = {}
        """How often these could not be locked, in a row."""
        self._jobs: deque[tuple[Job[Any], Callable[[Any], None]]] = deque()
        self._wake = anyio.Event()
        self._is_open = True
        self._is_busy = False
        self._drained = anyio.Event()

    def submit(self, append: PendingAppend) -> None:
        """Queue a message. Raises `Busy` or `StoreUnavailable`; see `Store.submit`."""
        if not self._is_open:
            raise StoreUnavailable("The store is closing.", retry_after_s=1.0)
        self._backlog.enter(append)
        waiting = self._riding if append.patience_s else self._queue
        waiting.append(append)
        self._wake.set()

    async def do(self, job: Job[T]) -> T:
        """Run another write in a transaction of its own and return its result.

        Cancellation: the job runs to its end; only its result is not waited for.
        """
        if not self._is_open:
            raise StoreUnavailable("The store is closing.", retry_after_s=1.0)
        if len(self._jobs) >= _JOBS_MAX:
            raise Busy(retry_after_s=1.0)
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
                self._board()
                while self._queue or self._jobs:
                    # Whoever opened the store may be cancelled with all it started.
                    # That waits for the round, which `appender_wait_s` bounds: a
                    # cancelled driver leaves its lock and its transaction behind.
                    with anyio.CancelScope(shield=True):
                        if self._queue:
                            await self._commit_batch()
                        if self._jobs:
                            await self._run_job(*self._jobs.popleft())
                    self._board()
                self._is_busy = False
                self._drained.set()
                self._wake = anyio.Event()
                await self._rest()
        finally:
            self._is_open = self._is_busy = False
            self._refuse_all()
            self._drained.set()
            with anyio.CancelScope(shield=True):
                await self._writer.disconnect()

    def _board(self) -> None:
        """Let what rides along join what is committed next, or go by itself."""
        if not self._riding:
            return
        now = self._now()
        first = min(append.submitted_at + append.patience_s for append in self._riding)
        if self._queue or first <= now or not self._is_open:
            for append in self._riding:
                append.submitted_at = now
            self._queue.extend(self._riding)
            self._riding.clear()

    async def _rest(self) -> None:
        """Return when there is work."""
        if self._riding:
            until = min(each.submitted_at + each.patience_s for each in self._riding)
            with anyio.move_on_after(max(0.0, until - self._now())):
                await self._wake.wait()
            return
        if self._writer.is_remote:
            with anyio.move_on_after(_IDLE_S):
                await self._wake.wait()
            if not self._wake.is_set():
                with anyio.CancelScope(shield=True):
                    await self._writer.disconnect()
        await self._wake.wait()

    def _refuse_all(self) -> None:
        """Answer what will not be written: nobody may wait for a task that ended."""
        self._queue.extend(self._riding)
        self._riding.clear()
        while self._jobs:
            self._jobs.popleft()[1](StoreUnavailable("The store is closed."))
        while self._queue:
            append = self._queue.popleft()
            self._backlog.answer(append, StoreUnavailable("The store is closed."))

    async def close(self) -> None:
        """Refuse new work and wait until what waits is answered."""
        self._is_open = False
        self._wake.set()
        while self._queue or self._riding or self._jobs or self._is_busy:
            self._drained = anyio.Event()
            await self._drained.wait()

    # -- batches -----------------------------------------------------------------------

    def _take(self) -> list[PendingAppend]:
        """Take what goes into the next transaction; answer what may not."""
        limits = self._limits
        batch: list[PendingAppend] = []
        size = 0
        while self._queue and len(batch) < limits.commit_messages_max:
            append = self._queue[0]
            if batch and size + append.size > limits.commit_bytes_max:
                break
            self._queue.popleft()
            fault = self.committer.fault_of(append)
            if fault is not None:
                self._backlog.answer(append, fault)
            elif self._lane is not None and append.draft.conversation in self._lane:
                self._lane.add(append)
            else:
                batch.append(append)
                size += append.size
        return batch

    async def _commit_batch(self) -> None:
        batch = self._take()
        if not batch:
            return
        outcomes = await self.committer.store(batch)
        held: list[PendingAppend] = []
        for append, outcome in zip(batch, outcomes, strict=True):
            if outcome is None:
                held.append(append)
            else:
                self._backlog.answer(append, outcome)
        if held or self._held:
            await self._put_back(held)

    async def _put_back(self, held: list[PendingAppend]) -> None:
        """Let what could not be locked go first into the next batch, in its order."""
        counts = self._held
        self._held = {
            conversation: counts.get(conversation, 0) + 1
            for conversation in {append.draft.conversation for append in held}
        }
        again = []
        for append in held:
            conversation = append.draft.conversation
            if self._lane is None or self._held[conversation] < _HELD_MAX:
                again.append(append)
            else:
                self._lane.add(append)
        self._queue.extendleft(reversed(again))
        if again and len(again) == len(self._queue):
            await anyio.sleep(self._rng.uniform(*_HELD_S))

    async def _transaction(
        self, drafts: Sequence[Draft], timeout_s: float
    ) -> Committed:
        return await self._writer.commit(drafts, self._now_ms, timeout_s=timeout_s)

    # -- jobs --------------------------------------------------------------------------

    async def _run_job(self, job: Job[Any], done: Callable[[Any], None]) -> None:
        give_up_at = self._now() + self._limits.appender_wait_s
        result: Any = None
        for attempt in range(_JOB_ATTEMPTS):
            try:
                result = await self._writer.run(
                    job, timeout_s=self._limits.job_timeout_s
                )
            except KefuError as error:
                result = error
            except DataError as error:
                logger.warning("the database refuses a write: %s", error)
                result = Invalid("The database refuses this.")
                result.__cause__ = error
            except DiskFullError as error:
                self.committer.full_at = self._now()
                logger.warning("the database has no room: %s", error)
                result = StorageFull(retry_after_s=5.0)
                result.__cause__ = error
            except TemporaryError as error:
                may_try = self._is_open and attempt < _JOB_ATTEMPTS - 1
                if may_try and self._now() < give_up_at:
                    logger.info("a write is tried again: %s", error)
                    await anyio.sleep(self._rng.uniform(*RETRY_S))
                    continue
                logger.warning("a write failed: %s", error)
                result = StoreUnavailable(retry_after_s=1.0)
                result.__cause__ = error
            break
        done(result)
