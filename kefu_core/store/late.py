"""Which messages have not reached those whom they are for, though time has passed."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.abc.audit import Late
from kefu_core.model import SPOKEN_KINDS, ConversationStatus
from kefu_core.store import tables as t
from kefu_core.types import ConversationId, ParticipantId, UnixMs

_WINDOW = 1_000

_c, _m, _p = t.conversation.c, t.message.c, t.participant.c
Read = Callable[[Callable[[AsyncConnection], Awaitable[Any]]], Awaitable[Any]]
Found = tuple[ParticipantId | None, ConversationId, int, UnixMs]
"""Whose, where, how many, and the oldest of them."""


async def find(read: Read, before: UnixMs) -> list[Late]:
    """Return what is late; see `Upkeep.late`."""

    async def rows_of(query: Select[Any]) -> Sequence[Any]:
        async def fetch(connection: AsyncConnection) -> Sequence[Any]:
            rows: Sequence[Any] = (await connection.execute(query)).all()
            return rows

        found: Sequence[Any] = await read(fetch)
        return found

    found: list[Found] = []
    after = 0
    while True:
        window = select(_c.id).where(_c.id > after).order_by(_c.id).limit(_WINDOW)
        [(end,)] = await rows_of(select(func.max(window.subquery().c.id)))
        if end is None:
            return gathered(found)
        for side in (_c.assignee, _c.visitor):
            rows = await rows_of(
                _query(side, before).where(_c.id > after, _c.id <= end)
            )
            found += [(row[0], row[1], int(row[2]), row[3]) for row in rows]
        after = end


def _query(side: Any, before: UnixMs) -> Select[Any]:
    """Return what the people of one side of conversations do not have."""
    is_of_visitor = _m.sender == _c.visitor
    return (
        select(side, _c.id, func.count(), func.min(_m.at))
        .join(t.message, _m.conversation_id == _c.id)
        .outerjoin(
            t.participant, and_(_p.conversation_id == _c.id, _p.participant == side)
        )
        .where(
            _c.status != ConversationStatus.CLOSED.value,
            _m.seq > func.coalesce(_p.delivered, 0),
            _m.at < before,
            _m.kind.in_([str(kind) for kind in SPOKEN_KINDS]),
            ~is_of_visitor if side is _c.visitor else is_of_visitor,
        )
        .group_by(_c.id, side)
        .order_by(_c.id)
    )


def gathered(found: Iterable[Found]) -> list[Late]:
    """Return one entry for each participant, those with most messages first."""
    by_whom: dict[ParticipantId | None, list[Found]] = {}
    for each in found:
        by_whom.setdefault(each[0], []).append(each)
    entries = [
        Late(
            whose=whose,
            conversations=len(of_one),
            messages=sum(each[2] for each in of_one),
            oldest_at=min(each[3] for each in of_one),
        )
        for whose, of_one in by_whom.items()
    ]
    return sorted(entries, key=lambda late: (-late.messages, late.whose or ""))
