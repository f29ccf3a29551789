"""Blanking messages: what retention and erasure do to rows, in short transactions.

Rows of conversations are locked first and in the order of their ids, as the appender
does, so that neither waits for the other in a circle and `last_line` is never of a
message that is gone.

Where retention goes on
-----------------------

`conversation.kept_from` says that no message before it has content any more, and an
index on (site_id, kept_from, id) finds the conversations that are due without looking
at the others. A step looks only at messages between it and the moment asked for; both
ends are found in the log by halving, since times never run backwards along seq. After
a step it is the time of the first message that was kept; where none was, the moment
until which all future messages are kept.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.abc.upkeep import Erased
from kefu_core.languages import text_key
from kefu_core.model import CONTENT_KINDS, DERIVED_KINDS, SPOKEN_KINDS, Message
from kefu_core.store import desk_tables
from kefu_core.store import tables as t
from kefu_core.store.blanking import blanked
from kefu_core.store.indexing import unindex
from kefu_core.store.putting import IN_MAX, insert_row
from kefu_core.store.rows import MESSAGE_COLUMNS, message_from, message_row
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

CONVERSATIONS_AT_ONCE = 20
CLOCK_SKEW_MS = 86_400_000
"""Nodes' clocks differ by less. A message may be older than `kept_from` by as much."""
_MARK = "erasure"
_WITH_CONTENT = [str(kind) for kind in sorted(CONTENT_KINDS)]
_SPOKEN = [str(kind) for kind in sorted(SPOKEN_KINDS)]
_DERIVED = [str(kind) for kind in sorted(DERIVED_KINDS)]
_SHORT = 200
"""A log of so many messages is read rather than halved."""

_m, _c, _f = t.message.c, t.conversation.c, t.follower.c
_k, _l = desk_tables.cached_translation.c, t.late_delivery.c
_messages = select(*(_m[name] for name in MESSAGE_COLUMNS))

_BLANK = (
    update(t.message)
    .where(
        _m.conversation_id == bindparam("of_conversation"),
        _m.seq == bindparam("of_seq"),
    )
    .values(
        kind=bindparam("new_kind"),
        body=bindparam("new_body"),
        data=bindparam("new_data"),
        digest=bindparam("new_digest"),
    )
)
_NOT_LATE = delete(t.late_delivery).where(
    _l.conversation_id == bindparam("of_conversation"),
    _l.participant == bindparam("of_participant"),
    _l.first_seq == bindparam("from_seq"),
)
_NEXT_AT = (
    select(_m.seq, _m.at)
    .where(_m.conversation_id == bindparam("conversation"), _m.seq >= bindparam("seq"))
    .order_by(_m.seq)
    .limit(1)
)
_LATER_TEXT = (
    select(_m.seq)
    .where(
        _m.conversation_id == bindparam("conversation"),
        _m.seq > bindparam("seq"),
        _m.kind.in_(_SPOKEN),
    )
    .order_by(_m.seq.desc())
    .limit(1)
)


def locked(query: Select[Any]) -> Select[Any]:
    """Return a query that locks the conversations it finds until the commit.

    SQLite has no such words: there the transaction has the database to itself.
    """
    return query.with_hint(
        t.conversation, "WITH (UPDLOCK, ROWLOCK)", "mssql"
    ).with_for_update(of=t.conversation)


async def erase_old(
    connection: AsyncConnection, site_id: int, before: UnixMs, now: UnixMs, limit: int
) -> int:
    """Blank some of what a site has from before a moment; see `Upkeep.erase_old`."""
    due = (
        select(_c.id)
        .where(_c.site_id == site_id, _c.kept_from < before)
        .order_by(_c.kept_from, _c.id)
        .limit(CONVERSATIONS_AT_ONCE)
    )
    ids = sorted((await connection.execute(due)).scalars())
    if not ids:
        return 0
    query = locked(select(_c.id, _c.last_seq, _c.kept_from).where(_c.id.in_(ids)))
    rows = (await connection.execute(query.order_by(_c.id))).all()
    left, looked_at = limit, 0
    due_messages: list[Row[Any]] = []
    for row in rows:
        if left <= 0:
            break
        found = await _pass_old(connection, row, before, now, left)
        due_messages += found
        left -= len(found)
        looked_at += 1
    await _blank(connection, site_id, due_messages)
    return looked_at


