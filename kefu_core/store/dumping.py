"""An installation read at one moment, and read back into an empty database.

A dump is one transaction that sees one moment, beside whatever writes: everything that
was acknowledged before it began is in it, and every conversation is a beginning of its
log without a hole. It is rows of plain values, so it goes into any engine.

While a dump is read back, the database's epoch is `restoring-`: no server opens it. The
last step gives it a new epoch (G13), so that clients drop what they hold of the history
that is gone and fetch again. The search index is not part of a dump: it is made of the
log, and a server makes it anew.
"""

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kefu_core.errors import ConfigurationError, Conflict, Invalid, StoreUnavailable
from kefu_core.store import schema
from kefu_core.store import tables as t
from kefu_core.store.dialects import Dialect, dialect_of
from kefu_core.store.engine import open_readers, open_writer, parse_url, require_file
from kefu_core.store.walking import COPIED, batches, slices
from kefu_core.store.writing import message_of

RESTORING = "restoring-"
"""What the epoch of a database begins with while a dump is read into it."""

_TABLES = {str(table.name): table for table, _ in COPIED}
_DERIVED = (
    t.search_posting,
    t.search_segment,
    t.search_document,
    t.search_cursor,
    t.follower,
)
Rows = Sequence[Sequence[Any]]


class Dump:
    """One moment of an installation; read it in one go."""

    def __init__(self, connection: AsyncConnection, engine: str, epoch: str) -> None:
        self._connection = connection
        self.engine = engine
        """Which kind of database it is."""
        self.epoch = epoch
        self.revision = schema.newest()

    async def rows(self) -> AsyncGenerator[tuple[str, list[str], Rows]]:
        """Yield (table, its columns, some rows), in the order of foreign keys.

        A table that is empty comes once, without rows.
        """
        for table, key in COPIED:
            name = str(table.name)
            columns = [str(column.name) for column in table.columns]
            yield name, columns, []
            async with aclosing(batches(self._fetch, table, key)) as pages:
                async for page in pages:
                    yield name, columns, [tuple(row) for row in page]

    async def _fetch(self, query: Any) -> Sequence[Any]:
        rows: Sequence[Any] = (await self._connection.execute(query)).all()
        return rows


@asynccontextmanager
async def open_dump(url: str) -> AsyncGenerator[Dump]:
    """Open what is in a database at this moment; a server may go on writing.

    Raises:
        ConfigurationError: The URL cannot be used, or the tables need an upgrade.
        Conflict: The database holds no whole installation.
        StoreUnavailable: The database is away, now or later; nothing was changed.
    """
    parsed = parse_url(url)
    require_file(parsed)
    dialect = dialect_of(parsed)
    async with _engine(open_readers(parsed)) as engine, _refusing(dialect, "backup"):
        schema.require(await schema.current_of(engine))
        async with engine.connect() as connection:
            await dialect.begin_snapshot(connection)
            epoch = await _epoch_of(connection)
            if epoch is None or "-" in epoch:
                raise Conflict(
                    "The database holds no whole installation; there is nothing to "
                    "back up."
                )
            yield Dump(connection, dialect.title, epoch)


class Restore:
    """Rows on their way into a database that nothing serves."""

    def __init__(self, engine: AsyncEngine, dialect: Dialect) -> None:
        self._engine = engine
        self._dialect = dialect

    async def is_begun(self) -> bool:
        """Whether an earlier restore into this database was not finished."""
        if await schema.current_of(self._engine) is None:
            return False
        async with self._engine.connect() as connection:
            epoch = await _epoch_of(connection)
        return epoch is not None and epoch.startswith(RESTORING)

    async def prepare(self, *, replaces: bool) -> None:
        """Make the tables, and mark the database as being restored.

        Raises:
            Conflict: Something is in it, and `replaces` is not set.
        """
        await schema.upgrade_engine(self._engine)
        async with self._engine.begin() as connection:
            epoch = await _epoch_of(connection)
            is_ours = epoch is not None and epoch.startswith(RESTORING)
            if not (replaces or is_ours) and await _has_rows(connection):
                raise Conflict(
                    "The database holds something already; name an empty one, or "
                    "say --replace to have all that is in it deleted."
                )
            await connection.execute(delete(t.installation))
            mark = RESTORING + secrets.token_hex(8)
            await connection.execute(insert(t.installation).values(id=1, epoch=mark))
        for table in (*_DERIVED, *(table for table, _ in reversed(COPIED))):
            async with self._engine.begin() as connection:
                await self._dialect.take_time(connection)
                await connection.execute(delete(table))

    async def insert(self, name: str, columns: Sequence[str], rows: Rows) -> None:
        """Add rows of a table. Raises `Invalid` for what this program cannot keep."""
        table = _TABLES.get(name)
        if table is None or not set(columns) <= {c.name for c in table.columns}:
            raise Invalid(f"The backup has a table {name!r} that this kefu has not.")
        values = [dict(zip(columns, row, strict=True)) for row in rows]
        if not values:
            return
        async with self._engine.begin() as connection:
            for some in slices(values):
                await connection.execute(insert(table), some)

    async def finish(self) -> str:
        """Give the installation its new epoch: from here on it may be served."""
        epoch = secrets.token_hex(8)
        async with self._engine.begin() as connection:
            await connection.execute(delete(t.installation))
            await connection.execute(insert(t.installation).values(id=1, epoch=epoch))
        return epoch


@asynccontextmanager
async def open_restore(url: str) -> AsyncGenerator[Restore]:
    """Open a database to read a dump into. Raises what `open_dump` does."""
    parsed = parse_url(url)
    dialect = dialect_of(parsed)
    async with (
        _engine(open_writer(parsed)) as engine,
        _refusing(dialect, "restore"),
    ):
        yield Restore(engine, dialect)


def require_revision(revision: str) -> None:
    """Raise `ConfigurationError` unless a dump's tables are this program's."""
    if revision != schema.newest():
        raise ConfigurationError(
            f"The backup has schema {revision}, this program {schema.newest()}; "
            "restore it with the kefu that wrote it, then upgrade."
        )


@asynccontextmanager
async def _engine(engine: AsyncEngine) -> AsyncGenerator[AsyncEngine]:
    try:
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def _refusing(dialect: Dialect, what: str) -> AsyncGenerator[None]:
    """Say in our errors what the database answers."""
    try:
        yield
    except dialect.errors as error:
        said = dialect.sentence(error) or f"{message_of(error)}."
        raise StoreUnavailable(f"The {what} stopped. {said}") from error


async def _epoch_of(connection: AsyncConnection) -> str | None:
    found = (await connection.execute(select(t.installation.c.epoch))).scalar()
    return None if found is None else str(found)


async def _has_rows(connection: AsyncConnection) -> bool:
    for table, key in COPIED:
        first = select(table.c[key]).order_by(table.c[key]).limit(1)
        if (await connection.execute(first)).first() is not None:
            return True
    return False
