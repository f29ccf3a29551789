"""A client's unacknowledged sends, in order, each known by its key.

An entry leaves only when the server has said where it stands in the log, or that it
never will. On every connection the lanes begin again at n = 1, in the original order.
Each transmission is answered exactly once, so an entry is transmitted again only after
its own refusal: nothing has to be guessed from timing.
"""

from collections.abc import Iterator
from enum import Enum, auto

from kefu_core.model import Draft
from kefu_core.types import ConversationId


class _State(Enum):
    WAITING = auto()
    IN_FLIGHT = auto()


class OutboxEntry:
    """One message on its way."""

    __slots__ = ("draft", "n", "state")

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.n = 0
        """Number in its lane on this connection; 0 before the first transmission."""
        self.state = _State.WAITING


class _Lane:
    __slots__ = ("blocked_until", "entries", "last_n")

    def __init__(self) -> None:
        self.entries: dict[str, OutboxEntry] = {}
        self.last_n = 0
        self.blocked_until = 0.0


class ClientOutbox:
    """Lanes of unacknowledged sends, one a conversation."""

    def __init__(self) -> None:
        self._lanes: dict[ConversationId, _Lane] = {}
        self.in_flight = 0

    def __len__(self) -> int:
        return sum(len(lane.entries) for lane in self._lanes.values())

    def add(self, draft: Draft) -> None:
        """Queue a message; the same key again is the same message."""
        lane = self._lanes.setdefault(draft.conversation, _Lane())
        lane.entries.setdefault(draft.key, OutboxEntry(draft))

    def restart(self) -> None:
        """Begin a new connection: nothing is in flight, lanes count from 1."""
        self.in_flight = 0
        for lane in self._lanes.values():
            lane.last_n = 0
            lane.blocked_until = 0.0
            for entry in lane.entries.values():
                entry.n, entry.state = 0, _State.WAITING

    def to_send(self, now: float, window: int) -> Iterator[OutboxEntry]:
        """Yield entries to transmit now, in order; each counts as in flight."""
        for lane in self._lanes.values():
            if now >= lane.blocked_until:
                lane.blocked_until = 0.0
        for lane in self._lanes.values():
            if lane.blocked_until:
                continue
            for entry in lane.entries.values():
                if entry.state is _State.IN_FLIGHT:
                    continue
                if self.in_flight >= window:
                    return
                if entry.n == 0:
                    lane.last_n += 1
                    entry.n = lane.last_n
                entry.state = _State.IN_FLIGHT
                self.in_flight += 1
                yield entry

    def next_timer(self) -> float | None:
        """Return when a blocked lane opens (maybe past), None if none is blocked."""
        times = [
            lane.blocked_until
            for lane in self._lanes.values()
            if lane.blocked_until and lane.entries
        ]
        return min(times) if times else None

    def acknowledge(self, conversation: ConversationId, key: str) -> Draft | None:
        """Remove a message that stands in the log; None if it is not ours or gone."""
        return self._remove(conversation, key)

    def reject(self, conversation: ConversationId, key: str) -> Draft | None:
        """Remove a message that never will."""
        return self._remove(conversation, key)

    def refuse(
        self, conversation: ConversationId, key: str, *, until: float
    ) -> OutboxEntry | None:
        """Note that a transmission was refused and may be repeated after `until`."""
        lane = self._lanes.get(conversation)
        entry = lane.entries.get(key) if lane else None
        if lane is None or entry is None or entry.state is not _State.IN_FLIGHT:
            return None
        entry.state = _State.WAITING
        self.in_flight -= 1
        lane.blocked_until = max(lane.blocked_until, until)
        return entry

    def is_first_unanswered(self, conversation: ConversationId, key: str) -> bool:
        """Whether nothing earlier of this lane is left, so that it cannot be early."""
        lane = self._lanes.get(conversation)
        return lane is not None and next(iter(lane.entries), None) == key

    def find(self, key: str) -> ConversationId | None:
        """Return the conversation a key belongs to."""
        for conversation, lane in self._lanes.items():
            if key in lane.entries:
                return conversation
        return None

    def drafts(self) -> list[Draft]:
        """Return what is unacknowledged, in order, to be kept elsewhere."""
        return [
            entry.draft
            for lane in self._lanes.values()
            for entry in lane.entries.values()
        ]

    def _remove(self, conversation: ConversationId, key: str) -> Draft | None:
        lane = self._lanes.get(conversation)
        entry = lane.entries.pop(key, None) if lane else None
        if lane is None or entry is None:
            return None
        if entry.state is _State.IN_FLIGHT:
            self.in_flight -= 1
        # An empty lane stays: its count of n belongs to the connection.
        return entry.draft
