"""What a store promises to those who keep it: whole walks through the history."""

from abc import ABC, abstractmethod

import msgspec

from kefu_core.abc.archive import ConversationFilter
from kefu_core.model import Conversation
from kefu_core.types import ConversationId


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
