"""Walks through the whole history, by id and in pieces."""

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.upkeep import Extent, Walk
from kefu_core.folding import active_at
from kefu_core.store import tables as t
from kefu_core.store.lists import conditions_of
from kefu_core.store.rows import CONVERSATION_COLUMNS, conversation_from
from kefu_core.types import ConversationId

_c, _l = t.conversation.c, t.conversation_label.c
_conversations = select(*(_c[name] for name in CONVERSATION_COLUMNS))


def conditions(wanted: ConversationFilter) -> list[ColumnElement[bool]]:
    """Return what a filter asks of the columns of `conversation`."""
    found = conditions_of(wanted)
    if wanted.active_from is not None:
        found.append(_c.active_at >= active_at(wanted.active_from))
    if wanted.active_before is not None:
        found.append(_c.active_at < wanted.active_before)
    if wanted.label is not None:
        labelled = select(_l.conversation_id).where(
            _l.conversation_id == _c.id, _l.label == wanted.label
        )
        found.append(labelled.exists())
    return found


async def walk(
    connection: AsyncConnection,
    wanted: ConversationFilter,
    after: ConversationId,
    limit: int,
) -> Walk:
    """Return those of the next `limit` conversations that are wanted."""
    if wanted.visitors is not None:
        # An index leads to the few that a visitor has.
        query = _conversations.where(_c.id > after, *conditions(wanted))
        rows = (await connection.execute(query.order_by(_c.id).limit(limit))).all()
        found = [conversation_from(row) for row in rows]
        return Walk(conversations=found, next=found[-1].id if found else None)
    last = await _window_end(connection, after, limit)
    if last is None:
        return Walk(conversations=[], next=None)
    query = _conversations.where(_c.id > after, _c.id <= last, *conditions(wanted))
    rows = (await connection.execute(query.order_by(_c.id))).all()
    return Walk(conversations=[conversation_from(row) for row in rows], next=last)


async def measure_window(
    connection: AsyncConnection,
    wanted: ConversationFilter,
    after: ConversationId,
    limit: int,
) -> tuple[Extent, ConversationId | None]:
    """Return what the next `limit` conversations have of it, and where to go on."""
    last = await _window_end(connection, after, limit)
    if last is None:
        return Extent(conversations=0, messages=0), None
    query = select(func.count(), func.coalesce(func.sum(_c.last_seq), 0)).where(
        _c.id > after, _c.id <= last, *conditions(wanted)
    )
    row = (await connection.execute(query)).one()
    return Extent(conversations=int(row[0]), messages=int(row[1])), last


async def _window_end(
    connection: AsyncConnection, after: ConversationId, limit: int
) -> ConversationId | None:
    window = select(_c.id).where(_c.id > after).order_by(_c.id).limit(limit).subquery()
    found = (await connection.execute(select(func.max(window.c.id)))).scalar()
    return None if found is None else ConversationId(found)
