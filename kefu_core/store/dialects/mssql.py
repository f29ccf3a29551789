"""SQL Server 2019 or later, through aioodbc and an ODBC driver.

aioodbc has no cancel and runs each call in a thread: the pool has an executor of its
own, as large as the pool, since with fewer threads those that wait for a row's lock
keep the COMMIT that would free it from running. What must end by itself is bounded in
the database: `LOCK_TIMEOUT` and the driver's query time-out.

Rows travel as one JSON text (`OPENJSON`), so no statement comes near the 2,100 values
that one may have. It is cast, since pyodbc declares text past 2,000 characters as
`ntext`, which no function takes.

`XACT_ABORT` stays off: with it, a duplicate key behind a savepoint ends the whole
transaction instead of the statement. `NOCOUNT` stays off: with it, no statement says
how many rows it changed, and an update of none looks like one that worked. Both are
said on each connection, since a server may have them on for everybody.
"""

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import anyio
import msgspec
from sqlalchemy import event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kefu_core.errors import ConfigurationError
from kefu_core.store.batching import Rows, Statement, Statements
from kefu_core.store.dialects.base import (
    LANE_WAIT_S,
    LOCK_WAIT_S,
    Dialect,
    Refusal,
    cause_of,
    rows_of,
)
from kefu_core.store.dialects.drivers import OdbcWriter
from kefu_core.store.rows import (
    CHANGE_COLUMNS,
    CONVERSATION_COLUMNS,
    MESSAGE_COLUMNS,
    MESSAGE_INSERT_COLUMNS,
    TOUCH_COLUMNS,
)
from kefu_core.store.types import MSSQL_BINARY
from kefu_core.store.writing import DraftWriter, Fault, TemporaryError

_VERSION_MIN = 15
_COMPATIBILITY_MIN = 130
"""Below it there is no OPENJSON: a database restored from an old server keeps its."""
_QUERY_S = 30
_MIGRATION_WAITS = 30
_MIGRATION_WAIT_S = 20
_FULL = {1105, 9002, 1101, 5149}
_HELD = {1205, 1222, 3960, 3961}
_REFUSALS = (
    ({4060}, Refusal.MISSING),
    ({18456}, Refusal.LOGIN),
    ({262, 229, 230}, Refusal.RIGHTS),
    (_FULL, Refusal.FULL),
)
_STATES = (
    ("IM002", Refusal.DRIVER),
    ("01000", Refusal.DRIVER),
    ("certificate verify failed", Refusal.CERTIFICATE),
    ("08001", Refusal.UNREACHABLE),
    ("HYT00", Refusal.UNREACHABLE),
)
_DATA = {2627, 2601, 547, 2628, 8152, 8115, 245, 241, 220, 515}
_NUMBER = re.compile(r"\((\d+)\)(?= \(SQL|;|'?\)?$)")

_TYPES = {
    "conversation_id": "BIGINT",
    "id": "BIGINT",
    "seq": "BIGINT",
    "ref": "BIGINT",
    "at": "BIGINT",
    "digest": "BIGINT",
    "last_seq": "BIGINT",
    "last_at": "BIGINT",
    "waiting_since": "BIGINT",
    "active_at": "BIGINT",
    "team_id": "BIGINT",
    "queued_at": "BIGINT",
    "first_reply_at": "BIGINT",
    "closed_at": "BIGINT",
    "untranslated": "BIGINT",
    "sender": "NVARCHAR(24)",
    "key": "NVARCHAR(64)",
    "kind": "NVARCHAR(16)",
    "body": "NVARCHAR(MAX)",
    "data": "NVARCHAR(MAX)",
    "status": "NVARCHAR(16)",
    "assignee": "NVARCHAR(24)",
    "last_sender": "NVARCHAR(24)",
    "last_line": "NVARCHAR(200)",
    "labels": "NVARCHAR(MAX)",
    "label": "NVARCHAR(40)",
}


