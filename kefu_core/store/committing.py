"""Storing a batch whatever happens: again after a fault, in halves around bad data.

What holds, and why:

- A COMMIT whose outcome is unknown is run again: keys that were stored are found and
  answered with their first seq (G3).
- A message that the database refuses is found by halving the batch; its neighbours are
  stored. After a temporary failure of one half the rest of the batch fails as well.
- What one half could not lock, the other half does not store either: a conversation's
  order is that of its messages in the batch (G14).
"""

import logging
import random
from collections.abc import Awaitable, Callable, Sequence

import anyio

from kefu_core.abc.store import Outcome, PendingAppend
from kefu_core.counts import SIZES, TIMES_S, Histogram
from kefu_core.errors import (
    Busy,
    Invalid,
    KefuError,
    OutOfOrder,
    StorageFull,
    StoreError,
    StoreUnavailable,
)
from kefu_core.limits import Limits
from kefu_core.model import Draft
from kefu_core.store.writing import (
    Committed,
    DataError,
    DiskFullError,
    TemporaryError,
)

logger = logging.getLogger(__name__)

RETRY_S = (0.01, 0.25)
TIMEOUT_MIN_S = 1.0
"""A transaction has this long, however long its messages waited before."""

Transact = Callable[[Sequence[Draft], float], Awaitable[Committed]]
"""Runs one transaction, given its drafts and the seconds it may take."""


class Committer:
    """Turns a batch into outcomes."""

    def __init__(
        self,
        transact: Transact,
        limits: Limits,
        *,
        now: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self.commits = 0
        self.messages = 0
        self.sizes = Histogram(SIZES)
        self.times = Histogram(TIMES_S)
        self.full_at: float | None = None
        """When a transaction found no room on the disk, until somebody has tried."""
        self._transact = transact
        self._limits = limits
        self._now = now
        self._rng = rng

    def fault_of(self, append: PendingAppend) -> KefuError | None:
        """Return why a message may not be stored any more, None if it may."""
        if append.void:
            return OutOfOrder()
        if append.submitted_at < self._now() - self._limits.appender_wait_s:
            return Busy(retry_after_s=1.0)
        return None

    async def store(self, batch: Sequence[PendingAppend]) -> list[Outcome | None]:
        """Return an outcome for each; None for what somebody else has locked."""
        started = self._now()
        try:
            committed = await self._with_retries(batch)
        except KefuError as error:
            return [error] * len(batch)
        except DataError as error:
            if len(batch) == 1:
                logger.warning("the database refuses a message: %s", error)
                return [Invalid("The database refuses this message.")]
            return await self._store_halves(batch)
        self.commits += 1
        self.messages += len(committed.plan.messages)
        self.sizes.add(len(committed.plan.messages))
        self.times.add(self._now() - started)
        outcomes = iter(committed.plan.outcomes)
        return [
            None if append.draft.conversation in committed.deferred else next(outcomes)
            for append in batch
        ]

    async def _store_halves(
        self, batch: Sequence[PendingAppend]
    ) -> list[Outcome | None]:
        half = len(batch) // 2
        first, rest = await self.store(batch[:half]), batch[half:]
        if isinstance(first[-1], StoreError):
            return first + [first[-1]] * len(rest)
        held = {
            append.draft.conversation
            for append, outcome in zip(batch[:half], first, strict=True)
            if outcome is None
        }
        free = [append for append in rest if append.draft.conversation not in held]
        answers = iter(await self.store(free) if free else ())
        return first + [
            None if append.draft.conversation in held else next(answers)
            for append in rest
        ]

    async def _with_retries(self, batch: Sequence[PendingAppend]) -> Committed:
        drafts = [append.draft for append in batch]
        give_up_at = batch[0].submitted_at + self._limits.appender_wait_s
        while True:
            timeout_s = max(TIMEOUT_MIN_S, give_up_at - self._now())
            try:
                committed = await self._transact(drafts, timeout_s)
            except DiskFullError as error:
                self.full_at = self._now()
                logger.warning("the database has no room: %s", error)
                raise StorageFull(retry_after_s=5.0) from error
            except TemporaryError as error:
                if self._now() >= give_up_at:
                    logger.warning("a batch was not stored: %s", error)
                    raise StoreUnavailable(retry_after_s=1.0) from error
                logger.info("a batch is tried again: %s", error)
                await anyio.sleep(self._rng.uniform(*RETRY_S))
            else:
                return committed
