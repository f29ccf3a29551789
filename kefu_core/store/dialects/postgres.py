"""PostgreSQL 12 or later, through asyncpg.

Every statement takes one array for each column, so its text never changes and is
prepared once. The rows of `conversation` that an append touches change no indexed
column, so PostgreSQL updates them in place.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kefu_core.store.batching import Rows, Statement, Statements
from kefu_core.store.dialects.base import (
    LANE_WAIT_S,
    LOCK_WAIT_S,
    Dialect,
    Refusal,
    cause_of,
    rows_of,
)
from kefu_core.store.dialects.drivers import AsyncpgWriter
from kefu_core.store.rows import (
    CHANGE_COLUMNS,
    CONVERSATION_COLUMNS,
    MESSAGE_COLUMNS,
    MESSAGE_INSERT_COLUMNS,
    TOUCH_COLUMNS,
)
from kefu_core.store.writing import DraftWriter, Fault

_VERSION_MIN = 120_000
_FULL = {"53100"}
_REFUSALS = {
    "28P01": Refusal.LOGIN,
    "28000": Refusal.LOGIN,
    "42501": Refusal.RIGHTS,
    "3D000": Refusal.MISSING,
    "53300": Refusal.CROWDED,
    "53100": Refusal.FULL,
}
_HELD = {"40001", "40P01", "55P03", "57014"}
"""Serialization, deadlock, lock time-out, statement time-out."""
_MIGRATION_LOCK = 0x6B656675  # "kefu"
_STATEMENT_S = 30

_NUMBERS = frozenset(
    {
        "conversation_id",
        "id",
        "seq",
        "ref",
        "at",
        "digest",
        "last_seq",
        "last_at",
        "waiting_since",
        "active_at",
        "team_id",
        "queued_at",
        "first_reply_at",
        "closed_at",
        "untranslated",
    }
)
_DURABLE = {
    "fsync": {"on"},
    "full_page_writes": {"on"},
    "synchronous_commit": {"on", "local", "remote_write", "remote_apply"},
}


class PostgresDialect(Dialect):
    """PostgreSQL."""

    name, drivername = "postgresql", "postgresql+asyncpg"
    title, extra = "PostgreSQL", "postgres"
    sentences: ClassVar[Mapping[Refusal, str]] = {
        Refusal.RIGHTS: (
            "The database user has too few rights; run as its administrator: "
            "GRANT ALL ON SCHEMA public TO kefu (with your own name)."
        ),
        Refusal.MISSING: (
            "There is no such database; run as its administrator: "
            "CREATE DATABASE kefu OWNER kefu ENCODING 'UTF8' TEMPLATE template0."
        ),
    }
    long_statements = (
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL idle_in_transaction_session_timeout = 0",
    )
    clock_query = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"

    def session_statements(self, *, is_reader: bool) -> tuple[str, ...]:
        return (
            f"SET lock_timeout = '{LOCK_WAIT_S}s'",
            f"SET statement_timeout = '{_STATEMENT_S}s'",
            f"SET idle_in_transaction_session_timeout = '{_STATEMENT_S}s'",
        )

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        # What asyncpg raises while it connects, SQLAlchemy does not wrap. The internal
        # one comes from a connection whose end was told while nobody asked anything.
        from asyncpg import InterfaceError, InternalClientError, PostgresError

        return (*super().errors, PostgresError, InterfaceError, InternalClientError)

    def fault_of(self, error: Exception) -> Fault:
        state = _state(error)
        if state in _FULL:
            return Fault.FULL
        if state in _HELD:
            return Fault.HELD
        # 22…: data, 23…: a constraint; what cannot be encoded has no state.
        refused = isinstance(cause_of(error), (UnicodeError, OverflowError, TypeError))
        if (
            state[:2] in {"22", "23"}
            or state == "54000"
            or refused
            or _is_of_values(error)
        ):
            return Fault.DATA
        return Fault.TEMPORARY

    def abort(self, driver: Any) -> None:
        driver.terminate()

    def draft_writer(self, engine: AsyncEngine) -> DraftWriter:
        return AsyncpgWriter(engine, self, PostgresStatements())

    async def lock_migrations(self, connection: AsyncConnection) -> None:
        # A migration of millions of rows takes its time; its connection is not kept.
        await connection.exec_driver_sql("SET statement_timeout = 0")
        await connection.exec_driver_sql("SET lock_timeout = '600s'")
        await connection.exec_driver_sql(f"SELECT pg_advisory_lock({_MIGRATION_LOCK})")

    async def problems(self, connection: AsyncConnection) -> list[str]:
        rows = await rows_of(
            connection,
            "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', "
            "'full_page_writes', 'synchronous_commit', 'server_version_num', "
            "'server_version', 'server_encoding')",
        )
        settings = {row[0]: str(row[1]) for row in rows}
        found = []
        if int(settings["server_version_num"]) < _VERSION_MIN:
            found.append(
                f"PostgreSQL {settings['server_version']} is too old; kefu needs 12 "
                "or later."
            )
        if settings["server_encoding"] != "UTF8":
            found.append(
                f"The database's encoding is {settings['server_encoding']}; make one "
                "with: CREATE DATABASE kefu ENCODING 'UTF8' TEMPLATE template0."
            )
        for name, safe in _DURABLE.items():
            if settings[name] not in safe:
                found.append(
                    f"{name} is {settings[name]}: a crash loses acknowledged "
                    f"messages; set {name} = on."
                )
        return found

    def refusal_of(self, error: BaseException) -> Refusal | None:
        found = _REFUSALS.get(_state(error))
        if found is None and isinstance(cause_of(error), OSError):
            return Refusal.UNREACHABLE
        return found


def _state(error: BaseException) -> str:
    cause = cause_of(error)
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return str(state or "")


def _is_of_values(error: BaseException) -> bool:
    """Whether the driver could not encode a value: such an error has no state."""
    cause = cause_of(error)
    names = {type(each).__name__ for each in (cause, cause.__cause__)}
    return "DataError" in names


class PostgresStatements(Statements):
    """The group commit in PostgreSQL's words."""

    def __init__(self) -> None:
        locked = ", ".join(f'"{name}"' for name in CONVERSATION_COLUMNS)
        columns = ", ".join(f'm."{name}"' for name in MESSAGE_COLUMNS)
        self._lock = (
            f"SELECT {locked} FROM conversation "  # noqa: S608
            # NO KEY: a row that refers to this one can be inserted meanwhile.
            "WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
        )
        self._known = (
            f"SELECT {columns} FROM unnest($1::bigint[], $2::text[], "  # noqa: S608
            "$3::text[]) AS w(c, s, k) JOIN message AS m "
            "ON m.conversation_id = w.c AND m.sender = w.s AND m.key = w.k"
        )
        self._insert = _insert("message", MESSAGE_INSERT_COLUMNS)
        labels = ("conversation_id", "label", "active_at")
        self._label = _insert("conversation_label", labels)
        self._change = _update(CHANGE_COLUMNS)
        self._touch = _update(TOUCH_COLUMNS)

    def lock(self, ids: Sequence[int]) -> Statement:
        return self._lock, (list(ids),)

    def wait(self, ids: Sequence[int]) -> list[Statement]:
        return [
            (f"SET LOCAL lock_timeout = '{LANE_WAIT_S}s'", ()),
            (self._lock.removesuffix(" SKIP LOCKED"), (list(ids),)),
        ]

    def existing(self, ids: Sequence[int]) -> Statement:
        return "SELECT id FROM conversation WHERE id = ANY($1::bigint[])", (list(ids),)

    def known(self, keys: Rows) -> Statement:
        return self._known, _turned(keys)

    def seat(self, agents: Sequence[int]) -> Statement:
        return (
            "SELECT id FROM agent WHERE id = ANY($1::bigint[]) "
            "ORDER BY id FOR NO KEY UPDATE"
        ), (list(agents),)

    def loads(self, agents: Sequence[str]) -> Statement:
        return (
            "SELECT assignee, count(*) FROM conversation WHERE status = 'active' "
            "AND assignee = ANY($1::text[]) GROUP BY assignee"
        ), (list(agents),)

    def insert(self, rows: Rows) -> list[Statement]:
        return [(self._insert, _turned(rows))]

    def change(self, rows: Rows) -> list[Statement]:
        return [(self._change, _turned(rows))]

    def touch(self, rows: Rows) -> list[Statement]:
        return [(self._touch, _turned(rows))]

    def unlabel(self, ids: Sequence[int]) -> Statement:
        text = (
            "DELETE FROM conversation_label WHERE conversation_id = ANY($1::bigint[])"
        )
        return text, (list(ids),)

    def label(self, rows: Rows) -> list[Statement]:
        return [(self._label, _turned(rows))]


def _insert(table: str, columns: Sequence[str]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    return (
        f"INSERT INTO {table} ({names}) "  # noqa: S608
        f"SELECT * FROM unnest({_arrays(columns)})"
    )


def _update(columns: Sequence[str]) -> str:
    names = (*columns, "id")
    changes = ", ".join(f'"{name}" = v."{name}"' for name in columns)
    quoted = ", ".join(f'"{name}"' for name in names)
    return (
        f"UPDATE conversation AS c SET {changes} "  # noqa: S608
        f"FROM unnest({_arrays(names)}) AS v({quoted}) WHERE c.id = v.id"
    )


def _arrays(columns: Sequence[str]) -> str:
    return ", ".join(
        f"${number}::{'bigint' if name in _NUMBERS else 'text'}[]"
        for number, name in enumerate(columns, 1)
    )


def _turned(rows: Rows) -> tuple[Any, ...]:
    """Return one list for each column."""
    return tuple(list(column) for column in zip(*rows, strict=True))