class MssqlDialect(Dialect):
    """SQL Server."""

    name, drivername = "mssql", "mssql+aioodbc"
    title, extra = "SQL Server", "mssql"
    sentences: ClassVar[Mapping[Refusal, str]] = {
        Refusal.MISSING: (
            "There is no such database, or the user may not use it; run as its "
            "administrator: CREATE DATABASE kefu."
        ),
        Refusal.RIGHTS: (
            "The database user has too few rights; run as its administrator: "
            "ALTER ROLE db_owner ADD MEMBER kefu."
        ),
        Refusal.FULL: (
            "The database's disk or log is full; make room, then start again."
        ),
        Refusal.DRIVER: (
            "The ODBC driver is missing or has another name; install msodbcsql18 "
            "and write ?driver=ODBC+Driver+18+for+SQL+Server into the URL."
        ),
        Refusal.CERTIFICATE: (
            "The database server's certificate is not trusted; install its "
            "authority's certificate on this machine, or, on a network of your "
            "own, write &TrustServerCertificate=yes into the URL."
        ),
    }
    snapshot_level = "SNAPSHOT"
    clock_query = "SELECT DATEDIFF_BIG(ms, '1970-01-01', SYSUTCDATETIME())"

    def session_statements(self, *, is_reader: bool) -> tuple[str, ...]:
        wait_ms = LOCK_WAIT_S * 1000
        return (f"SET LOCK_TIMEOUT {wait_ms}; SET XACT_ABORT OFF; SET NOCOUNT OFF",)

    def check_url(self, url: URL) -> None:
        options = {name.lower(): str(value) for name, value in url.query.items()}
        if "odbc_connect" in options:
            return
        super().check_url(url)
        if options.get("mars_connection", "no").lower() in {"yes", "true", "1"}:
            raise ConfigurationError(
                "MARS_Connection must be off: kefu never has two results open on a "
                "connection, and each call would cost more; leave it out of the URL."
            )

    def fault_of(self, error: Exception) -> Fault:
        numbers = _numbers(error)
        if numbers & _FULL:
            return Fault.FULL
        if numbers & _HELD:
            return Fault.HELD
        cause = cause_of(error)
        refused = isinstance(cause, (UnicodeError, OverflowError, TypeError))
        # The driver's own refusals have no number: 22… is about values.
        state = str(cause.args[0]) if cause.args else ""
        is_data = refused or numbers & _DATA or state.startswith("22")
        return Fault.DATA if is_data else Fault.TEMPORARY

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        import pyodbc

        return (*super().errors, pyodbc.Error)

    def draft_writer(self, engine: AsyncEngine) -> DraftWriter:
        return OdbcWriter(engine, self, MssqlStatements())

    async def lock_migrations(self, connection: AsyncConnection) -> None:
        # A migration of millions of rows takes its time; its connection is not kept.
        raw = await connection.get_raw_connection()
        _odbc(raw).timeout = 0
        for _ in range(_MIGRATION_WAITS):
            # Each wait is short: a cancelled one would be waited for to its end.
            [row] = await rows_of(
                connection,
                "SET NOCOUNT ON; DECLARE @got INT; EXEC @got = sp_getapplock "
                "@Resource = 'kefu migration', @LockMode = 'Exclusive', "
                f"@LockOwner = 'Session', @LockTimeout = {_MIGRATION_WAIT_S * 1000}; "
                "SET NOCOUNT OFF; SELECT @got",
            )
            if int(row[0]) >= 0:
                return
            # Refused at once where it is somebody's victim; waited for otherwise.
            await anyio.sleep(1)
        raise TemporaryError("another process migrates the database")

    async def problems(self, connection: AsyncConnection) -> list[str]:
        [row] = await rows_of(
            connection,
            "SELECT CAST(SERVERPROPERTY('ProductMajorVersion') AS NVARCHAR(8)), "
            "is_read_committed_snapshot_on, delayed_durability_desc, "
            "CAST(compatibility_level AS INT), (SELECT collation_name FROM sys.columns "
            "WHERE object_id = OBJECT_ID(N'message') AND name = N'key') "
            "FROM sys.databases WHERE name = DB_NAME()",
        )
        found = []
        version = str(row[0] or "")
        if version.isdigit() and int(version) < _VERSION_MIN:
            found.append(
                f"SQL Server's version {version} is too old; kefu needs 2019 (15) or "
                "later."
            )
        if not row[1]:
            found.append(
                "READ_COMMITTED_SNAPSHOT is off, so reading waits for writing; ALTER "
                "DATABASE kefu SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE."
            )
        if row[2] == "FORCED":
            found.append(
                "DELAYED_DURABILITY is FORCED: a crash loses acknowledged messages; "
                "ALTER DATABASE kefu SET DELAYED_DURABILITY = DISABLED."
            )
        if row[3] < _COMPATIBILITY_MIN:
            found.append(
                f"The database's compatibility level is {row[3]}; ALTER DATABASE kefu "
                "SET COMPATIBILITY_LEVEL = 150."
            )
        if row[4] is not None and row[4] != MSSQL_BINARY:
            found.append(
                f"The column message.key compares as {row[4]}, so keys that differ can "
                f"be taken for equal; change its collation to {MSSQL_BINARY}."
            )
        return found

    def refusal_of(self, error: BaseException) -> Refusal | None:
        numbers = _numbers(error)
        # 4060 first: SQL Server says both.
        for known, refusal in _REFUSALS:
            if numbers & known:
                return refusal
        text = str(cause_of(error))
        for state, refusal in _STATES:
            if state in text:
                return refusal
        return None

    def _create(self, url: URL, *, pool_size: int, **options: Any) -> AsyncEngine:
        executor = ThreadPoolExecutor(pool_size, thread_name_prefix="kefu-mssql")
        arguments: dict[str, Any] = {"executor": executor, "timeout": LOCK_WAIT_S}
        try:
            import pyodbc

            from kefu_core.store.dialects.odbc import open_connection
        except ImportError:
            pass  # `create_async_engine` says it better.
        else:
            # SQLAlchemy pools already; two pools keep dead connections twice as long.
            pyodbc.pooling = False
            arguments["async_creator_fn"] = open_connection
        if _is_freetds(url):
            # It refuses long text whose size was set.
            options["use_setinputsizes"] = False
        engine = super()._create(
            url, pool_size=pool_size, connect_args=arguments, **options
        )

        @event.listens_for(engine.sync_engine, "connect")
        def _connected(connection: Any, record: object) -> None:
            _odbc(connection).timeout = _QUERY_S

        @event.listens_for(engine.sync_engine, "handle_error")
        def _failed(context: ExceptionContext) -> None:
            # One statement that ran out of time says nothing of the other connections.
            if "HYT00" in str(context.original_exception):
                context.invalidate_pool_on_disconnect = False

        @event.listens_for(engine.sync_engine, "engine_disposed")
        def _disposed(engine: object) -> None:
            executor.shutdown(wait=False)

        return engine


