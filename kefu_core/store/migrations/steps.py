"""Steps of a migration that may be run again.

MySQL and MariaDB commit after each change of a table, so a migration that was killed
has done some of its steps. Run again, each of these does only what is missing. Written
as a script, for nobody's database, each writes what a database without it needs.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from kefu_core.store.types import MYSQL_OPTIONS


def create_table(title: str, *parts: Any, **options: Any) -> None:
    """Create a table unless it is there."""
    if context.is_offline_mode() or title not in _inspect().get_table_names():
        op.create_table(title, *parts, **MYSQL_OPTIONS, **options)


def add_column(table: str, column: sa.Column[Any]) -> None:
    """Add a column unless it is there."""
    if context.is_offline_mode() or column.name not in _column_names(table):
        op.add_column(table, column)


def create_index(title: str, table: str, columns: Sequence[str]) -> None:
    """Create an index unless it is there."""
    if context.is_offline_mode() or title not in _index_names(table):
        op.create_index(title, table, list(columns))


def drop_index(title: str, table: str) -> None:
    """Drop an index if it is there."""
    if context.is_offline_mode() or title in _index_names(table):
        op.drop_index(title, table_name=table)


def _column_names(table: str) -> set[str]:
    return {found["name"] for found in _inspect().get_columns(table)}


def _index_names(table: str) -> set[str | None]:
    return {found["name"] for found in _inspect().get_indexes(table)}


def _inspect() -> sa.Inspector:
    # A new one each time: an inspector remembers what it saw.
    return sa.inspect(op.get_bind())
