"""Brings the search index up to the log, and keeps its parts few.

The hub says which conversations have news: they are indexed at once. What nobody said,
because another node or process stored it, or because this one was not running, is found
by walking through the conversations, every few seconds and for as long as that finds
anything. Both are the same small transactions, and while people write, no more than
half of the time is spent in them.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from kefu_core.abc.archive import Archive
from kefu_core.errors import KefuError
from kefu_core.model import Appended, Cursor
from kefu_core.types import ConversationId

logger = logging.getLogger(__name__)

T = TypeVar("T")

GATHER_S = 0.5
"""News waits so long for more: a transaction costs the same for one as for twenty."""
WALK_INTERVAL_S = 10.0
QUIET_S = 5.0
"""Without a message for so long, nobody is in the way."""
LIVE_MESSAGES, QUIET_MESSAGES = 200, 500
"""In one transaction: some 20 ms and 50 ms of SQLite's only writer."""
NEWS_MAX = 10_000
"""Conversations; of more news than that the next walk knows as well."""
_AT_ONCE = 200
_RETRY_S = 1.0
_LAG_INTERVAL_S = 60.0
_LAG_MESSAGES = 10_000


class Indexer:
    """Observes the hub and feeds the store's search index."""

    def __init__(self, archive: Archive, *, now: Callable[[], float]) -> None:
        """Take the archive and monotonic seconds."""
        self._archive = archive
        self._now = now
        self._news: dict[ConversationId, None] = {}
        self._news_at = 0.0
        """When the oldest of them came."""
        self._wake = anyio.Event()
        self._last_message_at = float("-inf")
        self._walk_at = float("-inf")
        """When the next walk begins; at once after the start."""
        self._lag_at = now()
        """When it is said next how far the index is behind, if it is."""

    # -- what the hub tells ------------------------------------------------------------

    def message_committed(self, appended: Appended) -> None:
        """Note that a conversation has news."""
        self._last_message_at = self._now()
        if not self._news:
            self._news_at = self._now()
        if len(self._news) < NEWS_MAX:
            self._news[appended.message.conversation] = None
        self._wake.set()

    def message_found(self, repeated: Appended) -> None:
        """Note a message that was stored and perhaps told to nobody."""
        self.message_committed(repeated)

    def cursor_advanced(self, cursor: Cursor) -> None:
        """Nothing to search for."""

    def history_erased(self) -> None:
        """Whoever erases takes it out of the index as well."""

    # -- the work ----------------------------------------------------------------------

    async def run(self) -> None:
        """Index for ever; a store that is away is waited for."""
        while True:
            try:
                while await self._step():
                    pass
                await self._rest()
            except KefuError as error:
                logger.info("the search index waits for the store: %s", error)
                self._walk_at = self._now()
                await anyio.sleep(_RETRY_S)
            except Exception:
                # A fault of ours in one message must not end the server, and not spin.
                logger.exception("the search index cannot go on; it tries again")
                self._walk_at = self._now() + WALK_INTERVAL_S
                await anyio.sleep(WALK_INTERVAL_S)

    async def _step(self) -> bool:
        """Do one piece of work; False if there is none now."""
        if self._news and self._now() >= self._news_at + GATHER_S:
            await self._index_news()
            return True
        if self._now() >= self._walk_at:
            limit = QUIET_MESSAGES if self._is_quiet else LIVE_MESSAGES
            if await self._paced(lambda: self._archive.index_some(limit=limit)):
                await self._tell_lag()
                # A backlog makes segments faster than a step for each merges them.
                while not self._news and await self._paced(self._archive.tend_index):
                    pass
                return True
            self._walk_at = self._now() + WALK_INTERVAL_S
        return await self._paced(self._archive.tend_index)

    async def _index_news(self) -> None:
        news = [*self._news][:_AT_ONCE]
        for conversation in news:
            del self._news[conversation]
        count = await self._paced(
            lambda: self._archive.index_some(news, limit=LIVE_MESSAGES)
        )
        if count >= LIVE_MESSAGES:
            self._news |= dict.fromkeys(news)  # They may have more.
        await self._paced(self._archive.tend_index)

    async def _rest(self) -> None:
        """Wait for news, and a moment for more of it, or for the next walk."""
        if not self._news:
            self._wake = anyio.Event()
            with anyio.move_on_after(self._walk_at - self._now()):
                await self._wake.wait()
        if self._news:
            await anyio.sleep(max(0.0, self._news_at + GATHER_S - self._now()))

    async def _paced(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something and, while people write, rest for as long as it took."""
        began = self._now()
        result = await work()
        await anyio.sleep(0.0 if self._is_quiet else self._now() - began)
        return result

    @property
    def _is_quiet(self) -> bool:
        return self._now() - self._last_message_at > QUIET_S

    async def _tell_lag(self) -> None:
        if self._now() < self._lag_at:
            return
        self._lag_at = self._now() + _LAG_INTERVAL_S
        state = await self._archive.index_state()
        if state.messages_behind >= _LAG_MESSAGES:
            logger.info(
                "the search index is at least %d messages behind", state.messages_behind
            )
