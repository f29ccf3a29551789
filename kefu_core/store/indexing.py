"""The log into the search index and, when something is erased, out of it again."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import and_, bindparam, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core import text
from kefu_core.folding import QUARTER_MS
from kefu_core.model import Message
from kefu_core.store import tables as t
from kefu_core.store.bulk import insert_rows
from kefu_core.store.documents import (
    chunks,
    find_numbers,
    insert_documents,
    number,
    remove_documents,
)
from kefu_core.store.matching import INDEXED_KINDS
from kefu_core.store.postings import decode, encode, term_number
from kefu_core.store.rows import MESSAGE_COLUMNS, message_from
from kefu_core.store.segments import (
    FOLLOWER,
    RETIRED,
    RowKey,
    add_rows,
    list_segments,
    lock,
    read_rows,
    write_segment,
)
from kefu_core.types import ConversationId, UnixMs

CLOCK_SLACK_MS = QUARTER_MS
"""How far the clocks of several nodes may be apart: what they store is dated by them,
and the indexer passes a quarter of an hour only when it is over everywhere."""
WALKED_AT_ONCE = 500
_LOGS_AT_ONCE = 32

_c, _m, _p = t.conversation.c, t.message.c, t.search_posting.c
_f, _k = t.follower.c, t.search_cursor.c
_indexed = func.coalesce(_k.seq, 0)
_heads = select(_c.id, _c.active_at, _c.last_seq, _indexed, _c.last_at).select_from(
    t.conversation.outerjoin(t.search_cursor, _k.conversation_id == _c.id)
)
_WALK = (
    _heads.where(
        _c.active_at >= bindparam("active"),
        or_(
            _c.active_at > bindparam("active"),
            and_(_c.active_at == bindparam("active"), _c.id > bindparam("id")),
        ),
    )
    .order_by(_c.active_at, _c.id)
    .limit(bindparam("limit"))
)
_HEADS = _heads.where(_c.id.in_(bindparam("ids", expanding=True)))
_LOGS = select(*(_m[name] for name in MESSAGE_COLUMNS)).where(
    or_(
        *(
            and_(
                _m.conversation_id == bindparam(f"c{at}"),
                _m.seq > bindparam(f"a{at}"),
                _m.seq <= bindparam(f"b{at}"),
            )
            for at in range(_LOGS_AT_ONCE)
        )
    )
)
_MOVE = (
    update(t.search_cursor)
    .where(_k.conversation_id == bindparam("conversation"))
    .values(seq=bindparam("to"))
)
_PASS = (
    update(t.follower)
    .where(_f.name == FOLLOWER, _f.position < bindparam("to"))
    .values(position=bindparam("to"))
)
_POSITION = select(_f.position).where(_f.name == FOLLOWER)
_KEYS = select(_p.term, _p.newest, _p.segment_id).where(
    _p.segment_id.in_(bindparam("segments", expanding=True)),
    _p.term.in_(bindparam("terms", expanding=True)),
    _p.newest >= bindparam("first"),
)
_DROP_ROW = delete(t.search_posting).where(
    _p.segment_id == bindparam("segment"),
    _p.term == bindparam("of"),
    _p.newest == bindparam("at"),
)
_SET_ROW = (
    update(t.search_posting)
    .where(
        _p.segment_id == bindparam("segment"),
        _p.term == bindparam("of"),
        _p.newest == bindparam("at"),
    )
    .values(documents=bindparam("rest"))
)


class Head(NamedTuple):
    """A conversation on the indexer's way."""

    id: ConversationId
    active_at: UnixMs
    last_seq: int
    indexed: int
    """The seq up to which it is in the index."""
    last_at: UnixMs

    @property
    def behind(self) -> int:
        """Messages that are not indexed."""
        return max(0, self.last_seq - self.indexed)


async def position(connection: AsyncConnection) -> UnixMs:
    """Return the moment before which everything is indexed."""
    return UnixMs((await connection.execute(_POSITION)).scalar() or 0)


async def walk(
    connection: AsyncConnection, after: tuple[UnixMs, ConversationId]
) -> list[Head]:
    """Return the next conversations in the order of their last activity."""
    values = {"active": after[0], "id": after[1], "limit": WALKED_AT_ONCE}
    rows = (await connection.execute(_WALK, values)).all()
    return [Head(*row) for row in rows]


async def advance(connection: AsyncConnection, to: UnixMs) -> None:
    """Note that everything last active before `to` is indexed."""
    await lock(connection)
    await connection.execute(_PASS, {"to": to})


async def index(
    connection: AsyncConnection,
    conversations: Collection[ConversationId],
    limit: int,
    passed: UnixMs = UnixMs(0),
) -> int:
    """Index the next messages of these conversations; return how many they were.

    Args:
        connection: In a transaction of its own.
        conversations: In the order in which they are taken, while `limit` lasts.
        limit: Messages at most.
        passed: All conversations last active before this moment are indexed after it.
    """
    await lock(connection)
    heads: dict[ConversationId, Head] = {}
    for ids in chunks(conversations):
        for row in await connection.execute(_HEADS, {"ids": ids}):
            heads[row[0]] = Head(*row)
    spans: list[tuple[Head, int]] = []
    for conversation in conversations:
        head = heads.get(conversation)
        if head is not None and head.behind and limit > 0:
            taken = min(head.behind, limit)
            spans.append((head, head.indexed + taken))
            limit -= taken
    await _add(connection, await _read(connection, spans))
    await _move(connection, spans)
    if passed:
        await connection.execute(_PASS, {"to": passed})
    return sum(to - head.indexed for head, to in spans)