def _odbc(connection: Any) -> Any:
    """Return pyodbc's connection; its `timeout` has no other way in."""
    return connection.driver_connection._conn


def _is_freetds(url: URL) -> bool:
    driver = str(url.query.get("driver", "")).lower()
    return "freetds" in driver or "libtdsodbc" in driver


def _numbers(error: BaseException) -> set[int]:
    """Return the server's own error numbers; drivers disagree about everything else."""
    return {int(found) for found in _NUMBER.findall(str(cause_of(error)))}


class MssqlStatements(Statements):
    """The group commit in T-SQL."""

    def lock(self, ids: Sequence[int]) -> Statement:
        # READCOMMITTEDLOCK: locks are read past, and not old versions read, where
        # READ_COMMITTED_SNAPSHOT is on.
        return _locked(ids, "UPDLOCK, ROWLOCK, READPAST, READCOMMITTEDLOCK")

    def wait(self, ids: Sequence[int]) -> list[Statement]:
        # Of the session: the lane's connection is never another's.
        return [
            (f"SET LOCK_TIMEOUT {LANE_WAIT_S * 1000}", ()),
            _locked(ids, "UPDLOCK, ROWLOCK, READCOMMITTEDLOCK"),
        ]

    def existing(self, ids: Sequence[int]) -> Statement:
        return (
            "SELECT id FROM conversation WITH (NOLOCK) "  # noqa: S608
            f"WHERE id IN ({_marks(ids)})"
        ), tuple(ids)

    def known(self, keys: Rows) -> Statement:
        wanted = _table(("conversation_id", "sender", "key"))
        return (
            f"SELECT {_columns(MESSAGE_COLUMNS, 'm.')} "  # noqa: S608
            f"FROM {wanted} AS w JOIN message AS m "
            "ON m.conversation_id = w.[conversation_id] "
            f"AND m.sender = w.[sender] COLLATE {MSSQL_BINARY} "
            f"AND m.[key] = w.[key] COLLATE {MSSQL_BINARY}"
        ), (_json(keys),)

    def seat(self, agents: Sequence[int]) -> Statement:
        return (
            "SELECT id FROM agent WITH (UPDLOCK, ROWLOCK, READCOMMITTEDLOCK) "  # noqa: S608
            f"WHERE id IN ({_marks(agents)}) ORDER BY id"
        ), tuple(agents)

    def loads(self, agents: Sequence[str]) -> Statement:
        return (
            "SELECT assignee, COUNT(*) FROM conversation "  # noqa: S608
            f"WHERE status = N'active' AND assignee IN ({_marks(agents)}) "
            "GROUP BY assignee"
        ), tuple(agents)

    def insert(self, rows: Rows) -> list[Statement]:
        return [_insert("message", MESSAGE_INSERT_COLUMNS, rows)]

    def change(self, rows: Rows) -> list[Statement]:
        return [_update(CHANGE_COLUMNS, rows)]

    def touch(self, rows: Rows) -> list[Statement]:
        return [_update(TOUCH_COLUMNS, rows)]

    def unlabel(self, ids: Sequence[int]) -> Statement:
        return (
            "DELETE FROM conversation_label "  # noqa: S608
            f"WHERE conversation_id IN ({_marks(ids)})"
        ), tuple(ids)

    def label(self, rows: Rows) -> list[Statement]:
        columns = ("conversation_id", "label", "active_at")
        return [_insert("conversation_label", columns, rows)]


