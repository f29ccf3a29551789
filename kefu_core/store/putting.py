"""Create or replace, in words that every engine has.

`INSERT … ON CONFLICT` is spelt differently by each engine, and SQL Server's MERGE has
races of its own. So: update; if nothing was there, insert behind a savepoint; if
somebody else inserted meanwhile, update what they made.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, and_, bindparam, case, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.model import Arrival, Cursor
from kefu_core.store import tables as t
from kefu_core.store.arrivals import Rise, find_late

_Key = tuple[int, str]
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


async def raise_cursors(
    connection: AsyncConnection,
    cursors: Sequence[Cursor],
    arrivals: Sequence[Arrival] = (),
) -> None:
    """Raise stored cursors to these; lower values change nothing.

    Of those with an arrival, what was late is written down in the same transaction.

    In two statements, however many there are: everybody's acknowledgements of a third
    of a second come at once, and messages wait meanwhile. In the order of their keys:
    two nodes that raise the same ones never deadlock.
    """
    wanted: dict[_Key, tuple[int, int]] = {}
    for cursor in cursors:
        key = (int(cursor.conversation), str(cursor.participant))
        delivered, read = wanted.get(key, (0, 0))
        wanted[key] = max(delivered, cursor.delivered), max(read, cursor.read)
    conversations, held = await _held_cursors(connection, {key[0] for key in wanted})
    raised, new = [], []
    for key, (delivered, read) in sorted(wanted.items()):
        if key[0] not in conversations:
            continue
        row = {"its": key[0], "who": key[1], "delivered_": delivered, "read_": read}
        if key not in held:
            new.append(row)
        elif delivered > held[key][0] or read > held[key][1]:
            raised.append(row)
    if raised:
        await connection.execute(_RAISE, raised)
    rises = _rises(arrivals, wanted, held) if arrivals else []
    if new and not await _insert_all(connection, t.participant, _rows_of(new)):
        # Somebody else has inserted one of them meanwhile, and what it heard first.
        rises = [rise for rise in rises if rise.after]
        for row in new:
            await _raise_one(connection, row)
    if rises:
        await _keep_late(connection, rises)


def _rises(
    arrivals: Sequence[Arrival],
    wanted: Mapping[_Key, tuple[int, int]],
    held: Mapping[_Key, tuple[int, int]],
) -> list[Rise]:
    """Return how far cursors rise, of those with an arrival that do."""
    rises = []
    for arrival in arrivals:
        key = (int(arrival.conversation), str(arrival.participant))
        before, after = held.get(key, (0, 0))[0], wanted.get(key, (0, 0))[0]
        if after > before:
            rises.append(Rise(arrival, before, after))
    return rises


async def _keep_late(connection: AsyncConnection, rises: Sequence[Rise]) -> None:
    rows = await find_late(connection, rises)
    if rows and not await _insert_all(connection, t.late_delivery, rows):
        for row in rows:
            await insert_row(connection, t.late_delivery, row)


_columns = t.participant.c
_RAISE = (
    update(t.participant)
    .where(
        _columns.conversation_id == bindparam("its"),
        _columns.participant == bindparam("who"),
    )
    .values(
        delivered=case(
            (_columns.delivered < bindparam("delivered_"), bindparam("delivered_")),
            else_=_columns.delivered,
        ),
        read=case(
            (_columns.read < bindparam("read_"), bindparam("read_")),
            else_=_columns.read,
        ),
    )
)


async def _raise_one(connection: AsyncConnection, row: Mapping[str, Any]) -> None:
    if (await connection.execute(_RAISE, row)).rowcount:
        return
    if not await _insert_all(connection, t.participant, _rows_of([row])):
        await connection.execute(_RAISE, row)


def _rows_of(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what `_RAISE` is given as rows to insert."""
    return [
        {
            "conversation_id": row["its"],
            "participant": row["who"],
            "delivered": row["delivered_"],
            "read": row["read_"],
        }
        for row in rows
    ]


async def _insert_all(
    connection: AsyncConnection, table: Table, rows: Sequence[dict[str, Any]]
) -> bool:
    """Insert all, or none if one of them is there already."""
    try:
        async with connection.begin_nested():
            await connection.execute(insert(table), rows)
    except IntegrityError:
        return False
    return True


async def _held_cursors(
    connection: AsyncConnection, wanted: set[int]
) -> tuple[set[int], dict[_Key, tuple[int, int]]]:
    """Return which of these conversations there are, and the cursors in them."""
    known: set[int] = set()
    held: dict[_Key, tuple[int, int]] = {}
    numbers = sorted(wanted)
    columns = t.participant.c
    for start in range(0, len(numbers), IN_MAX):
        some = numbers[start : start + IN_MAX]
        query = (
            select(
                t.conversation.c.id,
                columns.participant,
                columns.delivered,
                columns.read,
            )
            .outerjoin(t.participant, columns.conversation_id == t.conversation.c.id)
            .where(t.conversation.c.id.in_(some))
        )
        for number, who, delivered, read in await connection.execute(query):
            known.add(number)
            if who is not None:
                held[number, who] = delivered, read
    return known, held
