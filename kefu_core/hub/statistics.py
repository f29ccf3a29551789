"""What a hub is doing and what it refused, as one value."""

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from kefu_core.counts import by_transport

if TYPE_CHECKING:
    from kefu_core.hub.hub import Hub


class HubStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What happens on one node; what is counted is counted since its start."""

    connections: dict[str, int]
    """Open ones, by transport."""
    hello_pending: int
    """Open ones that were not welcomed yet."""
    participants: int
    """Who has at least one connection."""
    conversations: int
    """Followed by at least one connection."""
    refused: dict[str, dict[str, int]]
    """Connections and requests that no session saw, by transport and status."""
    errors: dict[str, dict[str, int]]
    """Frames `error`, by transport and code."""
    closes: dict[str, dict[str, int]]
    """Connections that ended, by transport and close code."""


def statistics_of(hub: "Hub") -> HubStatistics:
    """Return what a hub is doing now. Costs one step a connection."""
    open_now = Counter(connection.peer.transport for connection in hub.connections())
    return HubStatistics(
        connections=dict(sorted(open_now.items())),
        hello_pending=hub.hello_pending,
        participants=hub.participant_count,
        conversations=hub.followed_count,
        refused=by_transport(hub.counts.refused),
        errors=by_transport(hub.counts.errors),
        closes=by_transport(hub.counts.closes),
    )
