"""Taking, closing, labelling and listing conversations."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from kefu_core.abc.archive import ConversationFilter
from kefu_core.desk.drafts import check_characters
from kefu_core.desk.methods import Id, Limit, Method, Methods, Params
from kefu_core.desk.routing import as_read
from kefu_core.desk.rows import (
    AgentsRow,
    VisitorsRow,
    agents_row,
    visitor_name,
)
from kefu_core.errors import Busy, Conflict, Invalid, NotFound
from kefu_core.folding import LABEL_CHARS, LABELS_MAX
from kefu_core.ids import ID_MAX
from kefu_core.model import (
    OWN_KEYS,
    Conversation,
    ConversationStatus,
    Draft,
    Given,
    MessageKind,
    Principal,
)
from kefu_core.records import Team
from kefu_core.types import ConversationId, UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

_TRIES = 10


class TakeConversation(Params, frozen=True, kw_only=True):
    """`conversation.take`: I answer this one."""

    conversation: Id


class CloseConversation(Params, frozen=True, kw_only=True):
    """`conversation.close`: this one is done."""

    conversation: Id


class LabelConversation(Params, frozen=True, kw_only=True):
    """`conversation.label`: these are its labels from now on."""

    conversation: Id
    labels: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=LABEL_CHARS)]],
        msgspec.Meta(max_length=LABELS_MAX),
    ]


class Before(Params, frozen=True, kw_only=True):
    """Where a page of conversations ends: the last row of the page before."""

    last_at: Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)]
    id: Id


class ListConversations(Params, frozen=True, kw_only=True):
    """`conversations.list`: a page of all conversations, newest activity first."""

    before: Before | None = None
    limit: Limit = 50


class OwnConversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as its visitor sees it."""

    conversation: VisitorsRow


class OneConversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as agents see it."""

    conversation: AgentsRow


class SomeConversations(msgspec.Struct, frozen=True, kw_only=True):
    """A page of them."""

    rows: list[AgentsRow]


async def require_team(desk: "Desk", team: int) -> Team:
    """Return a team. Raises `NotFound`."""
    found = await desk.store.find_record(Team, team)
    if found is None:
        raise NotFound("There is no such team.")
    return found


async def _take(
    desk: "Desk", principal: Principal, params: TakeConversation
) -> OneConversation:
    row = await take(desk, principal, params.conversation)
    return OneConversation(conversation=await row_of(desk, row))


async def take(
    desk: "Desk", principal: Principal, conversation: int, *, is_kept: bool = False
) -> Conversation:
    """Make a conversation this agent's; return its row.

    Args:
        desk: The desk.
        principal: The agent.
        conversation: Which.
        is_kept: Leave it with whoever answers it.

    Raises:
        Conflict: Another answers it, or the agent answers as many as it may.
    """
    me = principal.participant

    def decide(row: Conversation) -> Line | None:
        if row.status is ConversationStatus.ACTIVE and row.assignee:
            if row.assignee == me or is_kept:
                return None
            raise Conflict("Somebody else has taken this conversation.")
        return Line(kind=MessageKind.ASSIGNMENT, data={"assignee": me})

    # One at a time here, and by the line's condition everywhere, so that of two agents
    # who press at once only one is told yes.
    async with desk.assigning:
        return await write_decided(desk, principal, conversation, decide)


async def _close(
    desk: "Desk", principal: Principal, params: CloseConversation
) -> OneConversation:
    def decide(row: Conversation) -> Line | None:
        is_closed = row.status is ConversationStatus.CLOSED
        return None if is_closed else Line(kind=MessageKind.CLOSE)

    async with desk.assigning:
        row = await write_decided(desk, principal, params.conversation, decide)
    return OneConversation(conversation=await row_of(desk, row))


async def _label(
    desk: "Desk", principal: Principal, params: LabelConversation
) -> OneConversation:
    labels = tuple(dict.fromkeys(label.strip() for label in params.labels))
    for label in labels:
        check_characters(label, "conversation.label: a label")
        if not label:
            raise Invalid("conversation.label: a label is empty.")
    row = await desk.find_readable(principal, params.conversation)
    if row.labels != labels:
        data = {"labels": list(labels)}
        row = await write_line(desk, principal, row, MessageKind.LABELS, data)
    return OneConversation(conversation=await row_of(desk, row))


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk writes into a log."""

    kind: MessageKind
    data: dict[str, Any] | None = None


