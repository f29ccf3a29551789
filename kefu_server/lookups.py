"""What the routes of the history share: filters, rows with names, cursors."""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Store
from kefu_core.desk.rows import agents_row, visitor_name
from kefu_core.errors import Invalid
from kefu_core.folding import LABEL_CHARS, is_visitor
from kefu_core.ids import ID_MAX
from kefu_core.model import Conversation, ConversationStatus, Principal
from kefu_core.types import ParticipantId, UnixMs

Id = Annotated[int, msgspec.Meta(ge=1, le=ID_MAX)]
Ms = Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=100)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=LABEL_CHARS)]
AgentId = Annotated[str, msgspec.Meta(pattern=r"^a(0|[1-9][0-9]{0,15})\Z")]
VisitorId = Annotated[str, msgspec.Meta(pattern=r"^v(0|[1-9][0-9]{0,15})\Z")]
AnyId = Annotated[str, msgspec.Meta(pattern=r"^[avs](0|[1-9][0-9]{0,15})\Z")]
_PEOPLE_AT_ONCE = 100


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which conversations: parameters that every list, search and export takes."""

    site: Id | None = None
    agent: AgentId | None = None
    visitor: VisitorId | None = None
    status: ConversationStatus | None = None
    label: Label | None = None
    from_: Ms | None = msgspec.field(default=None, name="from")
    before: Ms | None = None


async def narrowed(
    store: Store, asked: Filters, principal: Principal
) -> ConversationFilter:
    """Return the filter, for what a principal may see.

    Raises `Invalid` for dates that exclude each other.
    """
    start, end = asked.from_, asked.before
    if start is not None and end is not None and start >= end:
        raise Invalid("The parameter 'before' must be later than 'from'.")
    visitors = None
    if asked.visitor is not None:
        visitors = await store.numbers_of(ParticipantId(asked.visitor))
    return ConversationFilter(
        site_id=asked.site,
        sites=principal.sites,
        assignee=None if asked.agent is None else ParticipantId(asked.agent),
        visitors=visitors,
        status=asked.status,
        label=asked.label,
        active_from=None if start is None else UnixMs(start),
        active_before=None if end is None else UnixMs(end),
    )


def search_cursor(cursor: str | None) -> int | None:
    """Return `SearchQuery.before`. Raises `Invalid` for what no search has given."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdecimal() and int(cursor) < 2**63):
        raise Invalid("The parameter 'cursor' is not one that this search has given.")
    return int(cursor)


async def names_of(
    store: Store, participants: Iterable[ParticipantId | None]
) -> dict[str, str]:
    """Return names to show; who is not known any more is left out."""
    wanted = sorted({who for who in participants if isinstance(who, str)})
    names: dict[str, str] = {}
    for start in range(0, len(wanted), _PEOPLE_AT_ONCE):
        for person in await store.people(wanted[start : start + _PEOPLE_AT_ONCE]):
            is_nameable = is_visitor(person.id)
            names[person.id] = (
                visitor_name(person.id, person.name) if is_nameable else person.name
            )
    return names


def row_of(row: Conversation, names: dict[str, str]) -> dict[str, Any]:
    """Return a row as the agents' list has it, but for what is unread."""
    name = names.get(row.visitor) or visitor_name(row.visitor)
    shown: dict[str, Any] = {**agents_row(row, name, 0)}
    del shown["unread"]
    return shown
