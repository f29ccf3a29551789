"""Work that is done again and again: when it is called for, and now and then besides.

Nodes do not tell each other what happened; each finds it by a look at the store. So
there is always a next round, whatever became of this one.
"""

import logging
from collections.abc import Awaitable, Callable

import anyio

from kefu_core.errors import KefuError

logger = logging.getLogger(__name__)


class Rounds:
    """One node's rounds of one work; `wake` lets the next begin soon."""

    def __init__(
        self, what: str, interval_s: float, *, gather_s: float = 0.0, rest_s: float = 0
    ) -> None:
        """Take what is done, as the log names it, and its pace.

        Args:
            what: A sentence that goes on with "later", such as "bans are looked at".
            interval_s: So long after a round the next begins at the latest.
            gather_s: A round that was called for waits so long for more to do.
            rest_s: No round begins sooner than this after another.
        """
        self._what = what
        self._interval_s = interval_s
        self._gather_s = gather_s
        self._rest_s = rest_s
        self._wake = anyio.Event()

    def wake(self) -> None:
        """Let a round begin soon. What is called for in a round is done in the next."""
        self._wake.set()

    async def run(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do rounds until cancelled, whatever goes wrong in one."""
        while True:
            with anyio.move_on_after(self._interval_s):
                await self._wake.wait()
                await anyio.sleep(self._gather_s)
            self._wake = anyio.Event()
            try:
                await work()
            except KefuError as error:
                logger.info("%s later: %s", self._what, error)
            except Exception:
                # A fault of ours in one round must not end the server.
                logger.exception("%s later: a fault of ours", self._what)
            await anyio.sleep(self._rest_s)
