"""The database's view of a run."""

import asyncio
from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import column, table
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.history import Row, body_hash

COLUMNS = ("conversation_id", "seq", "sender", "key", "kind", "body", "at")
"""Written out here: the judge does not take the store's word for its tables."""
MESSAGE = table("message", *map(column, COLUMNS))
QUERY = MESSAGE.select()
IN_ORDER = QUERY.order_by(MESSAGE.c.conversation_id, MESSAGE.c.seq)
ASKED_AT_ONCE = 500
"""Conversations, and rows: below what every engine takes as parameters."""


def load_rows(url: str, conversations: Collection[int] | None = None) -> list[Row]:
    """Return every message of a database, or of some conversations."""
    return asyncio.run(_load(url, conversations))


def walk_rows(url: str) -> Iterator[Row]:
    """Yield every message in the order of conversations and seqs, few at a time."""
    with asyncio.Runner() as runner:
        engine = create_async_engine(url)
        try:
            last: tuple[int, int] = (-1, -1)
            while rows := runner.run(_next(engine, last)):
                yield from rows
                last = rows[-1].conversation, rows[-1].seq
        finally:
            runner.run(engine.dispose())


async def _load(url: str, conversations: Collection[int] | None) -> list[Row]:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            if conversations is None:
                return list(map(_row, await connection.execute(QUERY)))
            ids, found = sorted(conversations), list[Row]()
            for first in range(0, len(ids), ASKED_AT_ONCE):
                some = ids[first : first + ASKED_AT_ONCE]
                asked = QUERY.where(MESSAGE.c.conversation_id.in_(some))
                found += map(_row, await connection.execute(asked))
            return found
    finally:
        await engine.dispose()


async def _next(engine: AsyncEngine, last: tuple[int, int]) -> list[Row]:
    conversation, seq = MESSAGE.c.conversation_id, MESSAGE.c.seq
    after = (conversation > last[0]) | ((conversation == last[0]) & (seq > last[1]))
    asked = IN_ORDER.where(after).limit(ASKED_AT_ONCE)
    async with engine.connect() as connection:
        return list(map(_row, await connection.execute(asked)))


def _row(found: Any) -> Row:
    conversation, seq, sender, key, kind, body, at = found
    return Row(
        conversation=conversation,
        seq=seq,
        sender=sender,
        key=key or "",
        kind=kind,
        body=body_hash(body or ""),
        at=at,
    )
