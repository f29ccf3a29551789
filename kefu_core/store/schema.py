"""The schema's version: what the database has, what this program needs."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from kefu_core.errors import ConfigurationError, StoreUnavailable
from kefu_core.store.engine import open_writer, parse_url


def newest() -> str:
    """Return the revision this program needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "there is no migration"
    return head


async def upgrade(url: str) -> str:
    """Bring a database to the newest revision, data included; returns it."""
    engine = open_writer(parse_url(url))
    try:
        await upgrade_engine(engine)
    finally:
        await engine.dispose()
    return newest()


async def current(url: str) -> str | None:
    """Return a database's revision, None for an empty one."""
    engine = open_writer(parse_url(url))
    try:
        return await current_of(engine)
    finally:
        await engine.dispose()


async def check(url: str) -> None:
    """Raise `ConfigurationError` unless the database has the newest revision."""
    require(await current(url))


def require(revision: str | None) -> None:
    """Raise `ConfigurationError` that says what to run, unless this is the newest."""
    if revision != newest():
        raise ConfigurationError(
            f"The database has schema {revision or 'none'}, this program needs "
            f"{newest()}; run: kefu db upgrade."
        )


async def current_of(engine: AsyncEngine) -> str | None:
    """Return the revision behind an engine."""
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_revision)
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable(
            f"The database cannot be opened: {_cause(error)}."
        ) from error


async def upgrade_engine(engine: AsyncEngine) -> None:
    """Run the migrations that are missing."""
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable(f"The upgrade failed: {_cause(error)}.") from error


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    command.upgrade(config_for(connection), "head")


def config_for(connection: Connection) -> Config:
    """Return Alembic's configuration for commands on this connection."""
    config = _config()
    config.attributes["connection"] = connection
    return config


def _config() -> Config:
    config = Config()
    location = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(location).replace("%", "%%"))
    return config


def _cause(error: BaseException) -> Any:
    return getattr(error, "orig", None) or error
