"""What a hub is doing and what it refused, as one value."""

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from kefu_core.counts import HistogramValue, by_transport

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
    damaged: int
    """Reads that found damage in the log."""
    delivered: int
    """Messages put into outboxes, live or read again."""
    deliveries: HistogramValue
    """Seconds from a commit until the receiver's program said it has the message."""
    catch_ups: int
    """Reads of the store for a connection that was behind."""
    polls: HistogramValue
    """Seconds that polls were held before they were answered."""
    waits: HistogramValue
    """Seconds from a message's arrival until it was stored or refused."""
    outbox_frames: int
    """What waits for peers to read, of all connections."""
    outbox_bytes: int
    outbox_frames_max: int
    """What waits for the slowest reader."""


def statistics_of(hub: "Hub") -> HubStatistics:
    """Return what a hub is doing now. Costs one step a connection."""
    open_now: Counter[str] = Counter()
    frames = size = frames_max = 0
    for connection in hub.connections():
        open_now[connection.peer.transport] += 1
        waiting = len(connection.outbox)
        frames, frames_max = frames + waiting, max(frames_max, waiting)
        size += connection.outbox.size_bytes
    return HubStatistics(
        connections=dict(sorted(open_now.items())),
        hello_pending=hub.hello_pending,
        participants=hub.participant_count,
        conversations=hub.followed_count,
        refused=by_transport(hub.counts.refused),
        errors=by_transport(hub.counts.errors),
        closes=by_transport(hub.counts.closes),
        damaged=hub.counts.damaged,
        delivered=hub.counts.delivered,
        deliveries=hub.counts.deliveries.value(),
        catch_ups=hub.counts.catch_ups,
        polls=hub.counts.polls.value(),
        waits=hub.counts.waits.value(),
        outbox_frames=frames,
        outbox_bytes=size,
        outbox_frames_max=frames_max,
    )
