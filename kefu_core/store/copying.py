"""A whole installation from one database to another, whichever engines they are.

What is there of it
-------------------

Tables are copied in the order of their foreign keys, each in batches by its key, a
batch a transaction. A table goes on after the greatest key that the target has, so a
copy that was killed is run again and goes on. While it lasts, the target's epoch is
`copying-` and the source's: a server refuses to open it, and a run that meets it knows
what it is. The last step gives it a new epoch (G13): clients drop what they hold of
the old one and fetch again.

What is noticed
---------------

A fingerprint of the source (how many rows, and sums that every kind of write changes)
is taken before and after. If it changed, the copy is not of one moment: the run says
so, and the next one begins anew. In the end every row of both sides is read and the
sums of their digests are compared, table by table.

The search index is not copied: it is made from the log, and a server makes it anew.
"""

import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import (
    Table,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kefu_core.errors import ConfigurationError, Conflict, StoreUnavailable
from kefu_core.store import schema
from kefu_core.store import tables as t
from kefu_core.store.engine import open_readers, open_writer, parse_url, require_file
from kefu_core.store.walking import COPIED, batches, digest, slices
from kefu_core.store.writing import DRIVER_ERRORS, message_of

COPYING = "copying-"
"""What the epoch of an unfinished copy begins with."""
_MARK = "copy"
_PRIME = 2_147_483_647
_ROW = msgspec.json.Encoder().encode

OnRows = Callable[[int, int], None]
"""Is told how many of how many rows are done."""


class CopyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied."""

    rows: dict[str, int]
    """Of each table, all that are there now."""
    has_resumed: bool
    """Whether an earlier run had begun."""


async def copy_installation(
    source_url: str,
    target_url: str,
    *,
    on_copied: OnRows | None = None,
    on_compared: OnRows | None = None,
) -> CopyReport:
    """Copy everything but the search index; killed at any moment, run it again.

    Raises:
        ConfigurationError: A URL cannot be used, or the source needs an upgrade.
        Conflict: The target holds something else, the source was written to, or the
            two do not agree in the end; says what to do.
        StoreUnavailable: A database is away; run it again.
    """
    if source_url == target_url:
        raise ConfigurationError("The two databases are the same one.")
    source_at = parse_url(source_url)
    require_file(source_at)
    async with (
        _engine(open_readers(source_at)) as source,
        _engine(open_writer(parse_url(target_url))) as target,
    ):
        try:
            return await _Copy(source, target, on_copied, on_compared).run()
        except DRIVER_ERRORS as error:
            raise StoreUnavailable(
                f"The copy stopped: {message_of(error)}. Run it again; it goes on."
            ) from error


@asynccontextmanager
async def _engine(engine: AsyncEngine) -> AsyncGenerator[AsyncEngine]:
    try:
        yield engine
    finally:
        await engine.dispose()


class _Copy:
    """One run."""

    def __init__(
        self,
        source: AsyncEngine,
        target: AsyncEngine,
        on_copied: OnRows | None,
        on_compared: OnRows | None,
    ) -> None:
        self._source = source
        self._target = target
        self._on_copied = on_copied
        self._on_compared = on_compared
        self._rows = 0
        """Of all tables of the source, when the run began."""

    async def run(self) -> CopyReport:
        """Copy, compare, finish."""
        schema.require(await schema.current_of(self._source))
        await schema.upgrade_engine(self._target)
        async with self._source.connect() as connection:
            epoch = await _epoch_of(connection)
            fingerprint = await _fingerprint(connection)
            counts = [await _count(connection, table) for table, _ in COPIED]
        if epoch is None or epoch.startswith(COPYING):
            raise Conflict("The source holds no whole installation.")
        self._rows = sum(counts)
        has_resumed = await self._claim(COPYING + epoch, fingerprint)
        async with self._target.connect() as connection:
            done = sum([await _count(connection, table) for table, _ in COPIED])
        for table, key in COPIED:
            done = await self._copy(table, key, done)
        async with self._source.connect() as connection:
            if await _fingerprint(connection) != fingerprint:
                raise Conflict(
                    "The source was written to while it was copied. Stop its server, "
                    "then run the same command again; it begins anew."
                )
        rows = await self._compare()
        await self._finish()
        return CopyReport(rows=rows, has_resumed=has_resumed)

    # -- the target --------------------------------------------------------------------

    async def _claim(self, epoch: str, fingerprint: int) -> bool:
        """Mark the target as being copied to; returns whether it was already."""
        async with self._target.begin() as connection:
            found = await _epoch_of(connection)
            if found == epoch:
                if await _mark_of(connection) == fingerprint:
                    return True
                # The source was written to since: what is there is of no one moment.
                for table, _ in reversed(COPIED):
                    await connection.execute(delete(table))
            else:
                await self._require_empty(connection)
            await connection.execute(delete(t.installation))
            await connection.execute(insert(t.installation).values(id=1, epoch=epoch))
            await connection.execute(delete(t.follower))
            await connection.execute(
                insert(t.follower).values(name=_MARK, position=fingerprint)
            )
        return False

    async def _require_empty(self, connection: AsyncConnection) -> None:
        for table, key in COPIED:
            first = select(table).order_by(table.c[key]).limit(1)
            if (await connection.execute(first)).first() is not None:
                raise Conflict(
                    "The target holds something else already; name an empty database."
                )

    async def _finish(self) -> None:
        async with self._target.begin() as connection:
            await connection.execute(delete(t.follower))
            await connection.execute(
                update(t.installation).values(epoch=secrets.token_hex(8))
            )

    # -- copying -----------------------------------------------------------------------

    async def _copy(self, table: Table, key: str, done: int) -> int:
        """Copy what the target has not; returns how many rows are done in all."""
        async with self._target.connect() as connection:
            after = await _last_of(connection, table, key)
        if self._on_copied is not None:
            self._on_copied(done, self._rows)
        async with aclosing(
            batches(partial(_all, self._source), table, key, after)
        ) as pages:
            async for rows in pages:
                values = [dict(row._mapping) for row in rows]
                async with self._target.begin() as connection:
                    for some in slices(values):
                        await connection.execute(insert(table), some)
                done += len(rows)
                if self._on_copied is not None:
                    self._on_copied(done, self._rows)
        return done

    # -- comparing ---------------------------------------------------------------------

    async def _compare(self) -> dict[str, int]:
        done = 0
        rows: dict[str, int] = {}
        for table, key in COPIED:
            sums = []
            for engine in (self._source, self._target):
                count = total = 0
                fetch = partial(_all, engine)
                async with aclosing(batches(fetch, table, key)) as pages:
                    async for batch in pages:
                        count += len(batch)
                        total += sum(map(digest, batch))
                        done += len(batch)
                        if self._on_compared is not None:
                            self._on_compared(done, 2 * self._rows)
                sums.append((count, total % 2**64))
            if sums[0] != sums[1]:
                await self._begin_anew()
                raise Conflict(
                    f"The table {table.name} of the target is not that of the source "
                    f"({sums[0][0]:,} and {sums[1][0]:,} rows). Run it again; it "
                    "begins anew."
                )
            rows[table.name] = sums[0][0]
        return rows

    async def _begin_anew(self) -> None:
        """Have the next run take nothing of what is there."""
        async with self._target.begin() as connection:
            await connection.execute(update(t.follower).values(position=-1))


# -- reading ---------------------------------------------------------------------------


async def _epoch_of(connection: AsyncConnection) -> str | None:
    found = (await connection.execute(select(t.installation.c.epoch))).scalar()
    return None if found is None else str(found)


async def _mark_of(connection: AsyncConnection) -> int | None:
    query = select(t.follower.c.position).where(t.follower.c.name == _MARK)
    return (await connection.execute(query)).scalar()


async def _count(connection: AsyncConnection, table: Table) -> int:
    query = select(func.count()).select_from(table)
    return int((await connection.execute(query)).scalar() or 0)


async def _fingerprint(connection: AsyncConnection) -> int:
    """Return 53 bits that every kind of write to the source changes."""
    seen: list[Any] = [await _count(connection, table) for table, _ in COPIED]
    for column in (
        t.conversation.c.last_seq,
        t.conversation.c.kept_from,
        t.participant.c.delivered,
        t.participant.c.read,
        t.agent_session.c.last_used_at,
    ):
        # Of remainders: times of millions of rows are more than 64 bits together.
        total = (await connection.execute(select(func.sum(column % _PRIME)))).scalar()
        seen.append(int(total or 0))
    erasures = select(t.follower.c.position).where(t.follower.c.name == "erasure")
    seen.append((await connection.execute(erasures)).scalar())
    for table in (t.site, t.agent):
        rows = (await connection.execute(select(table).order_by(table.c.id))).all()
        seen.append([tuple(row) for row in rows])
    digest = blake2b(_ROW(seen), digest_size=8).digest()
    return int.from_bytes(digest) >> 11


async def _last_of(
    connection: AsyncConnection, table: Table, key: str
) -> tuple[int, int]:
    """Return the greatest key that a table has, and for messages the greatest seq."""
    column = table.c[key]
    last = int((await connection.execute(select(func.max(column)))).scalar() or 0)
    seq = 0
    if table is t.message:
        query = select(func.max(table.c.seq)).where(column == last)
        seq = int((await connection.execute(query)).scalar() or 0)
    return last, seq


async def _all(engine: AsyncEngine, query: Any) -> Sequence[Any]:
    async with engine.connect() as connection:
        rows: Sequence[Any] = (await connection.execute(query)).all()
        return rows
