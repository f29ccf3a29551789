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
from hashlib import blake2b
from pathlib import Path
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
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kefu_core.errors import ConfigurationError, Conflict, StoreUnavailable
from kefu_core.store import schema
from kefu_core.store import tables as t
from kefu_core.store.desk_tables import TABLES
from kefu_core.store.engine import open_readers, open_writer, parse_url
from kefu_core.store.writing import DRIVER_ERRORS, message_of

COPYING = "copying-"
"""What the epoch of an unfinished copy begins with."""
_MARK = "copy"
_BATCH = 500
_BATCH_BYTES = 1_000_000
_PRIME = 2_147_483_647
_ROW = msgspec.json.Encoder().encode

OnRows = Callable[[int, int], None]
"""Is told how many of how many rows are done."""

COPIED: tuple[tuple[Table, str], ...] = (
    (t.site, "id"),
    (t.visitor, "id"),
    (t.agent, "id"),
    (t.agent_session, "agent_id"),
    (t.conversation, "id"),
    (t.conversation_label, "conversation_id"),
    (t.message, "conversation_id"),
    (t.participant, "conversation_id"),
    *((table, "id") for table in TABLES.values() if table is not t.visitor),
)
"""Tables in the order of their foreign keys, with the number their rows go by.

Rows of one number are few, and go in one transaction; but for messages, which go by
their seq as well. Text keys are ordered differently by different engines.
"""


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
    _require_file(source_at)
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


def _require_file(url: URL) -> None:
    """Refuse a SQLite file that does not exist: opening it would make an empty one."""
    if url.drivername.startswith("sqlite") and not Path(url.database or "").is_file():
        raise ConfigurationError(f"There is no file {url.database!r} to copy.")


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
        async with aclosing(_batches(self._source, table, key, after)) as batches:
            async for rows in batches:
                values = [dict(row._mapping) for row in rows]
                async with self._target.begin() as connection:
                    for some in _slices(values):
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
                async with aclosing(_batches(engine, table, key, (0, 0))) as batches:
                    async for batch in batches:
                        count += len(batch)
                        total += sum(map(_digest, batch))
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


async def _batches(
    engine: AsyncEngine, table: Table, key: str, after: tuple[int, int]
) -> AsyncGenerator[Sequence[Any]]:
    """Yield all rows after a key in its order, rows of one key together."""
    batches = _messages(engine, *after) if table is t.message else None
    async with aclosing(batches or _groups(engine, table, key, after[0])) as found:
        async for batch in found:
            yield batch


async def _messages(
    engine: AsyncEngine, conversation: int, seq: int
) -> AsyncGenerator[Sequence[Any]]:
    columns = t.message.c
    while True:
        # The rest of one conversation; then conversations from their beginnings.
        rest = select(t.message).where(
            columns.conversation_id == conversation, columns.seq > seq
        )
        page = await _all(engine, rest.order_by(columns.seq).limit(_BATCH))
        if len(page) < _BATCH:
            later = (
                select(t.message)
                .where(columns.conversation_id > conversation)
                .order_by(columns.conversation_id, columns.seq)
                .limit(_BATCH)
            )
            page = [*page, *await _all(engine, later)]
        if not page:
            return
        yield page
        conversation, seq = page[-1].conversation_id, page[-1].seq


async def _groups(
    engine: AsyncEngine, table: Table, key: str, after: int
) -> AsyncGenerator[Sequence[Any]]:
    column = table.c[key]
    while True:
        query = select(table).where(column > after).order_by(column).limit(_BATCH)
        page = list(await _all(engine, query))
        if not page:
            return
        last = getattr(page[-1], key)
        if len(page) == _BATCH and getattr(page[0], key) != last:
            # The last group may go on beyond the page: it comes with the next one.
            page = [row for row in page if getattr(row, key) != last]
        elif len(page) == _BATCH:
            page = list(await _all(engine, select(table).where(column == last)))
        yield page
        after = getattr(page[-1], key)


async def _all(engine: AsyncEngine, query: Any) -> Sequence[Any]:
    async with engine.connect() as connection:
        rows: Sequence[Any] = (await connection.execute(query)).all()
        return rows


def _slices(values: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Cut rows into statements that no engine finds too long."""
    slices: list[list[dict[str, Any]]] = [[]]
    size = 0
    for value in values:
        length = sum(len(part) for part in value.values() if isinstance(part, str))
        if slices[-1] and size + length > _BATCH_BYTES:
            slices.append([])
            size = 0
        slices[-1].append(value)
        size += length
    return slices


def _digest(row: Any) -> int:
    return int.from_bytes(blake2b(_ROW(tuple(row)), digest_size=8).digest())
