"""Thousands of rows in one statement, past what costs more than the database."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection


async def insert_rows(
    connection: AsyncConnection,
    table: Table,
    columns: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """Insert rows of numbers and bytes, in the order of `columns`.

    Values go to the driver as they are: building a dict, a list and a `memoryview` for
    each row takes three times as long as SQLite takes to store it.
    """
    if not rows:
        return
    statement, order = _insert(connection.dialect, table, columns)
    values = rows if order is None else [tuple(row[at] for at in order) for row in rows]
    await connection.exec_driver_sql(statement, values)


@lru_cache(maxsize=32)
def _insert(
    dialect: Dialect, table: Table, columns: tuple[str, ...]
) -> tuple[str, tuple[int, ...] | None]:
    """Return the statement, and the order of its values where that is another one."""
    compiled = insert(table).compile(dialect=dialect, column_keys=list(columns))
    positions = compiled.positiontup
    assert positions is not None, "a driver that takes values by name"
    order = tuple(columns.index(name) for name in positions)
    return str(compiled), None if order == tuple(range(len(columns))) else order
