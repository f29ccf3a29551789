"""What a database would let us do, found out by doing it to a table of its own.

Rights are tried and not read: grants come by roles, by patterns of names and by
ownership, and each engine lists them in another way. The table has a name that nobody
else uses, and is gone afterwards.
"""

import contextlib
import secrets
from collections.abc import Callable

import anyio
import msgspec
from sqlalchemy import Column, Index, Integer, MetaData, Table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.schema import CreateIndex, CreateTable, DropTable
from sqlalchemy.sql import Executable

from kefu_core.errors import ConfigurationError
from kefu_core.store.dialects import Dialect, dialect_of
from kefu_core.store.dialects.base import Refusal
from kefu_core.store.engine import open_writer, parse_url
from kefu_core.store.schema import revision_of
from kefu_core.store.writing import message_of


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; with `why` it could not be used at all."""

    refusal: Refusal | None = None
    """What is in the way, where the engine says something that is known."""
    why: str = ""
    """The driver's words; neither the URL nor a password is in them."""
    title: str = ""
    """The engine and its version, such as `MariaDB 11.8.2`."""
    schema: str | None = None
    """The version of our tables; None: there are none."""
    missing: tuple[str, ...] = ()
    """Rights that the user does not have, as SQL calls them."""
    problems: tuple[str, ...] = ()
    """What keeps the database from holding what it acknowledges, each with a fix."""


async def probe(
    url: str,
    now_ms: Callable[[], int],
    *,
    wait_s: float = 10.0,
    tries_rights: bool = True,
) -> Probe:
    """Connect and look around; never raises for what is found.

    Args:
        url: SQLAlchemy's; of SQLite's file, the folder exists.
        now_ms: This machine's clock.
        wait_s: How long all of it may take.
        tries_rights: Whether a table may be made and dropped again.
    """
    try:
        parsed = parse_url(url)
        engine = open_writer(parsed)
    except ConfigurationError as error:
        return Probe(why=str(error))
    dialect = dialect_of(parsed)
    known: tuple[type[Exception], ...] = (*dialect.errors, ConfigurationError)
    try:
        with anyio.fail_after(wait_s):
            found = await _look(engine, dialect, now_ms)
            if tries_rights:
                missing = await _missing_rights(engine, dialect)
                found = msgspec.structs.replace(found, missing=missing)
            return found
    except TimeoutError:
        return Probe(refusal=Refusal.UNREACHABLE, why=f"no answer within {wait_s:g} s")
    except known as error:
        return Probe(refusal=dialect.refusal_of(error), why=message_of(error))
    finally:
        with anyio.move_on_after(1, shield=True):
            await engine.dispose()


async def _look(
    engine: AsyncEngine, dialect: Dialect, now_ms: Callable[[], int]
) -> Probe:
    async with engine.connect() as connection:
        schema = await connection.run_sync(revision_of)
        problems = await dialect.all_problems(connection, now_ms)
        server = connection.dialect
    title = "MariaDB" if getattr(server, "is_mariadb", False) else dialect.title
    version = ".".join(str(part) for part in server.server_version_info or ())
    return Probe(
        title=f"{title} {version}".rstrip(), schema=schema, problems=tuple(problems)
    )


async def _missing_rights(engine: AsyncEngine, dialect: Dialect) -> tuple[str, ...]:
    """Try each right; without the first there is nothing to try the others on."""
    name = f"kefu_probe_{secrets.token_hex(6)}"
    table = Table(name, MetaData(), Column("id", Integer), Column("n", Integer))
    added = f"ALTER TABLE {name} ADD m INTEGER"
    if not await _may(engine, dialect, CreateTable(table)):
        return ("CREATE",)
    tries: tuple[tuple[str, Executable], ...] = (
        ("INSERT", table.insert().values(id=1, n=1)),
        ("SELECT", table.select()),
        ("UPDATE", table.update().values(n=2)),
        ("DELETE", table.delete()),
        ("INDEX", CreateIndex(Index(f"ix_{name}", table.c.n))),
        ("ALTER", text(added)),
        # Last: the others need the table.
        ("DROP", DropTable(table)),
    )
    try:
        missing = [
            right for right, trial in tries if not await _may(engine, dialect, trial)
        ]
    except BaseException:
        with anyio.move_on_after(2, shield=True), contextlib.suppress(*dialect.errors):
            await _may(engine, dialect, DropTable(table))
        raise
    return tuple(missing)


async def _may(engine: AsyncEngine, dialect: Dialect, statement: Executable) -> bool:
    """Whether a statement goes through; raises what has nothing to do with rights."""
    try:
        async with engine.begin() as connection:
            await connection.execute(statement)
    except DBAPIError as error:
        if dialect.refusal_of(error) is not Refusal.RIGHTS:
            raise
        return False
    return True