async def _pass_old(
    connection: AsyncConnection, row: Row[Any], before: UnixMs, now: UnixMs, limit: int
) -> Sequence[Row[Any]]:
    """Return what is to be blanked of a conversation, and note where to go on."""
    conversation, last_seq, kept_from = row.id, row.last_seq, row.kept_from
    first, end = 1, last_seq + 1
    if last_seq > _SHORT:
        since = kept_from - CLOCK_SKEW_MS
        first, _ = await _first_at(connection, conversation, since, 1, end)
        end, _ = await _first_at(connection, conversation, before, first, end)
    query = (
        _messages.where(
            _m.conversation_id == conversation,
            _m.seq >= first,
            _m.seq < end,
            _m.at < before,
            _m.kind.in_(_WITH_CONTENT),
        )
        .order_by(_m.seq)
        .limit(limit)
    )
    rows = (await connection.execute(query)).all()
    if len(rows) == limit:
        kept = rows[-1].at
    else:
        _, at = await _first_at(connection, conversation, before, first, last_seq + 1)
        kept = at if at is not None else max(now, before)
    await connection.execute(
        update(t.conversation).where(_c.id == conversation).values(kept_from=kept)
    )
    return rows


async def _first_at(
    connection: AsyncConnection, conversation: int, moment: int, low: int, high: int
) -> tuple[int, int | None]:
    """Return the first seq in [low, high) stored at a moment or later, and its time.

    `high` and None if there is none. Some log2(messages) reads of one row.
    """
    found: int | None = None
    while low < high:
        middle = (low + high) // 2
        row = (
            await connection.execute(
                _NEXT_AT, {"conversation": conversation, "seq": middle}
            )
        ).first()
        if row is None or row.at >= moment:
            high, found = middle, row.at if row is not None else found
        else:
            low = middle + 1
    return high, found


async def erase_conversation(
    connection: AsyncConnection,
    conversation: ConversationId,
    after: Seq,
    limit: int,
    upto: Seq | None = None,
) -> Erased:
    """Blank the next texts and notes; see `Upkeep.erase_conversation`."""
    row = locked(select(_c.site_id).where(_c.id == conversation))
    site_id = (await connection.execute(row)).scalar()
    if site_id is None:
        return Erased(messages=0, next=None)
    query = (
        _messages.where(
            _m.conversation_id == conversation,
            _m.seq > after,
            _m.kind.in_(_WITH_CONTENT),
        )
        .order_by(_m.seq)
        .limit(limit)
    )
    if upto is not None:
        query = query.where(_m.seq <= upto)
    rows = (await connection.execute(query)).all()
    await _blank(connection, site_id, rows)
    is_end = len(rows) < limit
    return Erased(messages=len(rows), next=None if is_end else Seq(rows[-1].seq))


async def _blank(
    connection: AsyncConnection, site_id: int, rows: Sequence[Row[Any]]
) -> None:
    """Take the content of these messages of locked rows, in the order of the log."""
    if not rows:
        return
    rows = [*rows, *await _derived_from(connection, rows)]
    messages = [message_from(row) for row in rows]
    # All at once: a term that several of them have is taken out of its rows once.
    await unindex(connection, messages)
    changes = []
    last_texts: dict[int, int] = {}
    for row, message in zip(rows, messages, strict=True):
        blank = message_row(blanked(message))
        changes.append(
            {
                "of_conversation": row.conversation_id,
                "of_seq": row.seq,
                "new_kind": blank[4],
                "new_body": blank[5],
                "new_data": blank[6],
                "new_digest": blank[9],
            }
        )
        if row.kind in SPOKEN_KINDS:
            last_texts[row.conversation_id] = row.seq
    await connection.execute(_BLANK, changes)
    await _forget_cached(connection, site_id, messages)
    await _forget_late(connection, sorted({row.conversation_id for row in rows}))
    for conversation, seq in last_texts.items():
        of_it = {"conversation": conversation, "seq": seq}
        if (await connection.execute(_LATER_TEXT, of_it)).first() is None:
            await connection.execute(
                update(t.conversation).where(_c.id == conversation).values(last_line="")
            )
    await _move_mark(connection)


