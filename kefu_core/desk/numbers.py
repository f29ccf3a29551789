"""People with several numbers: which of their conversations goes on.

Whoever writes before the site signs who it is, on a device where it has not been, has
one more number from then on, and what was written stays under it (decision 0022).
"""

from collections.abc import Sequence

from kefu_core.abc.store import Store
from kefu_core.model import Conversation, ConversationStatus
from kefu_core.types import ParticipantId


async def conversations_of(
    store: Store, names: Sequence[ParticipantId]
) -> list[Conversation]:
    """Return the conversations of a person, that which goes on first.

    That is the newest of those that somebody has written in and nobody has closed,
    before all one of the known number, which is the first of `names`; where there is
    none, the newest of all.
    """
    rows = [row for name in names for row in await store.conversations_of_visitor(name)]

    def rank(row: Conversation) -> tuple[bool, bool, int, int]:
        goes_on = row.status is not ConversationStatus.CLOSED and row.last_seq > 0
        is_own = row.visitor == names[0]
        return (
            goes_on and len(names) > 1,
            goes_on and is_own and len(names) > 1,
            row.last_at,
            row.id,
        )

    return sorted(rows, key=rank, reverse=True)
