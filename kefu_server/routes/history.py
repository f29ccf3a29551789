"""What agents look back at: lists of conversations, one conversation, its messages."""

from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kefu_core.abc.archive import ConversationFilter, Place, SearchQuery
from kefu_core.abc.store import Store
from kefu_core.desk.access import readable
from kefu_core.desk.accounts import is_colleague
from kefu_core.errors import Invalid
from kefu_core.hub.wholeness import read_page
from kefu_core.ids import ID_MAX, agent_participant
from kefu_core.model import Conversation, Message, Principal
from kefu_core.types import ConversationId, Seq, UnixMs
from kefu_server.answers import answer
from kefu_server.lookups import (
    Filters,
    Limit,
    Ms,
    Text,
    names_of,
    narrowed,
    row_of,
    search_cursor,
)
from kefu_server.queries import NoParameters, read_query
from kefu_server.services import Services, history_reader_of, services_of

Number = Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)]
Cursor = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
_LABELS_MAX = 200
_LABELLED_MAX = 500


class ListParameters(Filters, frozen=True, kw_only=True):
    """`GET /api/history/conversations`."""

    text: Text | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class MessagesParameters(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/history/conversations/{conversation}/messages`."""

    after: Number | None = None
    before: Number | None = None
    around: Number | None = None
    at: Ms | None = None
    limit: Limit = 50


async def list_conversations(request: Request) -> Response:
    """Answer a page of conversations; with `text`, of those that contain it."""
    principal = await history_reader_of(request)
    asked = read_query(request, ListParameters)
    services = services_of(request)
    async with services.turns.take(principal.participant):
        if asked.text is None:
            return answer(await _listed(services.store, principal, asked))
        return answer(await _found(services.store, principal, asked, asked.text))


async def _listed(
    store: Store, principal: Principal, asked: ListParameters
) -> dict[str, Any]:
    before = _place(asked.cursor) if asked.cursor is not None else None
    # One more than asked for tells whether there is more.
    found = await store.find_conversations(
        await narrowed(store, asked, principal), before=before, limit=asked.limit + 1
    )
    rows = found[: asked.limit]
    more = f"{rows[-1].last_at}-{rows[-1].id}" if len(found) > len(rows) else None
    names = await _names_of_rows(store, rows)
    return {
        "conversations": [row_of(row, names) for row in rows],
        "next": more,
        "is_complete": True,
        "names": names,
    }


async def _found(
    store: Store, principal: Principal, asked: ListParameters, text: str
) -> dict[str, Any]:
    wanted = await narrowed(store, asked, principal)
    page = await store.search(
        SearchQuery(
            text=text,
            conversations=wanted,
            is_grouped=True,
            before=search_cursor(asked.cursor),
            limit=asked.limit,
        )
    )
    names = await _names_of_rows(store, [hit.conversation for hit in page.hits])
    return {
        "conversations": [
            row_of(hit.conversation, names)
            | {"seq": hit.message.seq, "snippet": hit.snippet, "marks": hit.marks}
            for hit in page.hits
        ],
        "next": None if page.next is None else str(page.next),
        "is_complete": page.is_complete,
        "names": names,
    }


async def _names_of_rows(store: Store, rows: list[Conversation]) -> dict[str, str]:
    people = [
        who for row in rows for who in (row.visitor, row.assignee, row.last_sender)
    ]
    return await names_of(store, people)


def _place(cursor: str) -> Place:
    """Return what `next` of the page before stands for. Raises `Invalid`."""
    last_at, _, last_id = cursor.partition("-")
    numbers = [p for p in (last_at, last_id) if p.isascii() and p.isdecimal()]
    parts = [int(number) for number in numbers]
    if len(parts) != 2 or max(parts) > ID_MAX:
        raise Invalid("The parameter 'cursor' is not one that this list has given.")
    return UnixMs(parts[0]), ConversationId(parts[1])


async def find_conversation(request: Request) -> Response:
    """Answer one conversation's row."""
    principal = await history_reader_of(request)
    read_query(request, NoParameters)
    services = services_of(request)
    async with services.turns.take(principal.participant):
        row = await _readable(request, principal, services.store)
        names = await _names_of_rows(services.store, [row])
    return answer({"conversation": row_of(row, names), "names": names})


async def list_messages(request: Request) -> Response:
    """Answer a page of one conversation's messages, ascending and contiguous."""
    principal = await history_reader_of(request)
    asked = read_query(request, MessagesParameters)
    given = (asked.after, asked.before, asked.around, asked.at)
    if sum(each is not None for each in given) > 1:
        raise Invalid("Give one of 'after', 'before', 'around' and 'at', not several.")
    services = services_of(request)
    async with services.turns.take(principal.participant):
        row = await _readable(request, principal, services.store)
        messages = await _messages(services, row, asked)
        names = await _names_of_rows(services.store, [row])
        names |= await names_of(services.store, _people_in(messages))
    return answer(
        {
            "conversation": row_of(row, names),
            "messages": [_message_row(message) for message in messages],
            "has_older": bool(messages) and messages[0].seq > 1,
            "has_newer": bool(messages) and messages[-1].seq < row.last_seq,
            "names": names,
        }
    )


async def _messages(
    services: Services, row: Conversation, asked: MessagesParameters
) -> list[Message]:
    after, before = asked.after, asked.before
    if asked.at is not None:
        after = await services.store.seq_at(row.id, UnixMs(asked.at)) - 1
    elif asked.around is not None:
        after = max(0, asked.around - 1 - asked.limit // 2)
    is_after = after is not None
    return await read_page(
        services.hub,
        row.id,
        after=Seq(after) if after is not None else None,
        before=Seq(before) if before is not None and not is_after else None,
        limit=asked.limit,
        head=row.last_seq,
    )


def _people_in(messages: list[Message]) -> list[Any]:
    """Return who spoke, and who was spoken of in the lines between."""
    spoken_of = [(message.data or {}).get("assignee") for message in messages]
    return [message.sender for message in messages] + spoken_of


def _message_row(message: Message) -> dict[str, Any]:
    # Named one by one on purpose: a key, for example, is its sender's alone.
    return {
        "seq": message.seq,
        "sender": message.sender,
        "kind": message.kind.value,
        "at": message.at,
        "body": message.body,
        "data": message.data,
        "ref": message.ref,
    }


async def _readable(
    request: Request, principal: Principal, store: Store
) -> Conversation:
    number = request.path_params["conversation"]
    is_possible = 0 < number <= ID_MAX
    row = await store.find_conversation(ConversationId(number)) if is_possible else None
    return readable(principal, row)


async def facets(request: Request) -> Response:
    """Answer what a list can be narrowed by: sites, agents, labels in use."""
    principal = await history_reader_of(request)
    read_query(request, NoParameters)
    services = services_of(request)
    async with services.turns.take(principal.participant):
        sites = await services.store.sites()
        agents = await services.store.agents()
        labels = await _labels(services.store, principal)
    return answer(
        {
            "sites": [
                {"id": site.id, "name": site.name}
                for site in sites
                if principal.serves(site.id)
            ],
            "agents": [
                {
                    "id": agent_participant(agent.id),
                    "name": agent.name,
                    "is_active": agent.is_active,
                }
                for agent in agents
                if is_colleague(principal, agent)
            ],
            "labels": labels,
        }
    )


async def _labels(store: Store, principal: Principal) -> list[str]:
    """Return labels to narrow by; of some sites only, those of what was lately active.

    The index of labels knows no sites.
    """
    if principal.sites is None:
        return await store.labels_in_use(limit=_LABELS_MAX)
    wanted = ConversationFilter(sites=principal.sites)
    rows = await store.find_conversations(wanted, limit=_LABELLED_MAX)
    return sorted({label for row in rows for label in row.labels})[:_LABELS_MAX]
