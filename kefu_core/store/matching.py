"""What every store's search does with a message once it has it: pure."""

from collections.abc import Iterable, Iterator

import msgspec

from kefu_core import text
from kefu_core.abc.archive import (
    RELEVANT_MAX,
    ConversationFilter,
    Hit,
    SearchOrder,
    SearchPage,
    SearchQuery,
)
from kefu_core.ids import ID_MAX, document_id_at
from kefu_core.model import CONTENT_KINDS, Conversation, Message
from kefu_core.types import ConversationId, UnixMs

INDEXED_KINDS = CONTENT_KINDS
"""What people wrote, and names of files; the rest of the log is about it."""


class Match(msgspec.Struct, frozen=True):
    """A message that is found."""

    document: int
    message: Message
    score: float


class Matches:
    """Takes messages newest first, keeps those that are found, and orders them."""

    def __init__(self, query: SearchQuery) -> None:
        """Take the query. Raises `Invalid` when it asks for nothing."""
        self.query = query
        self.wanted = text.parse_query(query.text)
        self._found: list[Match] = []
        self._conversations: set[ConversationId] = set()
        self._is_newest = query.order is SearchOrder.NEWEST
        self._enough = query.limit if self._is_newest else RELEVANT_MAX

    @property
    def is_full(self) -> bool:
        """Whether no more messages are needed."""
        return len(self._found) >= self._enough

    def offer(self, document: int, message: Message) -> None:
        """Take a message of a conversation that is wanted, older than the last one."""
        if (
            self.is_full
            or message.kind not in INDEXED_KINDS
            or not is_message_wanted(message, self.query)
        ):
            return
        is_repeated = message.conversation in self._conversations
        if self._is_newest and self.query.is_grouped and is_repeated:
            return
        score = text.score(message.body, self.wanted)
        if score:
            self._found.append(Match(document, message, score))
            self._conversations.add(message.conversation)

    def chosen(self) -> list[Match]:
        """Return the matches of the page, in the query's order."""
        if self._is_newest:
            return self._found
        ordered = sorted(self._found, key=lambda m: (-m.score, -m.document))
        if self.query.is_grouped:
            firsts: dict[ConversationId, Match] = {}
            for match in ordered:
                firsts.setdefault(match.message.conversation, match)
            ordered = list(firsts.values())
        return ordered[: self.query.limit]

    def page(
        self,
        conversations: dict[ConversationId, Conversation],
        *,
        is_late: bool = False,
        reached: int | None = None,
    ) -> SearchPage:
        """Return the page.

        Args:
            conversations: Those of the chosen matches.
            is_late: The time was up before everything was seen.
            reached: The document down to which everything was seen then.
        """
        chosen = self.chosen()
        following = None
        if self._is_newest and self.is_full:
            following = chosen[-1].document if chosen else None
        elif self._is_newest:
            following = reached
        hits = [
            self._hit(match.message, conversations[match.message.conversation])
            for match in chosen
            if match.message.conversation in conversations
        ]
        return SearchPage(
            hits=hits, next=following, is_complete=self.is_full or not is_late
        )

    def _hit(self, message: Message, conversation: Conversation) -> Hit:
        piece = text.snippet(message.body, self.wanted)
        return Hit(
            message=message,
            conversation=conversation,
            snippet=piece.text,
            marks=piece.marks,
        )


def is_message_wanted(message: Message, query: SearchQuery) -> bool:
    """Whether a message passes the query's own filters, its text aside."""
    since = query.conversations.active_from
    until = query.conversations.active_before
    return (
        (query.conversation is None or message.conversation == query.conversation)
        and (query.sender is None or message.sender == query.sender)
        and (since is None or message.at >= since)
        and (until is None or message.at < until)
    )


def document_range(query: SearchQuery) -> tuple[int, int]:
    """Return the documents that may be found: from the first, below the second."""
    since = query.conversations.active_from or UnixMs(0)
    below = [ID_MAX + 1]
    if query.conversations.active_before is not None:
        below.append(document_id_at(query.conversations.active_before))
    if query.before is not None and query.order is SearchOrder.NEWEST:
        below.append(query.before)
    return document_id_at(since), min(below)


def numbered(messages: Iterable[Message]) -> Iterator[tuple[int, Message]]:
    """Return messages with ids such as an index gives, the newest first."""
    documents: list[tuple[int, Message]] = []
    last = -1
    for message in sorted(messages, key=lambda m: (m.at, m.conversation, m.seq)):
        last = max(last + 1, document_id_at(message.at))
        documents.append((last, message))
    return reversed(documents)


def is_conversation_wanted(row: Conversation, wanted: ConversationFilter) -> bool:
    """Whether a conversation passes a filter, its dates aside."""
    return (
        (wanted.site_id is None or row.site_id == wanted.site_id)
        and (wanted.sites is None or row.site_id in wanted.sites)
        and (wanted.assignee is None or row.assignee == wanted.assignee)
        and (wanted.visitors is None or row.visitor in wanted.visitors)
        and (wanted.status is None or row.status is wanted.status)
        and (wanted.label is None or wanted.label in row.labels)
    )
