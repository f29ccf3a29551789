"""The part of the SQL store that looks back: lists, search and the search index."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import TypeVar

import anyio
import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.abc.archive import (
    Archive,
    ConversationFilter,
    IndexState,
    Place,
    SearchPage,
    SearchQuery,
)
from kefu_core.errors import Busy, StoreUnavailable
from kefu_core.folding import active_at
from kefu_core.limits import Limits
from kefu_core.model import Conversation
from kefu_core.store import history, indexing, lists, merging
from kefu_core.store.matching import Matches, is_conversation_wanted
from kefu_core.store.scan import scan
from kefu_core.store.search import IndexMoved, Walk
from kefu_core.types import ConversationId, Seq, UnixMs

T = TypeVar("T")

_SCANNED_CONVERSATIONS = 50
_SCANNED_MESSAGES = 5_000
"""Read in less time than a walk through an index that knows nothing of visitors."""
_STARTS_MAX = 4
_STATE_WALKS_MAX = 20


class SqlArchive(Archive):
    """Mixed into `SqlStore`, which has the two ways to the database."""

    _limits: Limits
    _now: Callable[[], float]
    _now_ms: Callable[[], int]
    _searches: anyio.CapacityLimiter
    _walked: Place | None = None
    """How far the indexer's walk has come: all before it is indexed."""
    _has_worked = False
    """Whether this walk found anything to index."""

    @abstractmethod
    async def _do(self, job: Callable[[AsyncConnection], Awaitable[T]]) -> T: ...

    @abstractmethod
    async def _read(self, query: Callable[[AsyncConnection], Awaitable[T]]) -> T: ...

    async def find_conversations(
        self,
        wanted: ConversationFilter,
        *,
        before: Place | None = None,
        limit: int = 50,
    ) -> list[Conversation]:
        return await self._read(lambda c: lists.find(c, wanted, before, limit))

    async def labels_in_use(self, *, limit: int = 200) -> list[str]:
        return await self._read(lambda c: lists.labels_in_use(c, limit))

    async def seq_at(self, conversation: ConversationId, at: UnixMs) -> Seq:
        return await self._read(lambda c: lists.seq_at(c, conversation, at))

    # -- search ------------------------------------------------------------------------

    async def search(self, query: SearchQuery) -> SearchPage:
        Matches(query)  # What cannot be looked for need not wait to be told so.
        timeout_s = min(query.timeout_s, self._limits.search_timeout_s)
        late_at = self._now() + timeout_s
        await self._take_turn(timeout_s)
        try:
            return await self._search(query, lambda: self._now() >= late_at)
        finally:
            self._searches.release()

    async def _take_turn(self, timeout_s: float) -> None:
        """Become one of those that search. Raises `Busy`."""
        try:
            self._searches.acquire_nowait()
        except anyio.WouldBlock:
            with anyio.move_on_after(timeout_s):
                await self._searches.acquire()
                return
            raise Busy(
                "Too many searches are running.", retry_after_s=timeout_s
            ) from None

    async def _search(
        self, query: SearchQuery, is_late: Callable[[], bool]
    ) -> SearchPage:
        rows = await self._few_conversations(query)
        if rows is not None:
            found = Matches(query)
            is_whole = await scan(self._read, found, rows, is_late)
            return found.page({row.id: row for row in rows}, is_late=not is_whole)
        for _ in range(_STARTS_MAX):
            found = Matches(query)
            walk = Walk(self._read, found, is_late)
            try:
                is_whole = await walk.run()
            except IndexMoved:
                continue
            ids = list({match.message.conversation for match in found.chosen()})
            chosen = await self._read(partial(history.find_all, conversations=ids))
            conversations = {row.id: row for row in chosen}
            if is_whole:
                return found.page(conversations)
            return found.page(conversations, is_late=True, reached=walk.reached)
        raise StoreUnavailable("The search index is being rebuilt.", retry_after_s=1.0)

    async def _few_conversations(
        self, query: SearchQuery
    ) -> Sequence[Conversation] | None:
        """Return the conversations in question, if they are few enough to be read."""
        wanted = msgspec.structs.replace(
            query.conversations, active_from=None, active_before=None
        )
        if query.conversation is not None:
            ids = [query.conversation]
            rows = await self._read(lambda c: history.find_all(c, ids))
            rows = [row for row in rows if is_conversation_wanted(row, wanted)]
        elif wanted.visitors is not None:
            rows = await self.find_conversations(wanted, limit=_SCANNED_CONVERSATIONS)
        else:
            return None
        is_few = len(rows) < _SCANNED_CONVERSATIONS
        size = sum(row.last_seq for row in rows)
        return rows if is_few and size <= _SCANNED_MESSAGES else None

    # -- the index ---------------------------------------------------------------------

    async def index_some(
        self, conversations: Collection[ConversationId] = (), *, limit: int = 200
    ) -> int:
        if conversations:
            return await self._do(lambda c: indexing.index(c, conversations, limit))
        while found := await self._find_behind(limit):
            ids, place = found
            passed = self._passable(place[0])
            count = await self._do(
                partial(indexing.index, conversations=ids, limit=limit, passed=passed)
            )
            self._walked = place
            self._has_worked = True
            if count:
                return count
        return 0

    async def _find_behind(
        self, limit: int
    ) -> tuple[list[ConversationId], Place] | None:
        """Return the next conversations with news, and the last of them done then.

        None: a walk from the follower's position to the end found nothing.
        """
        place, has_worked = self._walked, self._has_worked
        while True:
            if place is None:
                start = await self._read(indexing.position)
                place, has_worked = (start, ConversationId(0)), False
            heads = await self._read(partial(indexing.walk, after=place))
            ids: list[ConversationId] = []
            for head in heads:
                if head.behind:
                    ids.append(head.id)
                    limit -= head.behind
                if limit < 0:
                    break  # A part of this one is left over for the next time.
                place = head.active_at, head.id
                if not limit:
                    break
            if ids:
                return ids, place
            if len(heads) < indexing.WALKED_AT_ONCE:
                if not has_worked:
                    await self._finish_walk(place)
                    return None
                place = None

    async def _finish_walk(self, place: Place) -> None:
        """Note that there is nothing to do before this place."""
        self._walked = None
        self._has_worked = False
        now = UnixMs(self._now_ms())
        passed = self._passable(now)
        if passed > await self._read(indexing.position):
            await self._do(lambda c: indexing.advance(c, passed))

    def _passable(self, at: UnixMs) -> UnixMs:
        """Return the moment before which nothing more can become active."""
        newest = self._now_ms() - indexing.CLOCK_SLACK_MS
        return active_at(UnixMs(max(0, min(at, newest))))

    async def tend_index(self) -> bool:
        return await self._do(merging.tend)

    async def index_state(self) -> IndexState:
        place = await self._read(indexing.position), ConversationId(0)
        behind = 0
        oldest: UnixMs | None = None
        for _ in range(_STATE_WALKS_MAX):
            heads = await self._read(partial(indexing.walk, after=place))
            for head in heads:
                if head.behind:
                    behind += head.behind
                    oldest = head.last_at if oldest is None else oldest
            if len(heads) < indexing.WALKED_AT_ONCE:
                break
            place = heads[-1].active_at, heads[-1].id
        return IndexState(messages_behind=behind, oldest_at=oldest)
