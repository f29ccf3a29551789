"""MySQL 8 and MariaDB 10.6 or later, through asyncmy.

READ COMMITTED, since at REPEATABLE READ a transaction goes on seeing what its first
read saw, and the look-up of keys would be older than the lock. A duplicate key leaves a
shared lock behind on which three inserters deadlock, so keys are looked up first and
inserted second. Error 1205 rolls back one statement only: the connection is dropped.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from sqlalchemy.engine import URL
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
from kefu_core.store.dialects.drivers import AsyncmyWriter
from kefu_core.store.rows import (
    CHANGE_COLUMNS,
    CONVERSATION_COLUMNS,
    MESSAGE_COLUMNS,
    MESSAGE_INSERT_COLUMNS,
    TOUCH_COLUMNS,
)
from kefu_core.store.writing import DraftWriter, Fault

_MARIADB_MIN = (10, 6)
_MYSQL_MIN = (8, 0)
_FULL = {1021, 1114, 3, 28}
_HELD = {1205, 1213, 3572}
"""Lock time-out, which rolls back its statement only; deadlock; NOWAIT."""
_REFUSALS = {
    1045: Refusal.LOGIN,
    1698: Refusal.LOGIN,
    1044: Refusal.RIGHTS,
    1142: Refusal.RIGHTS,
    1143: Refusal.RIGHTS,
    1049: Refusal.MISSING,
    2003: Refusal.UNREACHABLE,
    2005: Refusal.UNREACHABLE,
    1040: Refusal.CROWDED,
}
_DATA = {1062, 1451, 1452, 1264, 1300, 1366, 1406, 3140, 3141, 1048, 1292, 1153}


_TYPES = {
    "sender": "VARCHAR(24)",
    "key": "VARCHAR(64)",
    "status": "VARCHAR(16)",
    "assignee": "VARCHAR(24)",
    "last_sender": "VARCHAR(24)",
    "last_line": "VARCHAR(200)",
    "labels": "MEDIUMTEXT",
}
"""Of the columns that are no numbers."""


_BY_KEY = "FORCE INDEX (PRIMARY)"
"""Where rows are locked: a small table would be read whole, and then a statement waits
for every row that anybody holds."""


class MysqlDialect(Dialect):
    """MySQL and MariaDB."""

    name, drivername = "mysql", "mysql+asyncmy"
    title, extra = "MySQL", "mysql"
    sentences: ClassVar[Mapping[Refusal, str]] = {
        Refusal.RIGHTS: (
            "The database user has too few rights; run as its administrator: "
            "GRANT ALL ON kefu.* TO 'kefu'@'%' (with your own names)."
        ),
        Refusal.MISSING: (
            "There is no such database; run as its administrator: "
            "CREATE DATABASE kefu CHARACTER SET utf8mb4."
        ),
    }
    clock_query = "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"

    def session_statements(self, *, is_reader: bool) -> tuple[str, ...]:
        return (
            f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_S}",
            f"SET SESSION lock_wait_timeout = {LOCK_WAIT_S}",
            "SET SESSION time_zone = '+00:00'",
            "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
        )

    def fault_of(self, error: Exception) -> Fault:
        number = _number(error)
        if number in _FULL or "errno: 28" in str(cause_of(error)):
            return Fault.FULL
        if number in _HELD:
            return Fault.HELD
        if number in _DATA or isinstance(
            cause_of(error), (UnicodeError, OverflowError, TypeError)
        ):
            return Fault.DATA
        return Fault.TEMPORARY

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        from asyncmy.errors import MySQLError

        return (*super().errors, MySQLError)

    def abort(self, driver: Any) -> None:
        driver.close()

    def draft_writer(self, engine: AsyncEngine) -> DraftWriter:
        return AsyncmyWriter(engine, self, MysqlStatements())

    async def lock_migrations(self, connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("SELECT GET_LOCK('kefu migration', 600)")

    async def problems(self, connection: AsyncConnection) -> list[str]:
        rows = await rows_of(
            connection,
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ("
            "'version', 'innodb_flush_log_at_trx_commit', 'sync_binlog', 'log_bin', "
            "'innodb_doublewrite')",
        )
        settings = {row[0]: str(row[1]) for row in rows}
        found = [version_problem(settings.get("version", ""))]
        if settings.get("innodb_flush_log_at_trx_commit") not in {"1", "3"}:
            found.append(
                "innodb_flush_log_at_trx_commit is "
                f"{settings.get('innodb_flush_log_at_trx_commit')}: a power cut loses "
                "acknowledged messages; SET GLOBAL innodb_flush_log_at_trx_commit = 1."
            )
        is_logging = settings.get("log_bin") in {"ON", "1"}
        if is_logging and settings.get("sync_binlog") != "1":
            found.append(
                f"sync_binlog is {settings.get('sync_binlog')} while the binary log "
                "is on: a power cut loses acknowledged messages; SET GLOBAL "
                "sync_binlog = 1."
            )
        if settings.get("innodb_doublewrite") == "OFF":
            found.append(
                "innodb_doublewrite is OFF: a power cut can tear a page; set it to ON."
            )
        found += await _table_problems(connection)
        return [problem for problem in found if problem]

    def refusal_of(self, error: BaseException) -> Refusal | None:
        number = _number(error)
        return Refusal.FULL if number in _FULL else _REFUSALS.get(number)

    def _create(self, url: URL, *, pool_size: int, **options: Any) -> AsyncEngine:
        arguments = {"charset": "utf8mb4", "connect_timeout": LOCK_WAIT_S}
        return super()._create(
            url, pool_size=pool_size, connect_args=arguments, **options
        )


async def _table_problems(connection: AsyncConnection) -> list[str]:
    rows = await rows_of(
        connection,
        "SELECT table_name, engine, table_collation FROM information_schema.tables "
        "WHERE table_schema = DATABASE() AND table_name IN ('conversation', 'message')",
    )
    found = []
    for table, engine, collation in rows:
        if str(engine).lower() != "innodb":
            found.append(
                f"The table {table} is in {engine}, which has no transactions; "
                f"ALTER TABLE {table} ENGINE=InnoDB."
            )
        if collation != "utf8mb4_bin":
            found.append(
                f"The table {table} compares as {collation}, so keys that differ can "
                f"be taken for equal; ALTER TABLE {table} CONVERT TO CHARACTER SET "
                "utf8mb4 COLLATE utf8mb4_bin."
            )
    return found


def version_problem(text: str) -> str:
    """Return what is wrong with a server of this version; empty for nothing."""
    is_mariadb = "mariadb" in text.lower()
    least = _MARIADB_MIN if is_mariadb else _MYSQL_MIN
    parts = text.split("-")[0].split(".")
    if tuple(int(part) for part in parts[:2] if part.isdigit()) >= least:
        return ""
    title = "MariaDB" if is_mariadb else "MySQL"
    return (
        f"{title} {text} is too old; kefu needs {title} "
        f"{'.'.join(map(str, least))} or later."
    )


def _number(error: BaseException) -> int:
    arguments = cause_of(error).args
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0


class MysqlStatements(Statements):
    """The group commit in MySQL's words.

    What is looked up or changed travels as one JSON text, so that a statement's text
    is the same for any number of rows; on MariaDB 10.11 a look-up of 256 keys took a
    quarter of the time that a list of them took (2026-11).
    """

    def __init__(self) -> None:
        columns = _columns(CONVERSATION_COLUMNS)
        self._lock = (
            f"SELECT {columns} FROM conversation {_BY_KEY} "  # noqa: S608
            "WHERE id IN (%s) ORDER BY id FOR UPDATE"
        )
        # STRAIGHT_JOIN fixes the order: one probe of the unique index for each key.
        self._known = (
            f"SELECT STRAIGHT_JOIN {_columns(MESSAGE_COLUMNS, 'm.')} "  # noqa: S608
            f"FROM {_table(('conversation_id', 'sender', 'key'))} AS w "
            "JOIN message AS m ON m.conversation_id = w.conversation_id "
            "AND m.sender = w.sender COLLATE utf8mb4_bin "
            "AND m.`key` = w.`key` COLLATE utf8mb4_bin"
        )
        self._change = _update(CHANGE_COLUMNS)
        self._touch = _update(TOUCH_COLUMNS)

    def lock(self, ids: Sequence[int]) -> Statement:
        return f"{self._lock} SKIP LOCKED" % _numbers(ids), ()

    def wait(self, ids: Sequence[int]) -> list[Statement]:
        # Of the session: the lane's connection is never another's.
        return [
            (f"SET SESSION innodb_lock_wait_timeout = {LANE_WAIT_S}", ()),
            (self._lock % _numbers(ids), ()),
        ]

    def existing(self, ids: Sequence[int]) -> Statement:
        return f"SELECT id FROM conversation WHERE id IN ({_numbers(ids)})", ()  # noqa: S608

    def known(self, keys: Rows) -> Statement:
        return self._known, (_json(keys),)

    def seat(self, agents: Sequence[int]) -> Statement:
        return (
            f"SELECT id FROM agent {_BY_KEY} "  # noqa: S608
            f"WHERE id IN ({_numbers(agents)}) ORDER BY id FOR UPDATE"
        ), ()

    def loads(self, agents: Sequence[str]) -> Statement:
        return (
            "SELECT assignee, count(*) FROM conversation WHERE status = 'active' "  # noqa: S608
            f"AND assignee IN ({', '.join(['%s'] * len(agents))}) GROUP BY assignee"
        ), tuple(agents)

    def insert(self, rows: Rows) -> list[Statement]:
        return [_insert("message", MESSAGE_INSERT_COLUMNS, rows)]

    def change(self, rows: Rows) -> list[Statement]:
        return [(self._change, (_json(rows),))]

    def touch(self, rows: Rows) -> list[Statement]:
        return [(self._touch, (_json(rows),))]

    def unlabel(self, ids: Sequence[int]) -> Statement:
        return (
            f"DELETE l FROM conversation_label AS l {_BY_KEY} "
            f"WHERE l.conversation_id IN ({_numbers(ids)})"
        ), ()

    def label(self, rows: Rows) -> list[Statement]:
        columns = ("conversation_id", "label", "active_at")
        return [_insert("conversation_label", columns, rows)]


def _update(columns: Sequence[str]) -> str:
    changes = ", ".join(f"c.`{name}` = v.`{name}`" for name in columns)
    return (
        f"UPDATE (SELECT * FROM {_table((*columns, 'id'))} AS j) AS v "  # noqa: S608
        f"STRAIGHT_JOIN conversation AS c {_BY_KEY} ON c.id = v.id SET {changes}"
    )


def _insert(table: str, columns: Sequence[str], rows: Rows) -> Statement:
    line = f"({', '.join(['%s'] * len(columns))})"
    return (
        f"INSERT INTO {table} ({_columns(columns)}) "  # noqa: S608
        f"VALUES {', '.join([line] * len(rows))}"
    ), tuple(value for row in rows for value in row)


def _table(columns: Sequence[str]) -> str:
    """Return a table of values that comes as one JSON text: a list of lists."""
    shape = ", ".join(
        f"`{name}` {_TYPES.get(name, 'BIGINT')} PATH '$[{number}]'"
        for number, name in enumerate(columns)
    )
    return f"JSON_TABLE(%s, '$[*]' COLUMNS ({shape}))"


def _json(rows: Rows) -> str:
    return msgspec.json.encode(rows).decode()


def _columns(names: Sequence[str], prefix: str = "") -> str:
    return ", ".join(f"{prefix}`{name}`" for name in names)


def _numbers(ids: Sequence[int]) -> str:
    """Return ids as text; they are numbers, so nothing in them needs quoting."""
    return ", ".join(str(int(number)) for number in ids)
