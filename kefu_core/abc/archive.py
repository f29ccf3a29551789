"""What a store promises about its history: lists, search and the index behind it."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from enum import StrEnum

import msgspec

from kefu_core.model import Conversation, ConversationStatus, Message
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

Place = tuple[UnixMs, ConversationId]
"""`last_at` and id of a listed conversation, as they were in the list."""

RELEVANT_MAX = 1_000
"""Matches among which `SearchOrder.RELEVANCE` chooses."""


class ConversationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which conversations; what is left out does not narrow."""

    site_id: int | None = None
    sites: frozenset[int] | None = None
    """Only of these: what whoever asks may see."""
    assignee: ParticipantId | None = None
    visitors: tuple[ParticipantId, ...] | None = None
    """Of any of these: the numbers of one person, mostly."""
    status: ConversationStatus | None = None
    label: str | None = None
    active_from: UnixMs | None = None
    """Last active at this moment or later, to the quarter of an hour."""
    active_before: UnixMs | None = None
    """Last active before this moment, to the quarter of an hour."""


class SearchOrder(StrEnum):
    """How hits are ordered."""

    NEWEST = "newest"
    RELEVANCE = "relevance"
    """Of the newest 1,000 matches, those that say it most often in the fewest words."""


class SearchQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for. Every word must occur, in any order; Chinese as written."""

    text: str
    """As typed: operators, quotes and wildcards are text."""
    conversations: ConversationFilter = ConversationFilter()
    """Only in these; its two dates are of the message here, not of the conversation."""
    conversation: ConversationId | None = None
    sender: ParticipantId | None = None
    order: SearchOrder = SearchOrder.NEWEST
    is_grouped: bool = False
    """One hit for each conversation in a page: its first in this order. A conversation
    of an earlier page may come again, with an older message."""
    before: int | None = None
    """`SearchPage.next` of the page before; only with order `newest`."""
    limit: int = 20
    timeout_s: float = 2.0
    """Look no longer than this, or than `search_timeout_s` where that is shorter; what
    was found by then is returned."""


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One message found."""

    message: Message
    conversation: Conversation
    snippet: str
    """A piece of the text around the first match, at most 120 characters."""
    marks: tuple[tuple[int, int], ...]
    """Where in the snippet the words stand: (from, to), ascending, apart. They count
    characters, not the UTF-16 units of JavaScript."""


class SearchPage(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    hits: list[Hit]
    next: int | None
    """Goes into `SearchQuery.before`; None when there is no more. A page that follows
    may be empty. Always None with order `relevance`."""
    is_complete: bool
    """False: the time was up before the page was full; `next` goes on from there."""


class IndexState(msgspec.Struct, frozen=True, kw_only=True):
    """How far the search index is behind the log."""

    messages_behind: int
    """Of all kinds, not looked at yet. At least so many: of a long backlog only the
    beginning is counted."""
    oldest_at: UnixMs | None
    """Last activity of the conversation that has waited longest; None for none."""


class Archive(ABC):
    """The part of a store that looks back. Only reads, but for the index's upkeep."""

    @abstractmethod
    async def find_conversations(
        self,
        wanted: ConversationFilter,
        *,
        before: Place | None = None,
        limit: int = 50,
    ) -> list[Conversation]:
        """Return conversations, those last active in the newest quarter hour first.

        By keyset (`folding.active_at` of `last_at`, id), descending; never by offset
        and never with a count. `before` is the place of the last row of the page
        before.
        """

    @abstractmethod
    async def labels_in_use(self, *, limit: int = 200) -> list[str]:
        """Return labels that conversations have, each once, sorted.

        Cost: one seek in an index for each label, however many conversations have it.
        """

    @abstractmethod
    async def seq_at(self, conversation: ConversationId, at: UnixMs) -> Seq:
        """Return the first seq stored at `at` or later; last seq + 1 if there is none.

        Cost: some log2(messages) reads of one row; there is no index by time.
        """

    @abstractmethod
    async def search(self, query: SearchQuery) -> SearchPage:
        """Find texts and notes; internal ones too, the caller says who may read them.

        Raises:
            Invalid: Nothing in the text can be looked for: a lone Chinese character,
                only punctuation, or more than 200 characters.
            Busy: `searches_max` others are running, and none ended in time.
        """

    @abstractmethod
    async def index_some(
        self, conversations: Collection[ConversationId] = (), *, limit: int = 200
    ) -> int:
        """Index up to about `limit` messages that are not; return how many.

        Of these conversations, which are known to have news; without any, of whichever
        conversation is behind. 0: there was nothing, in them or at all. Messages of
        every kind count. One transaction that lasts some 20 ms; safe to run in several
        processes at once; killed at any moment, nothing is indexed twice.
        """

    @abstractmethod
    async def tend_index(self) -> bool:
        """Do one small step of merging the index's parts; False if nothing is due."""

    @abstractmethod
    async def index_state(self) -> IndexState:
        """Return how far the index is behind."""