async def _read(
    connection: AsyncConnection, spans: Sequence[tuple[Head, int]]
) -> list[Message]:
    """Return the messages of each (conversation, up to this seq)."""
    found: list[Message] = []
    for some in chunks(spans, _LOGS_AT_ONCE):
        values: dict[str, int] = {}
        for at in range(_LOGS_AT_ONCE):
            head, to = some[min(at, len(some) - 1)]
            values |= {f"c{at}": head.id, f"a{at}": head.indexed, f"b{at}": to}
        rows = (await connection.execute(_LOGS, values)).all()
        found += [message_from(row) for row in rows]
    return found


async def _add(connection: AsyncConnection, messages: Iterable[Message]) -> None:
    """Put messages into a segment of their own."""
    texts = [message for message in messages if message.kind in INDEXED_KINDS]
    if not texts:
        return
    numbers = await number(connection, texts)
    await insert_documents(connection, numbers, texts)
    await write_segment(connection, len(texts), _postings(numbers, texts))


def _postings(
    numbers: Sequence[int], messages: Sequence[Message]
) -> dict[int, list[int]]:
    """Return for each term the numbers of the messages that have it."""
    postings: dict[int, list[int]] = {}
    for document, message in zip(numbers, messages, strict=True):
        for term in set(map(term_number, text.terms(message.body))):
            postings.setdefault(term, []).append(document)
    return postings


async def _move(connection: AsyncConnection, spans: Sequence[tuple[Head, int]]) -> None:
    """Note how far conversations are indexed."""
    moved = [{"conversation": head.id, "to": to} for head, to in spans if head.indexed]
    if moved:
        await connection.execute(_MOVE, moved)
    added = [(head.id, to) for head, to in spans if not head.indexed]
    await insert_rows(connection, t.search_cursor, ("conversation_id", "seq"), added)


# -- out of the index ------------------------------------------------------------------


async def unindex(connection: AsyncConnection, messages: Collection[Message]) -> None:
    """Take messages out of the index, before their content is erased.

    In the transaction that erases them, and first in it: it locks the index, so that
    what is erased is not indexed meanwhile. Messages as they were until now: their
    texts say where to look. Those that are not indexed are passed over. Cost: some
    ten rows a message; a hundred messages at once are enough.
    """
    await lock(connection)
    texts = [m for m in messages if m.kind in INDEXED_KINDS]
    cursors: dict[int, int] = {}
    for ids in chunks({m.conversation for m in texts}):
        for head in await connection.execute(_HEADS, {"ids": ids}):
            cursors[head[0]] = head[3]
    indexed = [m for m in texts if m.seq <= cursors.get(m.conversation, 0)]
    numbers = await find_numbers(connection, indexed)
    if not numbers:
        return
    found = [m for m in indexed if (m.conversation, m.seq) in numbers]
    postings = _postings([numbers[m.conversation, m.seq] for m in found], found)
    segments = [s.id for s in await list_segments(connection) if s.level != RETIRED]
    for terms in chunks(postings):
        removed = {term: set(postings[term]) for term in terms}
        await _remove(connection, segments, removed)
    await remove_documents(connection, numbers.values())


async def _remove(
    connection: AsyncConnection, segments: list[int], removed: dict[int, set[int]]
) -> None:
    """Take documents out of the rows of these terms in every segment."""
    first = min(min(documents) for documents in removed.values())
    values = {"segments": segments, "terms": list(removed), "first": first}
    newests: dict[tuple[int, int], list[int]] = {}
    for found in await connection.execute(_KEYS, values):
        newests.setdefault((found[2], found[0]), []).append(found[1])
    wanted: set[RowKey] = set()
    for (segment, term), rows in newests.items():
        rows.sort()
        for document in removed[term]:
            at = bisect_left(rows, document)
            if at < len(rows):
                wanted.add(RowKey(term, rows[at], segment))
    for key, row in (await read_rows(connection, wanted)).items():
        documents = decode(key.newest, row)
        kept = [n for n in reversed(documents) if n not in removed[key.term]]
        if len(kept) < len(documents):
            await _rewrite(connection, key, kept)


async def _rewrite(
    connection: AsyncConnection, key: RowKey, kept: Sequence[int]
) -> None:
    values = {"segment": key.segment, "of": key.term, "at": key.newest}
    if kept and kept[-1] == key.newest:
        await connection.execute(_SET_ROW, {**values, "rest": encode(kept)})
        return
    await connection.execute(_DROP_ROW, values)
    if kept:
        await add_rows(connection, key.segment, [(key.term, kept[-1], encode(kept))])
