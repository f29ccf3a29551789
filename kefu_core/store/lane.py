"""Where messages wait for a conversation that somebody else holds.

An appender does not wait for a row: it leaves out what is held and goes on with the
other conversations. A conversation that was held three times in a row comes here. On a
connection of its own the lane asks for the row and waits in the database's queue, in
which everybody gets a turn, so that a busy neighbour cannot keep a conversation out for
ever. One conversation waits at a time, each for a second, then it is the next one's
turn. While a conversation is here, later messages of it follow it here: its order is
the order in which they came (G14).
"""

import random
from collections import deque
from collections.abc import Callable, Sequence

import anyio

from kefu_core.abc.store import PendingAppend
from kefu_core.errors import StoreUnavailable
from kefu_core.limits import Limits
from kefu_core.model import Draft
from kefu_core.store.backlog import Backlog
from kefu_core.store.committing import Committer
from kefu_core.store.writing import Committed, DraftWriter
from kefu_core.types import ConversationId

_TIMEOUT_MIN_S = 3.0


class Lane:
    """The task that waits for rows."""

    def __init__(
        self,
        writer: DraftWriter,
        limits: Limits,
        backlog: Backlog,
        *,
        now: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self.committer = Committer(
            self._transaction, limits, now=now, rng=random.Random()
        )
        self._writer = writer
        self._limits = limits
        self._backlog = backlog
        self._now_ms = now_ms
        self._waiting: dict[ConversationId, deque[PendingAppend]] = {}
        """In the order of their turns."""
        self._wake = anyio.Event()
        self._idle = anyio.Event()

    def __contains__(self, conversation: ConversationId) -> bool:
        """Whether a conversation's messages must wait here."""
        return conversation in self._waiting

    def add(self, append: PendingAppend) -> None:
        """Let a message wait, behind those of its conversation."""
        self._waiting.setdefault(append.draft.conversation, deque()).append(append)
        self._wake.set()

    async def run(self) -> None:
        """Wait for rows, for ever."""
        try:
            while True:
                while self._waiting:
                    with anyio.CancelScope(shield=True):
                        await self._serve(next(iter(self._waiting)))
                self._idle.set()
                self._wake = anyio.Event()
                await self._wake.wait()
        finally:
            for queue in self._waiting.values():
                for append in queue:
                    closed = StoreUnavailable("The store is closed.")
                    self._backlog.answer(append, closed)
            self._waiting.clear()
            self._idle.set()
            with anyio.CancelScope(shield=True):
                await self._writer.disconnect()

    async def close(self) -> None:
        """Wait until nothing waits here; whoever fills it is closed already."""
        while self._waiting:
            self._idle = anyio.Event()
            await self._idle.wait()

    async def _serve(self, conversation: ConversationId) -> None:
        queue = self._waiting[conversation]
        batch: list[PendingAppend] = []
        while queue and len(batch) < self._limits.commit_messages_max:
            append = queue.popleft()
            fault = self.committer.fault_of(append)
            if fault is None:
                batch.append(append)
            else:
                self._backlog.answer(append, fault)
        outcomes = await self.committer.store(batch) if batch else []
        held = []
        for append, outcome in zip(batch, outcomes, strict=True):
            if outcome is None:
                held.append(append)
            else:
                self._backlog.answer(append, outcome)
        queue.extendleft(reversed(held))
        del self._waiting[conversation]
        if queue:
            # Its turn is over; the next one's begins.
            self._waiting[conversation] = queue

    async def _transaction(
        self, drafts: Sequence[Draft], timeout_s: float
    ) -> Committed:
        # The database tells first that the row is held still.
        timeout_s = max(timeout_s, _TIMEOUT_MIN_S)
        return await self._writer.commit(
            drafts, self._now_ms, timeout_s=timeout_s, is_waiting=True
        )
