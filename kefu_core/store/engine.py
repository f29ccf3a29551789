"""Engines by URL, with the settings that the guarantees need.

SQLite: one connection writes, a few read. Every connection gets `synchronous=FULL`
and it is read back, since the setting belongs to the connection and not to the file.
Readers are `query_only` and never checkpoint: SQLite before 3.51.3 can corrupt its WAL
when two connections checkpoint at the same moment, and Debian 12 ships 3.40.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from kefu_core.errors import ConfigurationError

_FULL = 2
_SQLITE = "sqlite+aiosqlite"
READERS = 4


def parse_url(url: str) -> URL:
    """Return the URL. Raises `ConfigurationError` that says what is wrong with it."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(
            f"The database URL cannot be read; write for example {_SQLITE}:///kefu.db."
        ) from error
    if parsed.drivername != _SQLITE:
        raise ConfigurationError(
            f"The database driver {parsed.drivername!r} is not supported; "
            f"use {_SQLITE}:///PATH."
        )
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigurationError(
            f"SQLite needs a file: write {_SQLITE}:///PATH with the path of one."
        )
    folder = Path(parsed.database).parent
    if not folder.is_dir():
        raise ConfigurationError(
            f"The folder {str(folder)!r} of the database does not exist; make it first."
        )
    return parsed


def open_writer(url: URL) -> AsyncEngine:
    """Return the engine of the one connection that writes."""
    engine = _create(url, pool_size=1)

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, record: object) -> None:
        _run(connection, "PRAGMA journal_mode=WAL")
        _durable(connection)

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        # A deferred BEGIN that writes later fails at once with SQLITE_BUSY_SNAPSHOT,
        # whatever busy_timeout says; IMMEDIATE waits for its turn.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def open_readers(url: URL) -> AsyncEngine:
    """Return the engine of the connections that read."""
    engine = _create(url, pool_size=READERS)

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, record: object) -> None:
        _durable(connection)
        _run(connection, "PRAGMA wal_autocheckpoint=0")
        _run(connection, "PRAGMA query_only=ON")

    return engine


def _create(url: URL, *, pool_size: int) -> AsyncEngine:
    try:
        return create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            # Errors are logged; what people wrote is not.
            hide_parameters=True,
            pool_timeout=2.0,
            # The driver opens no transactions of its own: `begin` does.
            connect_args={"isolation_level": None},
        )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError(
            "The SQLite driver is missing; install it with: pip install 'kefu[sqlite]'."
        ) from error


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
