"""The methods of `call`: a name, the struct of its parameters and a function.

A new method also needs a line in the table of `access.py`, a line in docs/protocol.md
and a row in the authorisation matrix of `tests/security`.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from kefu_core.abc.archive import ConversationFilter
from kefu_core.desk.access import rights_of
from kefu_core.desk.drafts import check_characters
from kefu_core.desk.rows import agents_row, visitor_name, visitors_row
from kefu_core.errors import Conflict, Invalid, NotFound, TooMany
from kefu_core.folding import LABEL_CHARS, LABELS_MAX, is_visitor
from kefu_core.ids import ID_MAX
from kefu_core.model import (
    Conversation,
    ConversationStatus,
    Draft,
    MessageKind,
    Person,
    Principal,
    Role,
)
from kefu_core.types import ConversationId, ParticipantId, UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

PEOPLE_MAX = 100
ROWS_MAX = 100

Id = Annotated[int, msgspec.Meta(ge=1, le=ID_MAX)]


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of a call; an unknown name is a mistake worth hearing of."""


class OpenConversation(Params, frozen=True, kw_only=True):
    """`conversation.open`: the visitor's newest conversation, or a new one."""


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


class GetPeople(Params, frozen=True, kw_only=True):
    """`people.get`: names of participants; unknown ones are left out."""

    ids: Annotated[
        list[Annotated[str, msgspec.Meta(pattern=r"^[avs](0|[1-9][0-9]{0,15})$")]],
        msgspec.Meta(max_length=PEOPLE_MAX),
    ]


class Before(Params, frozen=True, kw_only=True):
    """Where a page of conversations ends: the last row of the page before."""

    last_at: Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)]
    id: Id


class ListConversations(Params, frozen=True, kw_only=True):
    """`conversations.list`: a page of all conversations, newest activity first."""

    before: Before | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=ROWS_MAX)] = 50


Result = dict[str, Any]


async def run_call(
    desk: "Desk", principal: Principal, method: str, params: dict[str, Any]
) -> Result:
    """Check the right and the parameters, then run. Raises `RefusedError`."""
    call = CALLS.get(method)
    if call is None or method not in rights_of(principal).calls:
        raise NotFound("There is no such method.")
    struct, function = call
    try:
        checked = msgspec.convert(params, struct)
    except msgspec.ValidationError as error:
        raise Invalid(f"{method}: {str(error)[:200]}.") from None
    return await function(desk, principal, checked)


async def _open(desk: "Desk", principal: Principal, params: Any) -> Result:
    row = await _newest(desk, principal) or await _open_new(desk, principal)
    desk.inbox.conversation_opened(row)
    # Other tabs of this visitor learn of the conversation and follow it.
    desk.hub.announce_head(
        principal.participant, row.id, row.last_seq, site_id=row.site_id
    )
    return {"conversation": visitors_row(row)}


async def _newest(desk: "Desk", principal: Principal) -> Conversation | None:
    rows = await desk.conversations(principal)
    return max(rows, key=lambda row: (row.last_at, row.id)) if rows else None


async def _open_new(desk: "Desk", principal: Principal) -> Conversation:
    # Two tabs that open at once must not both be charged for the same conversation.
    async with desk.opening:
        row = await _newest(desk, principal)
        if row is not None:
            return row
        wait_s = desk.openings.take(principal.participant)
        if not wait_s and principal.address:
            wait_s = desk.openings_of_address.take(principal.address)
        if wait_s:
            raise TooMany("You opened too many conversations.", retry_after_s=wait_s)
        visitor = Person(
            id=principal.participant, name=principal.name, role=Role.VISITOR
        )
        return await desk.store.open_conversation(principal.site_id, visitor)


async def _take(desk: "Desk", principal: Principal, params: TakeConversation) -> Result:
    # One at a time, so that of two agents who press at once only one is told yes.
    async with desk.assigning:
        row = await desk.find_readable(principal, params.conversation)
        if row.status is ConversationStatus.ACTIVE and row.assignee:
            if row.assignee != principal.participant:
                raise Conflict("Somebody else has taken this conversation.")
        else:
            data = {"assignee": principal.participant}
            row = await _write(desk, principal, row, MessageKind.ASSIGNMENT, data)
    return {"conversation": await _row(desk, row)}


async def _close(
    desk: "Desk", principal: Principal, params: CloseConversation
) -> Result:
    async with desk.assigning:
        row = await desk.find_readable(principal, params.conversation)
        if row.status is not ConversationStatus.CLOSED:
            row = await _write(desk, principal, row, MessageKind.CLOSE, None)
    return {"conversation": await _row(desk, row)}


async def _label(
    desk: "Desk", principal: Principal, params: LabelConversation
) -> Result:
    labels = tuple(dict.fromkeys(label.strip() for label in params.labels))
    for label in labels:
        check_characters(label, "conversation.label: a label")
        if not label:
            raise Invalid("conversation.label: a label is empty.")
    row = await desk.find_readable(principal, params.conversation)
    if row.labels != labels:
        data = {"labels": list(labels)}
        row = await _write(desk, principal, row, MessageKind.LABELS, data)
    return {"conversation": await _row(desk, row)}


async def _write(
    desk: "Desk",
    principal: Principal,
    row: Conversation,
    kind: MessageKind,
    data: dict[str, Any] | None,
) -> Conversation:
    """Append a line that no client may send; return the row after it."""
    draft = Draft(
        conversation=row.id,
        sender=principal.participant,
        key=f"desk-{desk.ids.new()}",
        kind=kind,
        data=data,
    )
    appended = await desk.hub.append(draft)
    return appended.conversation or row


async def _row(desk: "Desk", row: Conversation) -> dict[str, Any]:
    return (await _rows(desk, [row]))[0]


async def _rows(desk: "Desk", rows: list[Conversation]) -> list[dict[str, Any]]:
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


async def _people(desk: "Desk", principal: Principal, params: GetPeople) -> Result:
    wanted = [ParticipantId(who) for who in dict.fromkeys(params.ids)]
    if not principal.is_agent:
        me = principal.participant
        wanted = [who for who in wanted if who.startswith("a") or who == me]
    people = await desk.store.people(wanted) if wanted else []
    return {"people": [_person(person, principal) for person in people]}


def _person(person: Person, reader: Principal) -> dict[str, Any]:
    # Who runs the shop's desk is nobody else's business: to visitors all are agents.
    hidden = person.role is Role.ADMIN and not reader.is_agent
    name = (
        visitor_name(person.id, person.name) if is_visitor(person.id) else person.name
    )
    role = Role.AGENT if hidden else person.role
    return {"id": person.id, "name": name, "role": role.value}


async def _list(
    desk: "Desk", principal: Principal, params: ListConversations
) -> Result:
    before = None
    if params.before is not None:
        last_at, last_id = params.before.last_at, params.before.id
        before = UnixMs(last_at), ConversationId(last_id)
    rows = await desk.store.find_conversations(
        ConversationFilter(), before=before, limit=params.limit
    )
    return {"rows": await _rows(desk, rows)}


CALLS: dict[
    str, tuple[type[Params], Callable[["Desk", Principal, Any], Awaitable[Result]]]
] = {
    "conversation.open": (OpenConversation, _open),
    "conversation.take": (TakeConversation, _take),
    "conversation.close": (CloseConversation, _close),
    "conversation.label": (LabelConversation, _label),
    "conversations.list": (ListConversations, _list),
    "people.get": (GetPeople, _people),
}
"""Every method there is; who may call which is in `access.py`."""
