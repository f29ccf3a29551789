"""Time-ordered 53-bit ids: safe as a JavaScript number, 8 bytes in an index.

An id is 41 bits of milliseconds since 2024-01-01 followed by 12 bits that start at
a random number in each millisecond and count up. Ids name things; they are guessable
and never authorise anything. Secrets come from `secrets`.
"""

import random
from collections.abc import Callable

from kefu_core.types import ParticipantId

ID_MAX = 2**53 - 1
_EPOCH_MS = 1_704_067_200_000
_COUNTER_BITS = 12
_COUNTER_MAX = 2**_COUNTER_BITS - 1
DOCUMENT_SLOT_BITS = 8


class IdGenerator:
    """Makes ids that never repeat on this node and never run backwards."""

    def __init__(
        self, now_ms: Callable[[], int], rng: random.Random | None = None
    ) -> None:
        """Take the clock (Unix milliseconds) and, for tests, a seeded generator."""
        self._now_ms = now_ms
        self._rng = rng or random.SystemRandom()
        self._last = 0

    def new(self) -> int:
        """Return an id greater than every earlier one, whatever the clock does.

        Never raises. The random start makes a collision between nodes unlikely, not
        impossible: a primary key answers it.
        """
        milliseconds = max(0, self._now_ms() - _EPOCH_MS)
        start = self._rng.randrange(_COUNTER_MAX // 2)
        candidate = (milliseconds << _COUNTER_BITS) | start
        self._last = max(candidate, self._last + 1)
        return self._last


def document_id_at(at_ms: int) -> int:
    """Return the least id that the search index gives to a message of this moment.

    45 bits of Unix milliseconds and 8 bits that tell messages of one millisecond apart:
    53 bits, as all ids, but of the message's own time, which may be long before 2024.
    """
    return max(0, at_ms) << DOCUMENT_SLOT_BITS


def visitor_participant(visitor_id: int) -> ParticipantId:
    """Return how a visitor is written on the wire and in the log."""
    return ParticipantId(f"v{visitor_id}")


def agent_participant(agent_id: int) -> ParticipantId:
    """Return how an agent is written on the wire and in the log."""
    return ParticipantId(f"a{agent_id}")


SYSTEM = ParticipantId("s0")
"""The sender of lines that no person wrote."""
