"""Delivered and read cursors: merged as they come, stored and told a little later.

A cursor only ever rises, and a client that comes back says again what it holds, so a
crash may forget the last fraction of a second of receipts and nothing else. They are
folded for `receipt_interval_s`: one row a participant is written however many
messages were acknowledged, and never on the way of a message.
"""

import logging
from collections.abc import Callable, Iterable

import anyio
import msgspec

from kefu_core.abc.store import Store
from kefu_core.errors import KefuError
from kefu_core.hub.arrivals import Arrivals
from kefu_core.model import Cursor
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

logger = logging.getLogger(__name__)

_Who = tuple[ConversationId, ParticipantId]
_Rise = tuple[Seq, UnixMs]
"""What was delivered before, and when the first of the rest was heard of."""


class Receipts:
    """Cursors of followed conversations, and which of them are not stored yet."""

    def __init__(
        self,
        store: Store,
        interval_s: float,
        tell: Callable[[Cursor], None],
        arrivals: Arrivals,
    ) -> None:
        """`tell` is called for each cursor that rose, after folding, without await."""
        self._store = store
        self._interval_s = interval_s
        self._tell = tell
        self._arrivals = arrivals
        self._known: dict[ConversationId, dict[ParticipantId, Cursor]] = {}
        self._risen: dict[_Who, _Rise] = {}
        """Cursors to tell and store at the next turn, and from where they rose."""
        self._loaded: set[ConversationId] = set()
        self._wake = anyio.Event()

    def advance(
        self,
        conversation: ConversationId,
        participant: ParticipantId,
        *,
        delivered: Seq,
        read: Seq = Seq(0),
    ) -> None:
        """Raise a cursor; `read` implies delivered. Lower values change nothing."""
        of_conversation = self._known.setdefault(conversation, {})
        old = of_conversation.get(participant)
        delivered = max(delivered, read)
        before = Seq(0) if old is None else old.delivered
        if old is not None:
            if delivered <= old.delivered and read <= old.read:
                return
            delivered, read = max(delivered, old.delivered), max(read, old.read)
        of_conversation[participant] = Cursor(
            conversation=conversation,
            participant=participant,
            delivered=delivered,
            read=read,
        )
        if not self._risen:
            self._wake.set()
        if (who := (conversation, participant)) not in self._risen:
            self._risen[who] = before, self._arrivals.heard_at()

    def is_loaded(self, conversation: ConversationId) -> bool:
        """Whether what the store knows of a conversation was merged."""
        return conversation in self._loaded

    def merge_stored(
        self, conversations: Iterable[ConversationId], cursors: Iterable[Cursor]
    ) -> None:
        """Take all that the store knows of these, without telling it back."""
        self._loaded.update(conversations)
        for stored in cursors:
            of_conversation = self._known.setdefault(stored.conversation, {})
            known = of_conversation.get(stored.participant, stored)
            of_conversation[stored.participant] = _higher(stored, known)

    def of(self, conversation: ConversationId) -> list[Cursor]:
        """Return the cursors known of a conversation."""
        return list(self._known.get(conversation, {}).values())

    def forget(self, conversation: ConversationId) -> None:
        """Drop the cursors of a conversation that nobody follows any more."""
        if not any(who[0] == conversation for who in self._risen):
            self._known.pop(conversation, None)
            self._loaded.discard(conversation)

    async def run(self, is_followed: Callable[[ConversationId], bool]) -> None:
        """Tell and store for ever; faults of the store delay, they lose nothing."""
        while True:
            await self._wake.wait()
            await anyio.sleep(self._interval_s)
            self._wake = anyio.Event()
            await self.flush()
            for conversation in list(self._known):
                if not is_followed(conversation):
                    self.forget(conversation)

    async def flush(self) -> None:
        """Tell and store what rose."""
        risen, self._risen = self._risen, {}
        cursors = [
            self._known[conversation][participant]
            for conversation, participant in risen
        ]
        for cursor in cursors:
            self._tell(cursor)
        if not cursors:
            return
        looks = [self._arrivals.look(*who, *rise) for who, rise in risen.items()]
        arrivals = [arrival for arrival in looks if arrival is not None]
        try:
            await self._store.advance_cursors(cursors, arrivals)
        except KefuError as error:
            logger.warning("receipts are kept for the next turn: %s", error)
            for cursor, rise in zip(cursors, risen.values(), strict=True):
                self._put_back(cursor, rise)
            self._wake.set()

    def _put_back(self, cursor: Cursor, rise: _Rise) -> None:
        """Store a cursor at the next turn, with what rose meanwhile."""
        conversation, participant = cursor.conversation, cursor.participant
        # It may have been forgotten during the write, so its value goes back too.
        of_conversation = self._known.setdefault(conversation, {})
        of_conversation[participant] = _higher(
            cursor, of_conversation.get(participant, cursor)
        )
        self._risen[(conversation, participant)] = rise


def _higher(one: Cursor, other: Cursor) -> Cursor:
    return msgspec.structs.replace(
        one,
        delivered=max(one.delivered, other.delivered),
        read=max(one.read, other.read),
    )
