"""Whose turn it is to read the history: the chat always keeps connections of its own.

What looks back (lists, searches, exports) shares the store's readers with what is
read for the chat. So only a few may ask the store at once, the others wait their turn
in order, and one agent cannot take all the places of the queue.
"""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from kefu_core.errors import Busy, TooMany
from kefu_core.limits import Limits
from kefu_core.types import ParticipantId


class Turns:
    """Bounds what readers of the history ask of the store at once."""

    def __init__(self, limits: Limits) -> None:
        """Take `history_…` of the limits."""
        self._limits = limits
        self._places = anyio.Semaphore(limits.history_reads_max)
        self._asking: Counter[ParticipantId] = Counter()
        """Requests of each agent that wait or run."""
        self._exporting: set[ParticipantId] = set()

    @asynccontextmanager
    async def take(
        self, agent: ParticipantId, *, is_patient: bool = False
    ) -> AsyncIterator[None]:
        """Wait for a turn and hold it; patiently: however long that takes.

        Raises:
            TooMany: This agent has enough waiting.
            Busy: No turn came in `history_wait_s`.
        """
        enough = self._limits.agent_history_requests_max
        if self._asking[agent] >= enough and not is_patient:
            raise TooMany("Too many requests of yours are waiting.", retry_after_s=1)
        self._asking[agent] += 1
        try:
            await self._acquire(is_patient=is_patient)
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._asking[agent] -= 1
            if not self._asking[agent]:
                del self._asking[agent]

    async def _acquire(self, *, is_patient: bool) -> None:
        wait_s = None if is_patient else self._limits.history_wait_s
        try:
            with anyio.fail_after(wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise Busy(
                "Too much is being looked up; try again shortly.", retry_after_s=2
            ) from None

    def begin_export(self, agent: ParticipantId) -> None:
        """Note an export. Raises `TooMany` while another one of this agent runs."""
        if agent in self._exporting:
            raise TooMany("An export of yours is still running.", retry_after_s=5)
        self._exporting.add(agent)

    def end_export(self, agent: ParticipantId) -> None:
        """Note that it has ended; harmless when it has already."""
        self._exporting.discard(agent)
