"""The schema's version: what the database has, what this program needs."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from kefu_core.errors import ConfigurationError, StoreUnavailable
from kefu_core.store.dialects import Dialect, dialect_of
from kefu_core.store.engine import open_writer, parse_url
from kefu_core.store.writing import message_of


def newest() -> str:
    """Return the revision this program needs."""
    return _known()[-1]


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
    if revision == newest():
        return
    if revision is not None and revision not in _known():
        raise ConfigurationError(
            f"The database has schema {revision}, which is newer than this program's "
            f"{newest()}; install the kefu that last used it, or a later one."
        )
    raise ConfigurationError(
        f"The database has schema {revision or 'none'}, this program needs "
        f"{newest()}; run: kefu db upgrade."
    )


async def current_of(engine: AsyncEngine) -> str | None:
    """Return the revision behind an engine. Raises `StoreUnavailable`."""
    dialect = dialect_of(engine.url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(revision_of)
    except dialect.errors as error:
        raise _refusal(dialect, "The database cannot be opened", error) from error


async def upgrade_engine(engine: AsyncEngine) -> None:
    """Run the migrations that are missing. Raises `StoreUnavailable`.

    One process at a time: a second one waits, and finds nothing to do.
    """
    dialect = dialect_of(engine.url)
    try:
        async with engine.connect() as connection:
            await dialect.lock_migrations(connection)
            await connection.commit()
            async with connection.begin():
                await connection.run_sync(_upgrade)
            # The lock is the connection's, and goes with it.
            await connection.invalidate()
    except dialect.errors as error:
        raise _refusal(dialect, "The upgrade failed", error) from error


def _refusal(dialect: Dialect, what: str, error: Exception) -> StoreUnavailable:
    said = dialect.sentence(error)
    text = f"{what}. {said}" if said else f"{what}: {message_of(error)}."
    return StoreUnavailable(text)


def _known() -> list[str]:
    """Return the revisions of this program, oldest first: how their files begin."""
    folder = Path(__file__).parent / "migrations" / "versions"
    return sorted(file.name.partition("_")[0] for file in folder.glob("[0-9]*.py"))


def revision_of(connection: Connection) -> str | None:
    """Return the revision behind an open connection, None for none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def _upgrade(connection: Connection) -> None:
    # Only here, since most starts find nothing to do.
    from kefu_core.store import migrating

    migrating.upgrade(connection)
