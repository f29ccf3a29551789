"""The part of the SQL store that looks back: lists, search and the search index."""

from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

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
from kefu_core.limits import Limits
from kefu_core.model import Conversation
from kefu_core.store import lists
from kefu_core.store.matching import Matches
from kefu_core.store.scan import scan
from kefu_core.types import ConversationId, Seq, UnixMs

T = TypeVar("T")
_SCANNED_MAX = 1_000


class SqlArchive(Archive):
    """Mixed into `SqlStore`, whose two ways to the database it uses."""

    _limits: Limits
    _now: Callable[[], float]
    _do: Callable[[Callable[[AsyncConnection], Awaitable[T]]], Awaitable[T]]
    _read: Callable[[Callable[[AsyncConnection], Awaitable[T]]], Awaitable[T]]

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

    async def search(self, query: SearchQuery) -> SearchPage:
        timeout_s = min(query.timeout_s, self._limits.search_timeout_s)
        late_at = self._now() + timeout_s
        found = Matches(query)
        wanted = msgspec.structs.replace(
            query.conversations, active_from=None, active_before=None
        )
        rows = await self.find_conversations(wanted, limit=_SCANNED_MAX)
        is_whole = await scan(self._read, found, rows, lambda: self._now() >= late_at)
        return found.page({row.id: row for row in rows}, is_late=not is_whole)

    async def index_some(
        self, conversations: Collection[ConversationId] = (), *, limit: int = 200
    ) -> int:
        return 0

    async def tend_index(self) -> bool:
        return False

    async def index_state(self) -> IndexState:
        return IndexState(messages_behind=0, oldest_at=None)
