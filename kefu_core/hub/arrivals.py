"""Which cursors may have risen over messages that had waited for it.

The hub remembers the newest messages of what is followed here, so of nearly every
cursor it knows that nothing below it is old: those cost no read. Of all others the
store looks; it alone knows how far a cursor had come.
"""

from typing import TYPE_CHECKING

from kefu_core.abc.audit import LATE_MS
from kefu_core.model import Arrival
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

if TYPE_CHECKING:
    from kefu_core.hub.hub import Hub


class Arrivals:
    """Looks at what a cursor rises over."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub

    def heard_at(self) -> UnixMs:
        """Return when a cursor that rises now was heard of."""
        return self._hub.unix_ms()

    def look(
        self,
        conversation: ConversationId,
        participant: ParticipantId,
        after: Seq,
        heard_at: UnixMs,
    ) -> Arrival | None:
        """Return what the store should look at, None if nothing can be late.

        Counts how long the first message after a seq has waited, where it is known.
        """
        hub = self._hub
        message = hub.next_known(conversation, after)
        if message is not None:
            waited_ms = heard_at - message.at
            if message.sender != participant:
                hub.counts.deliveries.add(max(0, waited_ms) / 1_000)
            if waited_ms <= LATE_MS:
                return None
        else:
            row = hub.row(conversation)
            if row is not None and heard_at - row.opened_at <= LATE_MS:
                return None
        return Arrival(
            conversation=conversation,
            participant=participant,
            heard_at=heard_at,
            here_since=self._here_since(participant, heard_at),
        )

    def _here_since(self, participant: ParticipantId, heard_at: UnixMs) -> UnixMs:
        since = self._hub.here_since(participant)
        return heard_at if since is None else min(since, heard_at)
