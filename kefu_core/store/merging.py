"""One small step at a time: segments become one, and what they were made of goes.

How and why is told in `segments`.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.store import tables as t
from kefu_core.store.postings import ROW_DOCUMENTS_MAX, decode, rows_of
from kefu_core.store.segments import (
    FANOUT,
    RETIRED,
    RowKey,
    Segment,
    add_rows,
    add_segment,
    level_of,
    list_segments,
    lock,
    octets,
    read_rows,
)

_TERM_MIN, _TERM_END = -(2**63), 2**63
_ROWS_ASKED = 1_024
"""Rows that one step reads, about; more than half of them are of one document."""
_FAT = 256
"""Bytes from which on a row counts by its size."""
_FAT_BYTES_MAX = 65_536
"""Of fat rows in one step: some 20,000 documents."""
_PURGED_AT_ONCE = 2_000

_s, _p = t.search_segment.c, t.search_posting.c
_LAST = (
    select(_p.term, _p.newest)
    .where(_p.segment_id == bindparam("segment"))
    .order_by(_p.term.desc(), _p.newest.desc())
    .limit(1)
)
_KEYS = select(_p.term, _p.newest, _p.segment_id, octets).where(
    _p.segment_id.in_(bindparam("segments", expanding=True)),
    _p.term >= bindparam("first"),
    _p.term <= bindparam("last"),
)
_RANGE = select(_p.term, _p.newest, _p.documents).where(
    _p.segment_id.in_(bindparam("segments", expanding=True)),
    _p.term >= bindparam("first"),
    _p.term <= bindparam("last"),
)
_FAT_KEYS = _KEYS.where(octets >= bindparam("least"))
_END_OF_PURGE = (
    select(_p.term)
    .where(_p.segment_id == bindparam("segment"))
    .order_by(_p.term, _p.newest)
    .offset(bindparam("offset"))
    .limit(1)
)
_PURGE_ALL = delete(t.search_posting).where(_p.segment_id == bindparam("segment"))
_PURGE = delete(t.search_posting).where(
    _p.segment_id == bindparam("segment"), _p.term <= bindparam("last")
)
_FORGET = delete(t.search_segment).where(_s.id == bindparam("segment"))
_RETIRE = (
    update(t.search_segment)
    .where(_s.id.in_(bindparam("segments", expanding=True)))
    .values(level=RETIRED, is_whole=False)
)
_FINISH = (
    update(t.search_segment)
    .where(_s.id == bindparam("segment"))
    .values(level=bindparam("new_level"), documents=bindparam("count"), is_whole=True)
)


Row = tuple[int, int, bytes]
"""Term, newest document and the others, as a row has them."""


class _Sized(NamedTuple):
    """A row that may be read, and its bytes."""

    key: RowKey
    cost: int


async def tend(connection: AsyncConnection) -> bool:
    """Do one step of what is due; False if nothing is."""
    await lock(connection)
    segments = await list_segments(connection)
    for segment in segments:
        if segment.level == RETIRED:
            await _purge(connection, segment.id)
            return True
    for segment in segments:
        if not segment.is_whole:
            await _step(connection, segment, _inputs(segments, segment.level))
            return True
    whole = [segment.level for segment in segments]
    due = [level for level in sorted(set(whole)) if whole.count(level) >= FANOUT]
    if not due:
        return False
    await add_segment(connection, level=due[0], documents=0, is_whole=False)
    return True


def _inputs(segments: Sequence[Segment], level: int) -> list[Segment]:
    return [s for s in segments if s.is_whole and s.level == level][:FANOUT]


async def _purge(connection: AsyncConnection, segment: int) -> None:
    values = {"segment": segment}
    after = {**values, "offset": _PURGED_AT_ONCE}
    end = (await connection.execute(_END_OF_PURGE, after)).scalar()
    if end is not None:
        await connection.execute(_PURGE, {"segment": segment, "last": end})
        return
    await connection.execute(_PURGE_ALL, values)
    await connection.execute(_FORGET, values)


async def _step(
    connection: AsyncConnection, output: Segment, inputs: Sequence[Segment]
) -> None:
    values = {"segment": output.id}
    last = (await connection.execute(_LAST, values)).first()
    done = (last[0], last[1]) if last is not None else (_TERM_MIN, -1)
    documents = sum(segment.documents for segment in inputs)
    ids = [segment.id for segment in inputs]
    rows = await _next_rows(connection, ids, done, documents)
    if rows:
        await add_rows(connection, output.id, rows)
        return
    await connection.execute(_RETIRE, {"segments": ids})
    finished = {
        "segment": output.id,
        "new_level": level_of(documents),
        "count": documents,
    }
    await connection.execute(_FINISH, finished)


async def _next_rows(
    connection: AsyncConnection, ids: list[int], done: tuple[int, int], documents: int
) -> list[Row]:
    """Return the rows of the output that follow what is done; none at the end.

    Some whole terms, or a part of one. How many rows a range of terms has is known
    only afterwards, so ranges are added until there are enough.
    """
    # Some four rows for a document in small segments, one in large ones.
    first, width = done[0], _TERM_END * _ROWS_ASKED // (2 * documents + 1) + 1
    merged: list[Row] = []
    while first < _TERM_END and len(merged) < _ROWS_ASKED // 4:
        end = min(_TERM_END, first + width)
        width *= 2
        values = {"segments": ids, "first": first, "last": end - 1}
        fat = await _keys(connection, _FAT_KEYS, {**values, "least": _FAT}, done)
        giant = _first_beyond(fat)
        if giant is not None and giant == fat[0].key.term and not merged:
            values = {"segments": ids, "first": first, "last": giant - 1}
            merged = await _merge(connection, values, done)
            if not merged:
                values = {"segments": ids, "first": giant, "last": giant}
                rows = await _keys(connection, _KEYS, values, done)
                return await _merge_part(connection, rows, done)
            break
        end = end if giant is None else giant
        values["last"] = end - 1
        merged += await _merge(connection, values, done)
        first = end
        if giant is not None:
            break
    return merged


async def _keys(
    connection: AsyncConnection,
    statement: Any,
    values: dict[str, Any],
    done: tuple[int, int],
) -> list[_Sized]:
    """Return the keys of rows that are not merged yet, ascending."""
    rows = (await connection.execute(statement, values)).all()
    sized = (_Sized(RowKey(row[0], row[1], row[2]), row[3]) for row in rows)
    return sorted(row for row in sized if (row.key.term, row.key.newest) > done)


def _first_beyond(fat: Sequence[_Sized]) -> int | None:
    """Return the term whose rows are too much for the step; None if all fit."""
    cost = 0
    for row in fat:
        cost += row.cost
        if cost > _FAT_BYTES_MAX:
            return row.key.term
    return None


async def _merge(
    connection: AsyncConnection, values: dict[str, Any], done: tuple[int, int]
) -> list[Row]:
    """Return the rows of whole terms, out of all rows of a range of terms."""
    by_term: dict[int, list[tuple[int, bytes]]] = {}
    for term, newest, rest in (await connection.execute(_RANGE, values)).all():
        if (term, newest) > done:
            by_term.setdefault(term, []).append((newest, rest))
    merged: list[Row] = []
    for term in sorted(by_term):
        rows = by_term[term]
        after = done[1] if term == done[0] else -1
        if len(rows) == 1 and after < 0:
            merged.append((term, *rows[0]))
            continue
        documents: list[int] = []
        for newest, rest in rows:
            if rest:
                documents += decode(newest, rest)
            else:
                documents.append(newest)
        documents.sort()
        if documents[0] <= after:
            documents = documents[bisect_right(documents, after) :]
        merged += [(term, newest, rest) for newest, rest in rows_of(documents)]
    return merged


async def _merge_part(
    connection: AsyncConnection, rows: Sequence[_Sized], done: tuple[int, int]
) -> list[Row]:
    """Return the next rows of a term that is too large for one step."""
    term = rows[0].key.term
    after = done[1] if term == done[0] else -1
    wanted: list[RowKey] = []
    cost = 0
    for row in rows:
        if cost > _FAT_BYTES_MAX:
            break
        wanted.append(row.key)
        cost += row.cost
    until = wanted[-1].newest
    # In every other input, the row that begins before that moment and ends after it.
    seen: set[int] = set()
    for row in rows[len(wanted) :]:
        if row.key.segment not in seen:
            seen.add(row.key.segment)
            wanted.append(row.key)
    found = await read_rows(connection, wanted)
    documents = [n for key, rest in found.items() for n in decode(key.newest, rest)]
    ordered = sorted(n for n in documents if after < n <= until)
    if until < rows[-1].key.newest and len(ordered) > ROW_DOCUMENTS_MAX:
        # Only the end of a term may be a short row: the rest waits for what follows.
        ordered = ordered[: len(ordered) - len(ordered) % ROW_DOCUMENTS_MAX]
    return [(term, newest, rest) for newest, rest in rows_of(ordered)]
