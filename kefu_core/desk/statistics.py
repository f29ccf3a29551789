"""What the desk is doing now: from memory, but for who is there."""

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from kefu_core.desk.inbox import TOPIC as CONVERSATIONS
from kefu_core.errors import KefuError
from kefu_core.model import ConversationStatus

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk


class DeskStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Of the whole installation, as this node sees it; visits of this node only.

    Conversations are those of the agents' list, which holds `limits.list_rows_max`
    open ones: beyond that the numbers stay there.
    """

    agents: dict[str, int]
    """Active accounts by status: `online`, `busy`, `away`, `offline`; none while the
    store is away."""
    waiting: int
    """Open conversations that nobody has taken."""
    waiting_s: float
    """How long the first of them has waited."""
    answered: int
    """Open conversations that somebody has taken."""
    visits: int
    """People on the sites' pages now."""


async def statistics_of(desk: "Desk") -> DeskStatistics:
    """Return what a desk is doing now; a few small reads. Raises nothing."""
    lists = desk.hub.lists
    try:
        present = await desk.presence.rows()
    except KefuError:
        present = []
    waiting, answered = [], 0
    for row in lists.topic(CONVERSATIONS).rows.values():
        if row["status"] != ConversationStatus.CLOSED.value:
            if row["assignee"] is None:
                waiting.append(row["queued_at"] or row["opened_at"])
            else:
                answered += 1
    since = desk.now_ms() - min(waiting, default=desk.now_ms())
    return DeskStatistics(
        agents=dict(sorted(Counter(row["status"] for row in present).items())),
        waiting=len(waiting),
        waiting_s=max(0, since) / 1000,
        answered=answered,
        visits=len(desk.visits.rows()),
    )
