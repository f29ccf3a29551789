"""Which messages have waited for those whom they are for: still, or until they came."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.abc.audit import NAMED_MAX, Late, LateDelivery
from kefu_core.model import SPOKEN_KINDS, ConversationStatus
from kefu_core.store import tables as t
from kefu_core.types import ConversationId, ParticipantId, UnixMs

_WINDOW = 1_000
_SPOKEN = [str(kind) for kind in sorted(SPOKEN_KINDS)]

_c, _m, _p, _l = (
    t.conversation.c,
    t.message.c,
    t.participant.c,
    t.late_delivery.c,
)
Read = Callable[[Callable[[AsyncConnection], Awaitable[Any]]], Awaitable[Any]]
Ask = Callable[[Select[Any]], Awaitable[Sequence[Any]]]


class Waiting(NamedTuple):
    """What somebody does not have of one conversation."""

    whose: ParticipantId | None
    conversation: ConversationId
    messages: int
    oldest_at: UnixMs


class Delivered(NamedTuple):
    """What came to somebody late in one conversation; see `LateDelivery`."""

    whose: ParticipantId
    conversation: ConversationId
    messages: int
    longest_ms: int
    here: int
    longest_here_ms: int


_Found = TypeVar("_Found", Waiting, Delivered)


async def find(read: Read, before: UnixMs) -> list[Late]:
    """Return what is late; see `Upkeep.late`."""
    ask = _asking(read)
    found: list[Waiting] = []
    async with aclosing(_windows(ask)) as windows:
        async for is_inside in windows:
            for side in (_c.assignee, _c.visitor):
                rows = await ask(_waiting(side, before).where(is_inside))
                found += [
                    Waiting(row[0], row[1], int(row[2]), UnixMs(row[3])) for row in rows
                ]
    return gathered(found)


async def find_delivered(
    read: Read, longer_than_ms: int, since: UnixMs
) -> list[LateDelivery]:
    """Return what came late; see `Upkeep.late_deliveries`."""
    ask = _asking(read)
    found: list[Delivered] = []
    async with aclosing(_windows(ask)) as windows:
        async for is_inside in windows:
            rows = await ask(_delivered(longer_than_ms, since).where(is_inside))
            found += [Delivered(row[0], row[1], *map(int, row[2:])) for row in rows]
    return gathered_deliveries(found)


def _asking(read: Read) -> Ask:
    async def ask(query: Select[Any]) -> Sequence[Any]:
        async def fetch(connection: AsyncConnection) -> Sequence[Any]:
            rows: Sequence[Any] = (await connection.execute(query)).all()
            return rows

        found: Sequence[Any] = await read(fetch)
        return found

    return ask


async def _windows(ask: Ask) -> AsyncGenerator[ColumnElement[bool]]:
    """Yield conditions of `conversation` that hold for a part of them each."""
    after = 0
    while True:
        window = select(_c.id).where(_c.id > after).order_by(_c.id).limit(_WINDOW)
        [(end,)] = await ask(select(func.max(window.subquery().c.id)))
        if end is None:
            return
        yield and_(_c.id > after, _c.id <= end)
        after = end


def _waiting(side: Any, before: UnixMs) -> Select[Any]:
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
            _m.kind.in_(_SPOKEN),
            ~is_of_visitor if side is _c.visitor else is_of_visitor,
        )
        .group_by(_c.id, side)
        .order_by(_c.id)
    )


def _delivered(longer_than_ms: int, since: UnixMs) -> Select[Any]:
    """Return what came to whom; each message once, whatever ranges it is in."""
    waited = _l.heard_at - _m.at
    while_here = case(
        (_m.at > _l.here_since, waited), else_=_l.heard_at - _l.here_since
    )
    seq_if_here = case((while_here > longer_than_ms, _m.seq))
    is_theirs = _m.sender == _c.visitor
    is_visitor = _l.participant == _c.visitor
    return (
        select(
            _l.participant,
            _c.id,
            func.count(_m.seq.distinct()),
            func.max(waited),
            func.count(seq_if_here.distinct()),
            func.max(while_here),
        )
        .join(t.conversation, _c.id == _l.conversation_id)
        .join(
            t.message,
            and_(
                _m.conversation_id == _l.conversation_id,
                _m.seq >= _l.first_seq,
                _m.seq <= _l.last_seq,
            ),
        )
        .where(
            _l.heard_at >= since,
            waited > longer_than_ms,
            _m.kind.in_(_SPOKEN),
            or_(and_(is_visitor, ~is_theirs), and_(~is_visitor, is_theirs)),
        )
        .group_by(_l.participant, _c.id)
        .order_by(_c.id)
    )


def gathered(found: Iterable[Waiting]) -> list[Late]:
    """Return one entry for each participant, those with most messages first."""
    entries = [
        Late(
            whose=whose,
            conversations=len(of_one),
            messages=sum(each.messages for each in of_one),
            oldest_at=min(each.oldest_at for each in of_one),
            some=_some(of_one),
        )
        for whose, of_one in _by_whom(found).items()
    ]
    return sorted(entries, key=lambda late: (-late.messages, late.whose or ""))


def gathered_deliveries(found: Iterable[Delivered]) -> list[LateDelivery]:
    """Return one entry for each participant, those with most messages first."""
    entries = [
        LateDelivery(
            whose=whose,
            conversations=len(of_one),
            messages=sum(each.messages for each in of_one),
            longest_ms=max(each.longest_ms for each in of_one),
            here=sum(each.here for each in of_one),
            longest_here_ms=max(each.longest_here_ms for each in of_one),
            some=_some(of_one),
        )
        for whose, of_one in _by_whom(found).items()
    ]
    return sorted(entries, key=lambda late: (-late.messages, late.whose))


def _by_whom(found: Iterable[_Found]) -> dict[Any, list[_Found]]:
    by_whom: dict[Any, list[_Found]] = {}
    for each in found:
        by_whom.setdefault(each.whose, []).append(each)
    return by_whom


def _some(found: Iterable[Waiting | Delivered]) -> list[ConversationId]:
    most = sorted(found, key=lambda each: (-each.messages, each.conversation))
    return [each.conversation for each in most[:NAMED_MAX]]
