"""`GET /api/history/search`: texts and notes of all conversations, for agents."""

from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kefu_core.abc.archive import Hit, SearchOrder, SearchQuery
from kefu_core.abc.store import Store
from kefu_core.errors import Invalid
from kefu_core.model import Principal
from kefu_core.types import ConversationId, ParticipantId
from kefu_server.answers import answer
from kefu_server.lookups import (
    AnyId,
    Filters,
    Id,
    Limit,
    Text,
    names_of,
    narrowed,
    row_of,
    search_cursor,
)
from kefu_server.queries import read_query
from kefu_server.services import history_reader_of, services_of


class SearchParameters(Filters, frozen=True, kw_only=True):
    """What may be asked; `from` and `before` are of the message here."""

    q: Text
    conversation: Id | None = None
    sender: AnyId | None = None
    order: SearchOrder = SearchOrder.NEWEST
    cursor: Annotated[str, msgspec.Meta(min_length=1, max_length=40)] | None = None
    limit: Limit = 20


async def search(request: Request) -> Response:
    """Answer a page of hits, and how far the index is behind the log."""
    principal = await history_reader_of(request)
    asked = read_query(request, SearchParameters)
    if asked.cursor is not None and asked.order is not SearchOrder.NEWEST:
        raise Invalid("The parameter 'cursor' goes with order 'newest' only.")
    services = services_of(request)
    store = services.store
    async with services.turns.take(principal.participant):
        page = await store.search(await _query(store, asked, principal))
        behind = await store.index_state()
        people = [
            who
            for hit in page.hits
            for row in (hit.conversation,)
            for who in (hit.message.sender, row.visitor, row.assignee, row.last_sender)
        ]
        names = await names_of(store, people)
    return answer(
        {
            "hits": [_hit_row(hit, names) for hit in page.hits],
            "next": None if page.next is None else str(page.next),
            "is_complete": page.is_complete,
            "behind": {
                "messages": behind.messages_behind,
                "oldest_at": behind.oldest_at,
            },
            "names": names,
        }
    )


async def _query(
    store: Store, asked: SearchParameters, principal: Principal
) -> SearchQuery:
    return SearchQuery(
        text=asked.q,
        conversations=await narrowed(store, asked, principal),
        conversation=(
            None if asked.conversation is None else ConversationId(asked.conversation)
        ),
        sender=None if asked.sender is None else ParticipantId(asked.sender),
        order=asked.order,
        before=search_cursor(asked.cursor),
        limit=asked.limit,
    )


def _hit_row(hit: Hit, names: dict[str, str]) -> dict[str, Any]:
    return {
        "conversation": row_of(hit.conversation, names),
        "seq": hit.message.seq,
        "sender": hit.message.sender,
        "kind": hit.message.kind.value,
        "at": hit.message.at,
        "snippet": hit.snippet,
        "marks": hit.marks,
    }
