"""Finding messages by the index: newest first, in small reads, until enough or late.

Theory of operation
-------------------

All terms of a query must be in a message, and a message is in one segment. So each
segment is asked for itself: of the query's terms the one with the shortest rows there
leads, and of the others only those rows are read that can hold what the leading row
has. The keys of the rows say so; they are all read first, as the *directory*.

::

    directory    keys of the terms' rows in whole segments, one statement
    rows         of the leading terms, the newest first over all segments
    candidates   documents that are in the rows of every term
    messages     of the newest candidates: filters in the database, the text here

Rows are read from the newest on, and a candidate is looked at once no unread row can
hold a newer one. So the first page of the commonest term costs a handful of rows,
whatever the size of the index, and stopping anywhere leaves a whole answer down to
there.

Every statement is small and takes a reading connection for itself alone, so a search
that finds little stands between two reads of the chat, never before them for long. A
row that is gone was merged into another segment meanwhile: the search begins again.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.abc.archive import SearchQuery
from kefu_core.ids import ID_MAX
from kefu_core.model import Message
from kefu_core.store import tables as t
from kefu_core.store.lists import conditions_of
from kefu_core.store.matching import Matches, document_range
from kefu_core.store.postings import decode, term_number
from kefu_core.store.reading import Read
from kefu_core.store.rows import MESSAGE_COLUMNS, message_from
from kefu_core.store.segments import RowKey, list_segments, octets, read_rows

_ROWS_FIRST, _ROWS_MOST = 2, 16
_LOOKED_FIRST, _LOOKED_MOST = 32, 256

_p, _d = t.search_posting.c, t.search_document.c
_m, _c, _l = t.message.c, t.conversation.c, t.conversation_label.c
_DIRECTORY = select(_p.segment_id, _p.term, _p.newest, octets).where(
    _p.segment_id.in_(bindparam("segments", expanding=True)),
    _p.term.in_(bindparam("terms", expanding=True)),
    _p.newest >= bindparam("since"),
)
_MESSAGES = (
    select(_d.id, *(_m[name] for name in MESSAGE_COLUMNS))
    .select_from(
        t.search_document.join(
            t.message,
            (_m.conversation_id == _d.conversation_id) & (_m.seq == _d.seq),
        ).join(t.conversation, _c.id == _d.conversation_id)
    )
    .where(_d.id.in_(bindparam("ids", expanding=True)))
)


class IndexMoved(Exception):
    """A row was merged into another segment while it was on the way."""


class _Row(NamedTuple):
    """A row of a leading term."""

    newest: int
    key: RowKey
    oldest: int
    """No document of the row is older."""


class Walk:
    """One walk through the index, from the newest document on.

    Attributes:
        reached: Down to here, this one included, every document was seen.
    """

    def __init__(self, read: Read, found: Matches, is_late: Callable[[], bool]) -> None:
        """Take the way to the database, where matches go, and when to stop."""
        self._read = read
        self._found = found
        self._is_late = is_late
        self._since, self._below = document_range(found.query)
        self.reached = min(self._below, ID_MAX)
        self._terms = [term_number(term) for term in found.wanted.terms]
        self._directory: dict[tuple[int, int], list[int]] = {}
        """(segment, term) to the keys of its rows, ascending."""
        self._rows: list[_Row] = []
        """Of leading terms, not read yet; the newest last."""
        self._candidates: list[int] = []
        """Ascending."""
        self._statement = _narrowed(found.query)

    async def run(self) -> bool:
        """Walk until enough is found, or the end; False if it got late.

        Raises:
            IndexMoved: Begin again.
        """
        await self._open()
        at_once, looked = _ROWS_FIRST, _LOOKED_FIRST
        while not self._found.is_full:
            ready = self._ready()
            if ready:
                await self._look(ready[-looked:])
                looked = min(looked * 2, _LOOKED_MOST)
            elif self._rows:
                await self._intersect(at_once)
                at_once = min(at_once * 2, _ROWS_MOST)
            else:
                return True
            # However late it is, a page gets further than the one before: rows that
            # reach back into that are read, and something that was found is looked at.
            unseen = self._newest_unseen() + 1
            may_stop = unseen < self._below and (bool(ready) or not self._ready())
            if may_stop and self._is_late():
                self.reached = min(self.reached, unseen)
                return self._found.is_full or self.reached <= self._since
        return True

    def _ready(self) -> list[int]:
        """Return the candidates that no unread row can come before; ascending."""
        bound = self._rows[-1].newest if self._rows else -1
        return self._candidates[bisect_left(self._candidates, bound + 1) :]

    def _newest_unseen(self) -> int:
        newest = self._rows[-1].newest if self._rows else -1
        return max(newest, self._candidates[-1] if self._candidates else -1)

    async def _open(self) -> None:
        """Read the directory, and choose what leads in each segment."""
        found = await self._read(self._read_directory)
        costs: dict[int, dict[int, int]] = {}
        for segment, term, newest, size in found:
            self._directory.setdefault((segment, term), []).append(newest)
            of_segment = costs.setdefault(segment, {})
            of_segment[term] = of_segment.get(term, 0) + size + 1
        for newests in self._directory.values():
            newests.sort()
        for segment, cost in costs.items():
            if all(term in cost for term in self._terms):
                leading = min(self._terms, key=lambda term: cost[term])
                self._lead(segment, leading)
        self._rows.sort()

    async def _read_directory(self, connection: AsyncConnection) -> Sequence[Any]:
        segments = await _whole_segments(connection)
        values = {"segments": segments, "terms": self._terms, "since": self._since}
        found = await _all(connection, _DIRECTORY, values) if segments else []
        # Rows of a segment that is retired may be gone in part, without a trace here.
        if set(segments) - set(await _whole_segments(connection)):
            raise IndexMoved
        return found

    def _lead(self, segment: int, term: int) -> None:
        oldest = 0
        for newest in self._directory[segment, term]:
            if oldest < self._below:
                key = RowKey(term, newest, segment)
                self._rows.append(_Row(newest, key, oldest))
            oldest = newest + 1

    async def _intersect(self, count: int) -> None:
        """Read the newest rows and add the documents that have every term."""
        rows = [self._rows.pop() for _ in range(min(count, len(self._rows)))]
        read = await self._load([row.key for row in rows])
        documents: dict[int, list[int]] = {}
        for row in rows:
            kept = [n for n in read[row.key] if self._since <= n < self._below]
            documents.setdefault(row.key.segment, []).extend(kept)
        leading = {row.key.segment: row.key.term for row in rows}
        for term in self._terms:
            of_term = {s: d for s, d in documents.items() if leading[s] != term and d}
            keys = {s: self._keys(s, term, some) for s, some in of_term.items()}
            read = await self._load([key for some in keys.values() for key in some])
            for segment, some in of_term.items():
                having = {n for key in keys[segment] for n in read[key]}
                documents[segment] = [n for n in some if n in having]
        for some in documents.values():
            self._candidates += some
        self._candidates.sort()

    def _keys(self, segment: int, term: int, documents: Sequence[int]) -> list[RowKey]:
        """Return the rows of a term that may hold any of these documents."""
        newests = self._directory[segment, term]
        places = {bisect_left(newests, document) for document in documents}
        return [
            RowKey(term, newests[at], segment)
            for at in sorted(places)
            if at < len(newests)
        ]

    async def _load(self, keys: Sequence[RowKey]) -> dict[RowKey, list[int]]:
        if not keys:
            return {}
        rows = await self._read(lambda c: read_rows(c, keys))
        if len(rows) < len(set(keys)):
            raise IndexMoved
        return {key: decode(key.newest, row) for key, row in rows.items()}

    async def _look(self, documents: Sequence[int]) -> None:
        """Offer the messages of these, the newest candidates; ascending."""
        values = {"ids": list(documents)}
        rows = await self._read(lambda c: _all(c, self._statement, values))
        messages: dict[int, Message] = {row[0]: message_from(row[1:]) for row in rows}
        for document in sorted(messages, reverse=True):
            self._found.offer(document, messages[document])
        del self._candidates[-len(documents) :]
        self.reached = documents[0]


def _narrowed(query: SearchQuery) -> Any:
    """Return the statement that reads messages of conversations that are wanted."""
    wanted = query.conversations
    conditions = conditions_of(wanted)
    if query.conversation is not None:
        conditions.append(_d.conversation_id == query.conversation)
    if query.sender is not None:
        conditions.append(_m.sender == query.sender)
    if wanted.label is not None:
        labelled = select(_l.conversation_id).where(
            _l.conversation_id == _d.conversation_id, _l.label == wanted.label
        )
        conditions.append(labelled.exists())
    return _MESSAGES.where(*conditions) if conditions else _MESSAGES


async def _whole_segments(connection: AsyncConnection) -> list[int]:
    return [s.id for s in await list_segments(connection) if s.is_whole]


async def _all(
    connection: AsyncConnection, statement: Any, values: dict[str, Any]
) -> Sequence[Any]:
    return (await connection.execute(statement, values)).all()