async def _derived_from(
    connection: AsyncConnection, rows: Sequence[Row[Any]]
) -> list[Row[Any]]:
    """Return what was made of these texts later: it goes with them."""
    seqs: dict[int, set[int]] = {}
    for row in rows:
        seqs.setdefault(row.conversation_id, set()).add(row.seq)
    found: list[Row[Any]] = []
    for conversation, some in seqs.items():
        query = _messages.where(
            _m.conversation_id == conversation,
            _m.seq > min(some),
            _m.kind.in_(_DERIVED),
        ).order_by(_m.seq)
        for each in (await connection.execute(query)).all():
            # A translation may be one of an edit, which comes before it.
            if each.ref in some and each.seq not in some:
                some.add(each.seq)
                found.append(each)
    return found


async def _forget_cached(
    connection: AsyncConnection, site_id: int, messages: Sequence[Message]
) -> None:
    """Delete what services have made of these texts: a copy of a text goes with it.

    They are looked for first: a delete that finds nothing locks the gaps where it
    looked on some engines, and nearly all find nothing.
    """
    keys = sorted({text_key(message.body) for message in messages if message.body})
    numbers: list[int] = []
    for start in range(0, len(keys), IN_MAX):
        some = keys[start : start + IN_MAX]
        query = select(_k.id).where(_k.site_id == site_id, _k.text_key.in_(some))
        numbers += (await connection.execute(query)).scalars()
    numbers.sort()
    for start in range(0, len(numbers), IN_MAX):
        gone = _k.id.in_(numbers[start : start + IN_MAX])
        await connection.execute(delete(desk_tables.cached_translation).where(gone))


async def _forget_late(connection: AsyncConnection, ids: Sequence[int]) -> None:
    """Delete late deliveries of which no message is left that anybody can read."""
    is_left = (
        select(_m.seq)
        .where(
            _m.conversation_id == _l.conversation_id,
            _m.seq >= _l.first_seq,
            _m.seq <= _l.last_seq,
            _m.kind.in_(_SPOKEN),
        )
        .exists()
    )
    query = select(_l.conversation_id, _l.participant, _l.first_seq)
    # Looked for first, as translations are.
    lost = query.where(_l.conversation_id.in_(ids), ~is_left)
    rows = (await connection.execute(lost)).all()
    if rows:
        names = ("of_conversation", "of_participant", "from_seq")
        keys = [dict(zip(names, row, strict=True)) for row in rows]
        await connection.execute(_NOT_LATE, keys)


async def forget_visitor(connection: AsyncConnection, visitor: ParticipantId) -> None:
    """Empty all that is known of a visitor, and whom the host site took it for."""
    number = int(visitor[1:])
    await connection.execute(
        update(t.visitor)
        .where(t.visitor.c.id == number)
        .values(
            name="",
            email="",
            phone="",
            notes=None,
            attributes=None,
            language="",
            chosen_language="",
            is_verified=False,
            last_seen_at=0,
            # Whoever looks at what was known may not write it back.
            revision=t.visitor.c.revision + 1,
        )
    )
    identity = desk_tables.visitor_identity
    await connection.execute(delete(identity).where(identity.c.id == number))
    # Translations do not say whose words they are: all of the site's are made anew.
    site_id = select(t.visitor.c.site_id).where(t.visitor.c.id == number)
    await connection.execute(
        delete(desk_tables.cached_translation).where(
            _k.site_id == site_id.scalar_subquery()
        )
    )
    await _move_mark(connection)


async def mark(connection: AsyncConnection) -> int:
    """Return the number that grows with everything erased."""
    query = select(_f.position).where(_f.name == _MARK)
    return int((await connection.execute(query)).scalar() or 0)


async def _move_mark(connection: AsyncConnection) -> None:
    move = update(t.follower).where(_f.name == _MARK).values(position=_f.position + 1)
    if (await connection.execute(move)).rowcount:
        return
    if not await insert_row(connection, t.follower, {"name": _MARK, "position": 1}):
        await connection.execute(move)


async def last_lines(
    connection: AsyncConnection, conversations: Sequence[ConversationId]
) -> dict[ConversationId, tuple[Seq, str]]:
    """Return last seqs and last lines of those that exist."""
    found: dict[ConversationId, tuple[Seq, str]] = {}
    for start in range(0, len(conversations), IN_MAX):
        some = conversations[start : start + IN_MAX]
        query = select(_c.id, _c.last_seq, _c.last_line).where(_c.id.in_(some))
        for row in (await connection.execute(query)).all():
            found[ConversationId(row[0])] = Seq(row[1]), row[2]
    return found
