"""Looking back in dicts: every question is answered by looking at everything."""

from bisect import bisect_left
from collections.abc import Collection

import anyio
import anyio.lowlevel

from kefu_core.abc.archive import (
    Archive,
    ConversationFilter,
    IndexState,
    Place,
    SearchPage,
    SearchQuery,
)
from kefu_core.folding import active_at
from kefu_core.model import Conversation, Message
from kefu_core.store.matching import (
    Matches,
    document_range,
    is_conversation_wanted,
    numbered,
)
from kefu_core.types import ConversationId, Seq, UnixMs


class MemoryArchive(Archive):
    """The part of the memory store that looks back. Nothing is ever behind."""

    _rows: dict[ConversationId, Conversation]
    _logs: dict[ConversationId, list[Message]]

    async def find_conversations(
        self,
        wanted: ConversationFilter,
        *,
        before: Place | None = None,
        limit: int = 50,
    ) -> list[Conversation]:
        await anyio.lowlevel.checkpoint()
        last = (active_at(before[0]), before[1]) if before is not None else None
        rows = [
            row
            for row in sorted(self._rows.values(), key=_place, reverse=True)
            if (last is None or _place(row) < last)
            and is_conversation_wanted(row, wanted)
            and _is_active_between(row, wanted.active_from, wanted.active_before)
        ]
        return rows[:limit]

    async def labels_in_use(self, *, limit: int = 200) -> list[str]:
        await anyio.lowlevel.checkpoint()
        used = {label for row in self._rows.values() for label in row.labels}
        return sorted(used)[:limit]

    async def seq_at(self, conversation: ConversationId, at: UnixMs) -> Seq:
        await anyio.lowlevel.checkpoint()
        log = self._logs.get(conversation, [])
        return Seq(bisect_left(log, at, key=lambda message: message.at) + 1)

    async def search(self, query: SearchQuery) -> SearchPage:
        await anyio.lowlevel.checkpoint()
        found = Matches(query)
        since, below = document_range(query)
        messages = (message for log in self._logs.values() for message in log)
        for document, message in numbered(messages):
            row = self._rows[message.conversation]
            if since <= document < below and is_conversation_wanted(
                row, query.conversations
            ):
                found.offer(document, message)
        return found.page(self._rows)

    async def index_some(
        self, conversations: Collection[ConversationId] = (), *, limit: int = 200
    ) -> int:
        await anyio.lowlevel.checkpoint()
        return 0

    async def tend_index(self) -> bool:
        await anyio.lowlevel.checkpoint()
        return False

    async def index_state(self) -> IndexState:
        await anyio.lowlevel.checkpoint()
        return IndexState(messages_behind=0, oldest_at=None)


def _place(row: Conversation) -> Place:
    return active_at(row.last_at), row.id


def _is_active_between(
    row: Conversation, since: UnixMs | None, until: UnixMs | None
) -> bool:
    quarter = active_at(row.last_at)
    return (since is None or quarter >= active_at(since)) and (
        until is None or quarter < until
    )
