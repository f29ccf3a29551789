"""The database's view of a run."""

import asyncio

from sqlalchemy import column, table
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.history import Row, body_hash

COLUMNS = ("conversation_id", "seq", "sender", "key", "kind", "body", "at")
"""Written out here: the judge does not take the store's word for its tables."""
QUERY = table("message", *map(column, COLUMNS)).select()


def load_rows(url: str) -> list[Row]:
    """Return every message of a database, whatever wrote it."""
    return asyncio.run(_load(url))


async def _load(url: str) -> list[Row]:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return [
                Row(
                    conversation=conversation,
                    seq=seq,
                    sender=sender,
                    key=key or "",
                    kind=kind,
                    body=body_hash(body or ""),
                    at=at,
                )
                for conversation, seq, sender, key, kind, body, at in (
                    await connection.execute(QUERY)
                )
            ]
    finally:
        await engine.dispose()
