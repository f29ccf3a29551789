"""Create or replace, in words that every engine has.

`INSERT … ON CONFLICT` is spelt differently by each engine, and SQL Server's MERGE has
races of its own. So: update; if nothing was there, insert behind a savepoint; if
somebody else inserted meanwhile, update what they made.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, and_, case, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.model import Cursor
from kefu_core.store import tables as t

IN_MAX = 500
"""Values in one list of a query; every engine takes as many."""


async def put_row(
    connection: AsyncConnection, table: Table, values: Mapping[str, Any]
) -> None:
    """Make a row hold these values, by its primary key.

    Raises:
        IntegrityError: Another row has one of the values that must be unique.
    """
    key = [column.name for column in table.primary_key]
    is_it = and_(*(table.c[name] == values[name] for name in key))
    rest = {name: value for name, value in values.items() if name not in key}
    change = update(table).where(is_it).values(**rest)
    if (await connection.execute(change)).rowcount:
        return
    if await insert_row(connection, table, values):
        return
    if not (await connection.execute(change)).rowcount:
        # Not this row was in the way but another: say so.
        await connection.execute(insert(table).values(**values))


async def insert_row(
    connection: AsyncConnection, table: Table, values: Mapping[str, Any]
) -> bool:
    """Insert a row; False if one with these unique values is there already."""
    try:
        async with connection.begin_nested():
            await connection.execute(insert(table).values(**values))
    except IntegrityError:
        return False
    return True


async def raise_cursors(connection: AsyncConnection, cursors: Sequence[Cursor]) -> None:
    """Raise stored cursors to these; lower values change nothing.

    In the order of their keys: two nodes that raise the same ones never deadlock.
    """
    wanted: dict[tuple[int, str], tuple[int, int]] = {}
    for cursor in cursors:
        key = (int(cursor.conversation), str(cursor.participant))
        delivered, read = wanted.get(key, (0, 0))
        wanted[key] = max(delivered, cursor.delivered), max(read, cursor.read)
    known = await _known_conversations(connection, {number for number, _ in wanted})
    for key, (delivered, read) in sorted(wanted.items()):
        if key[0] in known:
            await _raise_one(connection, key, delivered, read)


async def _raise_one(
    connection: AsyncConnection, key: tuple[int, str], delivered: int, read: int
) -> None:
    columns = t.participant.c
    change = (
        update(t.participant)
        .where(columns.conversation_id == key[0], columns.participant == key[1])
        .values(
            delivered=case(
                (columns.delivered < delivered, delivered), else_=columns.delivered
            ),
            read=case((columns.read < read, read), else_=columns.read),
        )
    )
    if (await connection.execute(change)).rowcount:
        return
    row = {
        "conversation_id": key[0],
        "participant": key[1],
        "delivered": delivered,
        "read": read,
    }
    if not await insert_row(connection, t.participant, row):
        await connection.execute(change)


async def _known_conversations(
    connection: AsyncConnection, wanted: set[int]
) -> set[int]:
    known: set[int] = set()
    numbers = sorted(wanted)
    for start in range(0, len(numbers), IN_MAX):
        some = numbers[start : start + IN_MAX]
        query = select(t.conversation.c.id).where(t.conversation.c.id.in_(some))
        known.update((await connection.execute(query)).scalars())
    return known