async def write_decided(
    desk: "Desk",
    principal: Principal,
    conversation: int,
    decide: Callable[[Conversation], Line | None],
) -> Conversation:
    """Append what is decided by the row as it is at the commit; return the row then.

    Where another node was faster it is decided anew. An agent who gets a conversation
    has room for it, or `Conflict` says how many it answers.

    Raises:
        NotFound: The principal may not see it.
        Conflict: The agent has no room; also what `decide` raises.
    """
    for _ in range(_TRIES):
        row = await desk.find_readable(principal, conversation)
        line = decide(row)
        if line is None:
            return row
        capacity = await capacity_of(desk, (line.data or {}).get("assignee"))
        given = as_read(row, capacity=capacity)
        try:
            return await write_line(
                desk, principal, row, line.kind, line.data, given=given
            )
        except Conflict:
            now = await desk.find_readable(principal, conversation)
            if as_read(now) == as_read(row):
                raise
    raise Busy("This conversation changes all the time.", retry_after_s=1.0)


async def capacity_of(desk: "Desk", assignee: str | None) -> int:
    """Return how many conversations an agent answers at once; 0 for no end."""
    if not assignee:
        return 0
    agent = await desk.store.find_agent(agent_id=int(assignee[1:]))
    return agent.capacity if agent is not None else 0


async def write_line(
    desk: "Desk",
    principal: Principal,
    row: Conversation,
    kind: MessageKind,
    data: dict[str, Any] | None,
    *,
    given: Given | None = None,
) -> Conversation:
    """Append a line that no client may send; return the row after it.

    Raises `Conflict` where the condition does not hold.
    """
    draft = Draft(
        conversation=row.id,
        sender=principal.name_in(row.visitor),
        key=f"{OWN_KEYS}{desk.ids.new()}",
        kind=kind,
        data=data,
        given=given,
    )
    appended = await desk.hub.append(draft)
    return appended.conversation or row


async def row_of(desk: "Desk", row: Conversation) -> AgentsRow:
    """Return a row as agents see it."""
    return (await rows_of(desk, [row]))[0]


async def rows_of(desk: "Desk", rows: list[Conversation]) -> list[AgentsRow]:
    """Return rows as agents see them."""
    unread = await desk.store.count_unread([row.id for row in rows])
    people = await desk.store.people([row.visitor for row in rows])
    names = {person.id: person.name for person in people}
    return [
        agents_row(
            row,
            visitor_name(row.visitor, names.get(row.visitor, "")),
            unread.get(row.id, 0),
        )
        for row in rows
    ]


async def _list(
    desk: "Desk", principal: Principal, params: ListConversations
) -> SomeConversations:
    before = None
    if params.before is not None:
        last_at, last_id = params.before.last_at, params.before.id
        before = UnixMs(last_at), ConversationId(last_id)
    rows = await desk.store.find_conversations(
        ConversationFilter(sites=principal.sites), before=before, limit=params.limit
    )
    return SomeConversations(rows=await rows_of(desk, rows))


METHODS: Methods = {
    "conversation.take": Method(
        params=TakeConversation,
        run=_take,
        result=OneConversation,
        http="POST /conversations/{conversation}/take",
        scope="conversations:write",
    ),
    "conversation.close": Method(
        params=CloseConversation,
        run=_close,
        result=OneConversation,
        http="POST /conversations/{conversation}/close",
        scope="conversations:write",
    ),
    "conversation.label": Method(
        params=LabelConversation,
        run=_label,
        result=OneConversation,
        http="PUT /conversations/{conversation}/labels",
        scope="conversations:write",
    ),
    "conversations.list": Method(
        params=ListConversations,
        run=_list,
        result=SomeConversations,
        http="POST /conversations/list",
        scope="conversations:read",
    ),
}
