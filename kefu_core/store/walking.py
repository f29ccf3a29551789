"""Every row of an installation, table by table: what copies and backups read.

Tables come in the order of their foreign keys. Text keys are ordered differently by
different engines, so rows go by a number; those that share one come together.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import Table, select

from kefu_core.store import tables as t
from kefu_core.store.desk_tables import TABLES

_BATCH = 500
_BATCH_BYTES = 1_000_000
_ROW = msgspec.json.Encoder().encode

Fetch = Callable[[Any], Awaitable[Sequence[Any]]]
"""Returns all rows of a query."""

COPIED: tuple[tuple[Table, str], ...] = (
    (t.site, "id"),
    (t.visitor, "id"),
    (t.agent, "id"),
    (t.agent_session, "agent_id"),
    (t.conversation, "id"),
    (t.conversation_label, "conversation_id"),
    (t.message, "conversation_id"),
    (t.participant, "conversation_id"),
    (t.late_delivery, "conversation_id"),
    *((table, "id") for table in TABLES.values() if table is not t.visitor),
)
"""Tables in the order of their foreign keys, with the number their rows go by.

Rows of one number are few, and go in one transaction; but for messages, which go by
their seq as well. Text keys are ordered differently by different engines.
"""


async def batches(
    fetch: Fetch, table: Table, key: str, after: tuple[int, int] = (0, 0)
) -> AsyncGenerator[Sequence[Any]]:
    """Yield all rows after a key in its order, rows of one key together."""
    pages = _messages(fetch, *after) if table is t.message else None
    async with aclosing(pages or _groups(fetch, table, key, after[0])) as found:
        async for batch in found:
            yield batch


async def _messages(
    fetch: Fetch, conversation: int, seq: int
) -> AsyncGenerator[Sequence[Any]]:
    columns = t.message.c
    while True:
        # The rest of one conversation; then conversations from their beginnings.
        rest = select(t.message).where(
            columns.conversation_id == conversation, columns.seq > seq
        )
        page = await fetch(rest.order_by(columns.seq).limit(_BATCH))
        if len(page) < _BATCH:
            later = (
                select(t.message)
                .where(columns.conversation_id > conversation)
                .order_by(columns.conversation_id, columns.seq)
                .limit(_BATCH)
            )
            page = [*page, *await fetch(later)]
        if not page:
            return
        yield page
        conversation, seq = page[-1].conversation_id, page[-1].seq


async def _groups(
    fetch: Fetch, table: Table, key: str, after: int
) -> AsyncGenerator[Sequence[Any]]:
    column = table.c[key]
    while True:
        query = select(table).where(column > after).order_by(column).limit(_BATCH)
        page = list(await fetch(query))
        if not page:
            return
        last = getattr(page[-1], key)
        if len(page) == _BATCH and getattr(page[0], key) != last:
            # The last group may go on beyond the page: it comes with the next one.
            page = [row for row in page if getattr(row, key) != last]
        elif len(page) == _BATCH:
            page = list(await fetch(select(table).where(column == last)))
        yield page
        after = getattr(page[-1], key)


def slices(values: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Cut rows into statements that no engine finds too long."""
    slices: list[list[dict[str, Any]]] = [[]]
    size = 0
    for value in values:
        length = sum(len(part) for part in value.values() if isinstance(part, str))
        if slices[-1] and size + length > _BATCH_BYTES:
            slices.append([])
            size = 0
        slices[-1].append(value)
        size += length
    return slices


def digest(row: Any) -> int:
    """Return 64 bits that stand for a row's values."""
    return int.from_bytes(blake2b(_ROW(tuple(row)), digest_size=8).digest())
