"""The upkeep of the store in memory."""

import anyio

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.upkeep import Extent, Upkeep, Walk
from kefu_core.folding import active_at
from kefu_core.model import Conversation, Message
from kefu_core.types import ConversationId


class MemoryUpkeep(Upkeep):
    """Mixed into `MemoryStore`, which has the dicts."""

    _rows: dict[ConversationId, Conversation]
    _logs: dict[ConversationId, list[Message]]

    async def walk_conversations(
        self,
        wanted: ConversationFilter,
        *,
        after: ConversationId = ConversationId(0),
        limit: int = 500,
    ) -> Walk:
        await anyio.lowlevel.checkpoint()
        ids = sorted(row for row in self._rows if row > after)[:limit]
        found = [self._rows[row] for row in ids]
        return Walk(
            conversations=[row for row in found if is_wanted(row, wanted)],
            next=ids[-1] if ids else None,
        )

    async def measure(self, wanted: ConversationFilter) -> Extent:
        await anyio.lowlevel.checkpoint()
        found = [row for row in self._rows.values() if is_wanted(row, wanted)]
        return Extent(
            conversations=len(found), messages=sum(row.last_seq for row in found)
        )


def is_wanted(row: Conversation, wanted: ConversationFilter) -> bool:
    """Whether a filter lets a conversation through."""
    at = active_at(row.last_at)
    return (
        wanted.site_id in (None, row.site_id)
        and wanted.assignee in (None, row.assignee)
        and wanted.visitor in (None, row.visitor)
        and wanted.status in (None, row.status)
        and (wanted.label is None or wanted.label in row.labels)
        and (wanted.active_from is None or at >= active_at(wanted.active_from))
        and (wanted.active_before is None or at < active_at(wanted.active_before))
    )
