"""What an audit of the history tells."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

LATE_MS = 10_000
"""A delivery that took longer is written down."""
NAMED_MAX = 5
"""Conversations that are named of those of one participant."""


class FaultKind(StrEnum):
    """What can be wrong with what is stored."""

    HOLE = "hole"
    """A seq is missing, or there is one that cannot be (G2)."""
    HEAD = "head"
    """The conversation's `last_seq` is not its last message's."""
    KEY = "key"
    """A sender's key stands for two messages (G3)."""
    DIGEST = "digest"
    """A message is not what was stored: its digest differs."""
    TIME = "time"
    """Time runs backwards along seq."""
    FOLD = "fold"
    """The conversation's row is not what its log makes it."""
    LABELS = "labels"
    """The table by which conversations are found by label differs from the rows."""
    LISTED = "listed"
    """The moment by which lists are ordered is not that of the last message."""
    CURSOR = "cursor"
    """Somebody has read more than was delivered, or more than there is."""
    KIND = "kind"
    """A message is of a kind that there is not."""
    DATA = "data"
    """The structured part of a row cannot be read."""
    SENDER = "sender"
    """Nobody could have written this message."""
    ERASED = "erased"
    """A message has content that was erased, or that is no longer kept."""
    ORPHAN = "orphan"
    """A row belongs to something that does not exist."""
    SEARCH = "search"
    """The search index leads to a message that is not there or has no text."""
    FILE = "file"
    """The bytes of a file that a row names are not there, or not what was sent."""
    STRAY = "stray"
    """Bytes are kept that no row names."""
    DAMAGE = "damage"
    """The engine finds its own files damaged."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong."""

    kind: FaultKind
    text: str
    """What, in a few words; never anybody's text."""
    conversation: ConversationId | None = None
    seq: Seq | None = None

    def __str__(self) -> str:
        """Return it as one line."""
        where = f" in conversation {self.conversation}" if self.conversation else ""
        at = f" at seq {self.seq}" if self.seq is not None else ""
        return f"{self.kind}{where}{at}: {self.text}"


class Late(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that one participant should have by now and has not."""

    whose: ParticipantId | None
    """For whom they are; None: their conversation waits in the queue."""
    conversations: int
    messages: int
    oldest_at: UnixMs
    some: list[ConversationId]
    """The first few of the conversations, those with most messages first."""


class LateDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that one participant has got after a long wait."""

    whose: ParticipantId
    conversations: int
    messages: int
    longest_ms: int
    here: int
    """Messages that waited as long while the receiver's program was connected; of an
    agent: and the conversation was given to it."""
    longest_here_ms: int
    some: list[ConversationId]
    """The first few of the conversations, those with most messages first."""


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at and what was found."""

    conversations: int
    messages: int
    without_digest: int
    """Messages older than digests: their content cannot be checked."""
    faults: list[Fault]
    """The first of them."""
    counts: dict[FaultKind, int]
    """All of them."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.counts


OnAudited = Callable[[int, int], None]
"""Is told how many conversations and messages have been looked at."""
