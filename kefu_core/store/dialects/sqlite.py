"""SQLite: one connection writes, a few read.

Every connection gets `synchronous=FULL` and it is read back, since the setting belongs
to the connection and not to the file. Readers are `query_only` and never checkpoint:
SQLite before 3.51.3 can corrupt its WAL when two connections checkpoint at the same
moment, and Debian 12 ships 3.40.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kefu_core.errors import ConfigurationError
from kefu_core.model import Draft
from kefu_core.store.dialects.base import (
    READERS,
    Dialect,
    Refusal,
    cause_of,
    rows_of,
)
from kefu_core.store.transaction import commit_drafts
from kefu_core.store.writing import (
    DRIVER_ERRORS,
    Committed,
    DraftWriter,
    Fault,
    Faults,
)

_FULL = 2
_CHECKPOINT_PAGES = 4_000
"""The WAL then has 16 MiB. Those who write write the same pages again and again: the
longer it is, the less often each is copied to its place."""
_CACHE_KIB = 16_000
"""Of the one connection that writes; with SQLite's own 2 MB it reads pages again that
it wrote a moment ago. Both together save a tenth of a commit (2026-11)."""
_REFUSALS = {
    "SQLITE_FULL": Refusal.FULL,
    "SQLITE_BUSY": Refusal.LOCKED,
    "SQLITE_LOCKED": Refusal.LOCKED,
    "SQLITE_READONLY": Refusal.READONLY,
    "SQLITE_READONLY_DIRECTORY": Refusal.READONLY,
    "SQLITE_CANTOPEN": Refusal.UNOPENED,
    "SQLITE_NOTADB": Refusal.FOREIGN,
    "SQLITE_CORRUPT": Refusal.DAMAGED,
}
_DAMAGE_MAX = 20
_NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"})


class SqliteDialect(Dialect):
    """SQLite through aiosqlite: the embedded default."""

    name, drivername = "sqlite", "sqlite+aiosqlite"
    title, extra = "SQLite", "sqlite"
    sentences: ClassVar[Mapping[Refusal, str]] = {
        Refusal.FULL: "The disk is full; make room, then start again.",
        Refusal.LOCKED: (
            "Another program holds the database's file locked; end it, or wait until "
            "it is done."
        ),
        Refusal.READONLY: (
            "The database's file or folder may not be written; give the server's "
            "user the right to."
        ),
        Refusal.UNOPENED: (
            "The database's file cannot be opened; check that the path is right and "
            "that the server's user may write there."
        ),
        Refusal.FOREIGN: (
            "The file is not an SQLite database; name another file, or move this one "
            "away."
        ),
        Refusal.DAMAGED: (
            "The database's file is damaged; restore a backup, or ask "
            "`sqlite3 FILE .recover` what can be saved."
        ),
    }
    # SQLite has one writer; two would wait for each other's locks in threads.
    appenders, job_writers, readers = 1, 0, READERS
    has_lane = False

    def check_url(self, url: URL) -> None:
        if not url.database or url.database == ":memory:":
            raise ConfigurationError(
                f"SQLite needs a file: write {self.drivername}:///PATH with the path "
                "of one."
            )
        folder = Path(url.database).parent
        if not folder.is_dir():
            raise ConfigurationError(
                f"The folder {str(folder)!r} of the database does not exist; make it "
                "first."
            )
        kind = _file_system_of(folder)
        if kind in _NETWORK_FILE_SYSTEMS:
            raise ConfigurationError(
                f"The folder {str(folder)!r} is on a network file system ({kind}), "
                "where SQLite cannot keep its promise; use a local disk, or MariaDB."
            )

    def open_writer(self, url: URL) -> AsyncEngine:
        engine = self._create_file(url, pool_size=1)

        @event.listens_for(engine.sync_engine, "connect")
        def _connected(connection: Any, record: object) -> None:
            _run(connection, "PRAGMA journal_mode=WAL")
            _durable(connection)
            _run(connection, f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
            _run(connection, f"PRAGMA cache_size=-{_CACHE_KIB}")

        @event.listens_for(engine.sync_engine, "begin")
        def _begin(connection: Any) -> None:
            # A deferred BEGIN that writes later fails at once with
            # SQLITE_BUSY_SNAPSHOT, whatever busy_timeout says; IMMEDIATE waits for
            # its turn.
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        return engine

    def open_readers(self, url: URL) -> AsyncEngine:
        engine = self._create_file(url, pool_size=self.readers)

        @event.listens_for(engine.sync_engine, "connect")
        def _connected(connection: Any, record: object) -> None:
            _durable(connection)
            _run(connection, "PRAGMA wal_autocheckpoint=0")
            _run(connection, "PRAGMA query_only=ON")

        return engine

    def fault_of(self, error: Exception) -> Fault:
        cause = cause_of(error)
        if getattr(cause, "sqlite_errorname", "") == "SQLITE_FULL":
            return Fault.FULL
        # A lone surrogate, a number beyond 64 bits, `data` that JSON cannot say.
        if isinstance(cause, (UnicodeError, OverflowError, TypeError)):
            return Fault.DATA
        refused = (
            sqlite3.DataError,
            sqlite3.InterfaceError,
            sqlite3.NotSupportedError,
        )
        return Fault.DATA if isinstance(cause, refused) else Fault.TEMPORARY

    def draft_writer(self, engine: AsyncEngine) -> DraftWriter:
        return SqliteWriter(engine, self)

    async def lock_migrations(self, connection: AsyncConnection) -> None:
        # `BEGIN IMMEDIATE` is one already: the other process waits for the file.
        pass

    async def problems(self, connection: AsyncConnection) -> list[str]:
        found = []
        mode = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar()
        if mode != "wal":
            found.append(
                f"SQLite's journal_mode is {mode}, not wal; stop what else uses the "
                "file and start kefu again."
            )
        level = (await connection.exec_driver_sql("PRAGMA synchronous")).scalar()
        if level is None or int(level) < _FULL:
            found.append(
                "SQLite does not keep synchronous=FULL here; acknowledged messages "
                "could be lost by a power cut."
            )
        return found

    async def begin_snapshot(self, connection: AsyncConnection) -> None:
        # The driver opens no transaction of its own; the first read fixes the moment.
        await connection.exec_driver_sql("BEGIN")

    async def damage(self, connection: AsyncConnection) -> list[str]:
        check = f"PRAGMA integrity_check({_DAMAGE_MAX})"
        try:
            rows = await rows_of(connection, check)
        except DRIVER_ERRORS as error:
            # Some damage is too much for the check itself.
            if self.refusal_of(error) is not Refusal.DAMAGED:
                raise
            return [str(cause_of(error))]
        return [str(row[0]) for row in rows if row[0] != "ok"]

    def refusal_of(self, error: BaseException) -> Refusal | None:
        return _REFUSALS.get(getattr(cause_of(error), "sqlite_errorname", ""))

    def _create_file(self, url: URL, *, pool_size: int) -> AsyncEngine:
        return self._create(
            url,
            pool_size=pool_size,
            # A file does not hang up; there is nothing to ask first.
            pool_pre_ping=False,
            pool_recycle=-1,
            # The driver opens no transactions of its own: `begin` does.
            connect_args={"isolation_level": None},
        )


class SqliteWriter(DraftWriter):
    """Commits a batch in one trip to the connection's thread."""

    def __init__(self, engine: AsyncEngine, faults: Faults) -> None:
        super().__init__(engine, faults)
        self.driver: Any = None
        """The driver's own connection: the way of a message goes past no layer."""

    async def _commit(
        self,
        drafts: Sequence[Draft],
        now_ms: Callable[[], int],
        *,
        is_waiting: bool,
    ) -> Committed:
        driver = await self._driver()
        # The driver's own way into its thread, which its public methods share.
        planned = await driver._execute(commit_drafts, driver._conn, drafts, now_ms)
        return Committed(plan=planned)

    async def _roll_back(self) -> None:
        await (await self._driver()).execute_fetchall("ROLLBACK")

    async def disconnect(self) -> None:
        self.driver = None
        await super().disconnect()

    async def _driver(self) -> Any:
        if self.driver is None:
            connection = await self.connect()
            raw = await connection.get_raw_connection()
            self.driver = raw.driver_connection
        return self.driver


def _durable(connection: Any) -> None:
    _run(connection, "PRAGMA busy_timeout=5000")
    _run(connection, "PRAGMA foreign_keys=ON")
    _run(connection, "PRAGMA synchronous=FULL")
    if _run(connection, "PRAGMA synchronous") != _FULL:
        raise ConfigurationError(
            "SQLite does not keep synchronous=FULL here; acknowledged messages could "
            "be lost by a power cut."
        )


def _run(connection: Any, statement: str) -> Any:
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
        row = cursor.fetchone()
        return row[0] if row else None
    finally:
        cursor.close()


def _file_system_of(folder: Path) -> str:
    """Return the kind of file system that a folder is on; empty where unknown."""
    wanted = str(folder.resolve())
    best, kind = "", ""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        mount = fields[1].replace("\\040", " ")
        inside = mount == "/" or wanted == mount or wanted.startswith(mount + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, fields[2]
    return kind
