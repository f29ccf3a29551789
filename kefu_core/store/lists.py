"""Conversations by filter, and where a day begins in a log: by keyset."""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.abc.archive import ConversationFilter, Place
from kefu_core.folding import active_at
from kefu_core.model import Conversation
from kefu_core.store import tables as t
from kefu_core.store.rows import CONVERSATION_COLUMNS, conversation_from
from kefu_core.types import ConversationId, Seq, UnixMs

_c, _m, _l = t.conversation.c, t.message.c, t.conversation_label.c
_conversations = select(*(_c[name] for name in CONVERSATION_COLUMNS))

_DAY_MS = 86_400_000
_FIRST_DAYS, _LAST_DAYS = 1.0, 400.0
_LAST_SEQ = select(_c.last_seq).where(_c.id == bindparam("conversation"))
_AT = select(_m.at).where(
    _m.conversation_id == bindparam("conversation"), _m.seq == bindparam("seq")
)


def conditions_of(wanted: ConversationFilter) -> list[ColumnElement[bool]]:
    """Return what a conversation's row must be like; label and dates aside."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.site_id is not None:
        conditions.append(_c.site_id == wanted.site_id)
    if wanted.sites is not None:
        conditions.append(_c.site_id.in_(sorted(wanted.sites)))
    if wanted.assignee is not None:
        conditions.append(_c.assignee == wanted.assignee)
    if wanted.visitors is not None:
        conditions.append(_c.visitor.in_(wanted.visitors))
    if wanted.status is not None:
        conditions.append(_c.status == str(wanted.status))
    return conditions


_FIRST_LABEL = select(func.min(_l.label))
_NEXT_LABEL = _FIRST_LABEL.where(_l.label > bindparam("last"))


async def labels_in_use(connection: AsyncConnection, limit: int) -> list[str]:
    """Return the labels that conversations have; see `Archive.labels_in_use`.

    From each to the next by a seek: DISTINCT would read a row for each conversation
    that has one.
    """
    labels: list[str] = []
    label = (await connection.execute(_FIRST_LABEL)).scalar()
    while label is not None and len(labels) < limit:
        labels.append(label)
        label = (await connection.execute(_NEXT_LABEL, {"last": label})).scalar()
    # Engines sort text in their own ways.
    return sorted(labels)


async def find(
    connection: AsyncConnection,
    wanted: ConversationFilter,
    before: Place | None,
    limit: int,
) -> list[Conversation]:
    """Return a page of conversations; see `Archive.find_conversations`."""
    days: float | None = _FIRST_DAYS if _needs_window(connection, wanted) else None
    while True:
        since = wanted.active_from
        if days is not None and before is not None:
            since = UnixMs(before[0] - int(days * _DAY_MS))
        query = _page(wanted, before, since).limit(limit)
        rows = (await connection.execute(query)).all()
        if since == wanted.active_from or len(rows) == limit or days is None:
            return [conversation_from(row) for row in rows]
        # So many more as it takes at this pace, and half as many again.
        days *= 1.5 * limit / max(len(rows), 0.2)
        if days > _LAST_DAYS:
            days = None


def _needs_window(connection: AsyncConnection, wanted: ConversationFilter) -> bool:
    """Whether to look at the days next to the page first.

    Where a column equals something, MySQL and MariaDB read an index from its newest
    entry on and pass over all above the page, unless a range that ends soon is so much
    smaller that they seek.
    """
    return connection.dialect.name in {"mysql", "mariadb"} and (
        wanted.active_from is None
    )


def _page(
    wanted: ConversationFilter, before: Place | None, since: UnixMs | None
) -> Select[Any]:
    query = _conversations.where(*conditions_of(wanted))
    # A label has rows of its own, in the order of the list: they lead to the others.
    active, row_id = _c.active_at, _c.id
    if wanted.label is not None:
        query = query.join(t.conversation_label, _l.conversation_id == _c.id)
        query = query.where(_l.label == wanted.label)
        active, row_id = _l.active_at, _l.conversation_id
    query = _between(query, active, since, wanted.active_before)
    if before is not None:
        last, last_id = active_at(before[0]), before[1]
        query = query.where(
            # The first condition is implied by the second; engines seek by it.
            active <= last,
            or_(active < last, and_(active == last, row_id < last_id)),
        )
    return query.order_by(active.desc(), row_id.desc())


def _between(
    query: Select[Any],
    active: ColumnElement[int],
    since: UnixMs | None,
    until: UnixMs | None,
) -> Select[Any]:
    if since is not None:
        query = query.where(active >= active_at(since))
    if until is not None:
        query = query.where(active < until)
    return query


async def seq_at(
    connection: AsyncConnection, conversation: ConversationId, at: UnixMs
) -> Seq:
    """Return the first seq stored at `at` or later; see `Archive.seq_at`.

    Times never decrease along seq and seqs have no holes, so halving finds it.
    """
    values = {"conversation": conversation}
    last = (await connection.execute(_LAST_SEQ, values)).scalar() or 0
    low, high = 1, last + 1
    while low < high:
        middle = (low + high) // 2
        found = await connection.execute(_AT, {**values, "seq": middle})
        if found.scalar_one() < at:
            low = middle + 1
        else:
            high = middle
    return Seq(low)
