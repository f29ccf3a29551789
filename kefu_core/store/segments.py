"""The parts of the search index: written once, merged in small steps, never changed.

Theory of operation
-------------------

For every term the index has the messages that contain it, as document ids in the order
of time. Putting each new message into the lists of its fifteen terms would change
fifteen random places of a large table. So what is new becomes a *segment*: a small
index of its own, written in one piece. A search asks every segment, and segments of
like size are merged, sixteen into one, so there are never more than some dozens.

::

    level 0   ▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪ ─┐            fewer than 128 documents
    level 1   ■■■■■■■■■■ ◀──────┘ one merge   fewer than 2,048
    level 2   ███                            fewer than 32,768, and so on

A row of `search_posting` is (segment, term, newest) and the documents of that term in
that segment, at most `ROW_DOCUMENTS_MAX`, of which `newest` is the greatest. Rows of a
term and segment do not overlap, so the key alone says which row may hold a document.

A merge writes a segment that nobody reads yet (`is_whole` is false), term by term. All
there is to know of its progress is its greatest row, and its inputs are always the
oldest whole segments of the level that stands in its own row. So no step needs to know
of the step before: a merge that was killed goes on in whatever process comes next. The
last step makes the output whole and its inputs `RETIRED`, in one transaction; their
rows are then deleted in steps of their own. A search that had read of such a row before
finds it missing, and begins again.

What holds, and why:

- A document is in exactly one whole segment. Documents, postings and cursors are
  written in one transaction: killed anywhere, no message is missing or there twice.
- The row of `follower` is locked first by whoever writes, so there is one writer at a
  time, whatever the number of processes; on SQLite the database is its lock.
- A step reads and writes some 64 KiB, some ten milliseconds of work: on SQLite it
  stands between two messages. Terms are hashes, so a range of them holds the same
  share of every segment, and one range of keys is read from all inputs at once.
- A term that is too large for one step is merged by time: up to the moment that the
  rows that were read cover in every input.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Integer, and_, bindparam, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from kefu_core.store import tables as t
from kefu_core.store.bulk import insert_rows
from kefu_core.store.documents import chunks
from kefu_core.store.postings import rows_of

FOLLOWER = "search"
FANOUT = 16
"""Segments of one level that become one."""
RETIRED = -1
"""Level of a segment that was merged into another; its rows are being deleted."""
_LEVEL_0_MAX = 128
_POSTING_COLUMNS = ("segment_id", "term", "newest", "documents")
_KEYS_AT_ONCE = 32

_f, _s, _p = t.follower.c, t.search_segment.c, t.search_posting.c


class RowKey(NamedTuple):
    """Which row of `search_posting`; ascending by term, then by time."""

    term: int
    newest: int
    segment: int


class Segment(msgspec.Struct, frozen=True):
    """A row of `search_segment`."""

    id: int
    level: int
    documents: int
    """When it was written; messages that were erased since are not taken off."""
    is_whole: bool


class _Octets(FunctionElement[int]):
    """The length of a value in bytes."""

    type = Integer()
    inherit_cache = True


@compiles(_Octets)
def _octets(element: Any, compiler: Any, **options: Any) -> str:
    return f"length({compiler.process(element.clauses, **options)})"


@compiles(_Octets, "mssql")
def _octets_mssql(element: Any, compiler: Any, **options: Any) -> str:
    return f"datalength({compiler.process(element.clauses, **options)})"


octets = _Octets(_p.documents)

_LOCK = (
    select(_f.position)
    .where(_f.name == FOLLOWER)
    .with_for_update()
    .with_hint(t.follower, "WITH (UPDLOCK, ROWLOCK)", "mssql")
)
_SEGMENTS = select(_s.id, _s.level, _s.documents, _s.is_whole).order_by(_s.id)
_LAST_ID = select(func.max(_s.id))
# One statement for any number of keys: it is compiled once, and the places that are
# left over repeat the last key.
_BY_KEY = select(_p.term, _p.newest, _p.segment_id, _p.documents).where(
    or_(
        *(
            and_(
                _p.segment_id == bindparam(f"s{at}"),
                _p.term == bindparam(f"t{at}"),
                _p.newest == bindparam(f"n{at}"),
            )
            for at in range(_KEYS_AT_ONCE)
        )
    )
)


async def lock(connection: AsyncConnection) -> int:
    """Become the one who writes the index; return the follower's position."""
    position = (await connection.execute(_LOCK)).scalar()
    if position is not None:
        return int(position)
    # Two who do this at once meet at the primary key; the second tries again later.
    await connection.execute(insert(t.follower).values(name=FOLLOWER, position=0))
    return 0


async def list_segments(connection: AsyncConnection) -> list[Segment]:
    """Return all segments, the oldest first."""
    rows = (await connection.execute(_SEGMENTS)).all()
    return [Segment(row[0], row[1], row[2], bool(row[3])) for row in rows]


async def add_segment(
    connection: AsyncConnection, *, level: int, documents: int, is_whole: bool
) -> int:
    """Add a segment that has no rows yet, newer than all others; return its id."""
    last = (await connection.execute(_LAST_ID)).scalar() or 0
    values = {
        "id": last + 1,
        "level": level,
        "documents": documents,
        "is_whole": is_whole,
    }
    await connection.execute(insert(t.search_segment).values(values))
    return int(last) + 1


def level_of(documents: int) -> int:
    """Return the level of a segment with so many documents."""
    level = 0
    while documents >= _LEVEL_0_MAX * FANOUT**level:
        level += 1
    return level


async def add_rows(
    connection: AsyncConnection, segment: int, rows: Sequence[tuple[int, int, bytes]]
) -> None:
    """Add rows, (term, newest, documents), to a segment."""
    values = [(segment, *row) for row in rows]
    await insert_rows(connection, t.search_posting, _POSTING_COLUMNS, values)


async def write_segment(
    connection: AsyncConnection, documents: int, postings: Mapping[int, list[int]]
) -> None:
    """Write a whole segment: for each term, its documents in any order."""
    segment = await add_segment(
        connection, level=level_of(documents), documents=documents, is_whole=True
    )
    rows: list[tuple[int, int, bytes]] = []
    for term in sorted(postings):
        of_term = postings[term]
        if len(of_term) == 1:
            rows.append((term, of_term[0], b""))  # As `rows_of`: half of all terms.
        else:
            rows += [(term, *row) for row in rows_of(sorted(of_term))]
    await add_rows(connection, segment, rows)


async def read_rows(
    connection: AsyncConnection, keys: Collection[RowKey]
) -> dict[RowKey, bytes]:
    """Return these rows; those that are gone are left out."""
    found: dict[RowKey, bytes] = {}
    for some in chunks(keys, _KEYS_AT_ONCE):
        values: dict[str, int] = {}
        for at in range(_KEYS_AT_ONCE):
            key = some[min(at, len(some) - 1)]
            values |= {f"s{at}": key.segment, f"t{at}": key.term, f"n{at}": key.newest}
        for row in await connection.execute(_BY_KEY, values):
            found[RowKey(row[0], row[1], row[2])] = row[3]
    return found