def _locked(ids: Sequence[int], hints: str) -> Statement:
    # A list of values, not OPENJSON, so that it seeks: what is read is locked.
    return (
        f"SELECT {_columns(CONVERSATION_COLUMNS)} "  # noqa: S608
        f"FROM conversation WITH ({hints}) "
        f"WHERE id IN ({_marks(ids)}) ORDER BY id"
    ), tuple(ids)


def _insert(table: str, columns: Sequence[str], rows: Rows) -> Statement:
    return (
        f"INSERT INTO {table} ({_columns(columns)}) "  # noqa: S608
        f"SELECT {_columns(columns)} FROM {_table(columns)} AS v"
    ), (_json(rows),)


def _update(columns: Sequence[str], rows: Rows) -> Statement:
    changes = ", ".join(f"[{name}] = v.[{name}]" for name in columns)
    return (
        f"UPDATE c SET {changes} FROM conversation AS c "  # noqa: S608
        f"JOIN {_table((*columns, 'id'))} AS v ON c.id = v.[id]"
    ), (_json(rows),)


def _table(columns: Sequence[str]) -> str:
    """Return a table of values that comes as one JSON text: a list of lists."""
    shape = ", ".join(
        f"[{name}] {_TYPES[name]} '$[{number}]'" for number, name in enumerate(columns)
    )
    return f"OPENJSON(CAST(? AS NVARCHAR(MAX))) WITH ({shape})"


def _json(rows: Rows) -> str:
    return msgspec.json.encode(rows).decode()


def _columns(names: Sequence[str], prefix: str = "") -> str:
    return ", ".join(f"{prefix}[{name}]" for name in names)


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
