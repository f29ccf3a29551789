"""Every statement that any test runs, held to the rules of all engines.

A query that a test reaches on SQLite is compiled for SQL Server, MySQL and PostgreSQL
as well, so none can be forgotten: it compiles, and it is what T-SQL allows.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
from sqlalchemy import Case, Column, Select, event
from sqlalchemy.dialects.mssql import aioodbc
from sqlalchemy.dialects.mysql import asyncmy
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.sql import ClauseElement, visitors
from sqlalchemy.sql.ddl import ExecutableDDLElement
from sqlalchemy.sql.elements import BindParameter, Grouping, Tuple, UnaryExpression
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Boolean

MSSQL: Any = aioodbc.dialect(deprecate_large_types=True)
# As after connecting: without a version it numbers rows instead of OFFSET and FETCH.
MSSQL.server_version_info = (15, 0)
MSSQL._setup_version_attributes()
DIALECTS: dict[str, Dialect] = {
    "mssql": MSSQL,
    "mysql": asyncmy.dialect(),
    "postgresql": asyncpg.dialect(),
}
VALUES_MAX = 2_000
"""SQL Server takes 2,100 in one statement, a few of them its own."""

_FORBIDDEN = {
    "LIMIT": r"(?<![:\w])LIMIT\b",
    "FOR UPDATE": r"\bFOR UPDATE\b",
    "MERGE": r"\bMERGE\b",
    "a type without Unicode": r"(?<!N)\b(VARCHAR|TEXT|CHAR)\b",
    "ON CONFLICT": r"\bON (CONFLICT|DUPLICATE)\b",
    "rows without an order": r"\bmssql_rn\b",
}
_FUNCTIONS = {"coalesce", "count", "max", "min", "row_number", "sum", "_Octets"}
"""What every engine has under this name, or is told apart for each."""

# SQLAlchemy asks each engine's own tables about tables.
_CATALOGUES = re.compile(r"pg_catalog\.|information_schema\.|\bsys\.", re.IGNORECASE)


class Watcher:
    """Notes what breaks a rule, each statement once."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.texts: dict[str, str] = {}
        """Each statement for SQL Server, by SQLAlchemy's general text of it."""

    def see(self, statement: Any, many: Any, one: Any) -> None:
        """Judge a statement that is about to run."""
        if not isinstance(statement, ClauseElement):
            return
        if isinstance(statement, ExecutableDDLElement):
            return
        parameters = _first(many) or dict(one or {})
        own = str(statement)
        values = _count_values(statement, parameters)
        if values > VALUES_MAX:
            self.faults.append(f"{values} values in one statement: {own[:300]}")
        if own in self.texts or _CATALOGUES.search(own):
            return
        for name, dialect in DIALECTS.items():
            try:
                text = text_of(statement, dialect, parameters)
            except Exception as error:
                self.faults.append(f"{name} cannot say it ({error}): {own[:300]}")
                continue
            if name == "mssql":
                self.texts[own] = text
                self.faults += faults_of(statement, text)


def text_of(
    statement: ClauseElement, dialect: Dialect, parameters: Mapping[str, Any]
) -> str:
    """Return a statement in an engine's words, one line, lists not written out."""
    keys = list(parameters) or None
    compiled = statement.compile(dialect=dialect, column_keys=keys)
    return " ".join(str(compiled).split())


def faults_of(statement: ClauseElement, text: str) -> list[str]:
    """Return what SQL Server would refuse, or do otherwise than meant."""
    shown = re.sub(r"N?'[^']*'", "''", text)
    found = [
        f"{what} on SQL Server: {text[:300]}"
        for what, pattern in _FORBIDDEN.items()
        if re.search(pattern, shown, re.IGNORECASE)
    ]
    if isinstance(statement, Select):
        is_cut = re.search(r"\b(TOP|OFFSET)\b", shown)
        if is_cut and "ORDER BY" not in shown:
            found.append(f"cut without an order: {text[:300]}")
        locks = getattr(statement, "_for_update_arg", None) is not None
        if locks and "UPDLOCK" not in shown:
            found.append(f"the lock is dropped on SQL Server: {text[:300]}")
    return found + [f"{what}: {text[:300]}" for what in _strange_parts(statement)]


def _strange_parts(statement: ClauseElement) -> Iterator[str]:
    """Name what compiles and is no T-SQL all the same."""
    for part in visitors.iterate(statement):
        if isinstance(part, Tuple):
            yield "rows are not compared as a whole on SQL Server"
        if isinstance(part, FunctionElement):
            name = getattr(part, "name", None) or type(part).__name__
            if name not in _FUNCTIONS:
                yield f"{name}() is not known to be on every engine"
        if isinstance(part, Select):
            shown = [*part.selected_columns, *part._order_by_clauses]
            if any(_is_condition(one) for one in shown):
                yield "a condition is no value on SQL Server; say it by case()"


def _is_condition(element: Any) -> bool:
    while isinstance(element, Grouping) or (
        isinstance(element, UnaryExpression) and element.modifier is not None
    ):
        element = element.element
    if isinstance(element, (Column, Case, BindParameter)):
        return False
    return isinstance(getattr(element, "type", None), Boolean)


def _first(many: Any) -> dict[str, Any]:
    return dict(many[0]) if many and isinstance(many[0], Mapping) else {}


def _count_values(statement: ClauseElement, parameters: Mapping[str, Any]) -> int:
    try:
        bound = _compiled(statement).params
    except Exception:
        return 0
    values = {**bound, **parameters}.values()
    return sum(len(v) if isinstance(v, (list, tuple, set)) else 1 for v in values)


def _compiled(statement: ClauseElement) -> Any:
    return statement.compile(dialect=MSSQL)


@cache
def watcher() -> Watcher:
    """Return the one of this run, watching from now on."""
    found = Watcher()

    @event.listens_for(Engine, "before_execute")
    def _about_to_run(
        connection: Any, statement: Any, many: Any, one: Any, options: Any
    ) -> None:
        found.see(statement, many, one)

    return found


@pytest.fixture(autouse=True)
def every_statement_is_one_that_all_engines_take() -> Iterator[None]:
    """Fails the test that first ran a statement which breaks a rule."""
    seen = watcher()
    before = len(seen.faults)
    yield
    faults = "\n".join(seen.faults[before:])
    assert not faults, faults
