"""What a store promises to those who keep it: whole walks through the history."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import msgspec

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.audit import AuditReport, Late, LateDelivery, OnAudited
from kefu_core.model import Conversation, Message, Person
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a walk through the conversations."""

    conversations: list[Conversation]
    """Ascending by id; may be empty before the end."""
    next: ConversationId | None
    """Where the walk goes on; None: this was the end."""


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """How much a walk will meet."""

    conversations: int
    messages: int


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What one step of erasing did."""

    messages: int
    """Blanked by this step."""
    next: Seq | None
    """Where to go on in the conversation; None: nothing is left to do."""


class LogPiece(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that are to continue a log."""

    opened: Conversation
    """As it was opened: id, site, visitor and time are read of it."""
    visitor: Person
    """With the name that an absent one gets."""
    messages: list[Message]
    """In seq order."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a piece of a log."""

    is_new: bool = False
    """The conversation was made by it."""
    messages: int = 0
    """Added by it; what was there already is not counted."""
    fault: str | None = None
    """Why the first message that does not fit does not; none after it was added."""
    at: Seq | None = None
    """The seq of that message; None when the conversation itself does not fit."""


class Upkeep(ABC):
    """The part of a store that operators use: slow work in small steps."""

    @abstractmethod
    async def walk_conversations(
        self,
        wanted: ConversationFilter,
        *,
        after: ConversationId = ConversationId(0),
        limit: int = 500,
    ) -> Walk:
        """Return those of the next `limit` conversations that are wanted.

        By id, which no activity changes: whatever is written meanwhile, a walk meets
        every conversation that was there when it began once. Cost: the same however
        few are wanted.
        """

    @abstractmethod
    async def measure(self, wanted: ConversationFilter) -> Extent:
        """Return how much a walk will meet, for showing progress; reads in pieces."""

    # -- erasure -----------------------------------------------------------------------
    #
    # A text or note that is erased keeps its seq, sender, key, time and `ref`, and
    # becomes of kind `erased`; so seqs, cursors and the fold stay as they are. Lines of
    # the system (assignments, labels, closing) stay. The index for search and the
    # conversation's `last_line` lose it in the same transaction; so does what is cached
    # of its translations, whichever conversation they were made for.

    @abstractmethod
    async def erase_old(self, site_id: int, before: UnixMs, *, limit: int = 100) -> int:
        """Blank up to about `limit` texts and notes of a site from before a moment.

        One transaction of some 20 ms, however long the logs are; safe to run in
        several processes at once. Returns how many conversations were looked at:
        0 when nothing is left to do.
        """

    @abstractmethod
    async def erase_conversation(
        self,
        conversation: ConversationId,
        *,
        after: Seq = Seq(0),
        limit: int = 100,
        upto: Seq | None = None,
    ) -> Erased:
        """Blank the next `limit` texts and notes after a seq, of whomever.

        `upto`: none that lies beyond this seq.
        One transaction. Killed at any moment: what is blanked is blanked, and beginning
        again at 0 costs reading only. An unknown conversation has nothing to erase.
        """

    @abstractmethod
    async def forget_visitor(self, visitor: ParticipantId) -> None:
        """Empty what is known of a visitor; what it wrote is `erase_conversation`'s."""

    @abstractmethod
    async def erasure_mark(self) -> int:
        """Return a number that grows with everything erased, by whatever process.

        Who keeps texts in memory looks at it, and drops them when it has changed.
        """

    @abstractmethod
    async def last_lines(
        self, conversations: Sequence[ConversationId]
    ) -> dict[ConversationId, tuple[Seq, str]]:
        """Return `last_seq` and `last_line` of each of these that exists."""

    # -- import ------------------------------------------------------------------------

    @abstractmethod
    async def import_logs(self, pieces: Sequence[LogPiece]) -> list[Imported]:
        """Continue logs by messages that have their seqs and times.

        One transaction, safe beside a running server. A conversation and its visitor
        are made if absent. Messages that are there already must be the same; the rest
        follows on, without a hole, never back in time, each key once. In the index
        for search they are once `index_some` was given their conversations.

        Args:
            pieces: Of different conversations; some 200 messages in all. Checked by
                the caller as far as one message can be.

        Returns:
            What became of each, in the same order.
        """

    # -- audit -------------------------------------------------------------------------

    @abstractmethod
    async def audit(
        self, *, faults_max: int = 100, on_progress: OnAudited | None = None
    ) -> AuditReport:
        """Look through everything and name what is wrong; changes nothing.

        In short reads, beside a running server: what is being written raises no false
        alarm, since whatever looks wrong is looked at again before it is named.
        """

    @abstractmethod
    async def late(self, before: UnixMs) -> list[Late]:
        """Return whose messages from before a moment are not delivered yet.

        Of conversations that are not closed: what people of the other side said, and
        the program of whom it is for has not acknowledged. In short reads; those with
        most of it first.
        """

    @abstractmethod
    async def late_deliveries(
        self, longer_than_ms: int, since: UnixMs
    ) -> list[LateDelivery]:
        """Return whose messages were delivered, since a moment, after a longer wait.

        What `advance_cursors` was told of, while it has its content: nothing that took
        less than `LATE_MS`. In short reads; those with most of it first.
        """
