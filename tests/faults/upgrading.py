"""An upgrade of a database with data in it, killed again and again: minutes.

Run as `python -m tests.faults.upgrading`; `--url sqlite` is one of the engines,
`--messages 1000000` a larger history, `--kills 5` less of that.

The history is as the schema before the newest one had it. Somebody goes on writing as
the program of that schema did: before, through and after the upgrade. Rows must be what
they were, value by value; no write may wait longer than `BLOCKED_MAX_S`, fail, or be
lost; the audit must find nothing.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from alembic import command
from rich.console import Console
from sqlalchemy import MetaData, Table, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.databases import ServerMissingError
from benchmarks.store.filling import add_people, fill, open_engine
from benchmarks.store.places import opened
from kefu_core.folding import fold
from kefu_core.model import Conversation, Message, MessageKind
from kefu_core.node import monotonic, unix_ms
from kefu_core.store import migrating, schema
from kefu_core.store.rows import (
    CONVERSATION_COLUMNS,
    MESSAGE_INSERT_COLUMNS,
    conversation_row,
    message_row,
)
from kefu_core.store.sql import SqlStore
from kefu_core.store.walking import digest
from kefu_core.testing.stores import draft
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

BLOCKED_MAX_S = 5.0
BEFORE = "0002"
"""The schema before the newest one."""
ENGINES = ("sqlite", "mysql", "postgres")
WRITER = 1
"""The visitor who goes on writing, and the conversation."""
_BATCH = 2_000
_EVERY_S = 0.02


class Upgrade(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen on one engine."""

    messages: int
    killed: int
    seconds: float
    """Of the upgrade that was let through."""
    written: int
    blocked_s: float
    """The longest time that a write took."""
    problems: list[str]


# -- a database as it was --------------------------------------------------------------


async def make_before(url: str) -> None:
    """Make the tables of the schema before."""
    engine = schema.open_writer(schema.parse_url(url))
    async with engine.begin() as connection:
        await connection.run_sync(
            lambda sync: command.upgrade(migrating.config_for(sync), BEFORE)
        )
    await engine.dispose()


async def tables_of(engine: AsyncEngine) -> list[Table]:
    """Return the tables that are there, in the order of their foreign keys."""
    found = MetaData()
    async with engine.connect() as connection:
        await connection.run_sync(found.reflect)
    return [t for t in found.sorted_tables if t.name != "alembic_version"]


async def copy(source: AsyncEngine, target: AsyncEngine) -> None:
    """Fill the older tables with what a newer database has of their columns."""
    newer = {table.name: table for table in await tables_of(source)}
    for table in await tables_of(target):
        names = [c.name for c in table.columns if c.name in newer[table.name].c]
        query = select(*(newer[table.name].c[name] for name in names))
        async with source.connect() as reading, target.begin() as writing:
            await writing.execute(table.delete())
            rows = await reading.stream(query)
            async for some in rows.partitions(_BATCH):
                values = [dict(zip(names, row, strict=True)) for row in some]
                await writing.execute(insert(table), values)


async def sums_of(engine: AsyncEngine, columns: dict[str, list[str]]) -> dict[str, int]:
    """Return a sum over the rows of each table, whatever their order.

    Rows of the writer's are left out: the audit looks at those.
    """
    sums: dict[str, int] = {}
    for table in await tables_of(engine):
        if table.name not in columns:
            continue
        query = select(*(table.c[name] for name in columns[table.name]))
        if "conversation_id" in table.c:
            query = query.where(table.c.conversation_id != WRITER)
        elif table.name in ("conversation", "visitor"):
            query = query.where(table.c.id != WRITER)
        total = 0
        async with engine.connect() as connection:
            rows = await connection.stream(query)
            async for some in rows.partitions(_BATCH):
                total += sum(map(digest, some))
        sums[table.name] = total
    return sums


# -- who goes on writing ---------------------------------------------------------------


class Writer:
    """Writes messages as the program of the schema before does."""

    def __init__(self, engine: AsyncEngine, tables: list[Table]) -> None:
        self.blocked_s = 0.0
        self.failures: list[str] = []
        self.is_over = False
        self._tables = {table.name: table for table in tables}
        self._engine = engine
        at = UnixMs(unix_ms())
        self._row = Conversation(
            id=ConversationId(WRITER),
            site_id=1,
            visitor=ParticipantId(f"v{WRITER}"),
            last_at=at,
            opened_at=at,
        )

    @property
    def written(self) -> int:
        """How many messages are stored."""
        return self._row.last_seq

    async def open(self) -> None:
        """Add visitor and conversation."""
        visitor = {"id": WRITER, "site_id": 1, "name": "", "created_at": unix_ms()}
        async with self._engine.begin() as connection:
            await connection.execute(insert(self._tables["visitor"]).values(visitor))
            row = self._known("conversation") | {"kept_from": 0}
            await connection.execute(insert(self._tables["conversation"]).values(row))

    def _known(self, name: str) -> dict[str, Any]:
        """Return what the older schema keeps of the conversation."""
        names = (*CONVERSATION_COLUMNS, "active_at")
        values = dict(zip(names, conversation_row(self._row), strict=True))
        return {k: v for k, v in values.items() if k in self._tables[name].c}

    async def run(self) -> None:
        """Write, until it is told to be over."""
        while not self.is_over:
            started = time.monotonic()
            try:
                await self._write()
            except DBAPIError as error:
                self.failures.append(f"a write failed: {error.orig}")
            self.blocked_s = max(self.blocked_s, time.monotonic() - started)
            await asyncio.sleep(_EVERY_S)

    async def _write(self) -> None:
        seq, before = Seq(self._row.last_seq + 1), self._row
        message = Message(
            conversation=before.id,
            seq=seq,
            sender=before.visitor,
            key=f"k{seq}",
            kind=MessageKind.TEXT,
            body=f"第 {seq} 条",
            at=UnixMs(max(unix_ms(), before.last_at)),
        )
        values = dict(zip(MESSAGE_INSERT_COLUMNS, message_row(message), strict=True))
        self._row = fold(before, message)
        table = self._tables["conversation"]
        change = table.update().where(table.c.id == WRITER)
        try:
            async with self._engine.begin() as connection:
                await connection.execute(change.values(self._known("conversation")))
                await connection.execute(insert(self._tables["message"]).values(values))
        except BaseException:
            self._row = before
            raise


@asynccontextmanager
async def writing(url: str) -> AsyncIterator[Writer]:
    """Somebody writes inside of the block."""
    options = {"timeout": 60.0} if url.startswith("sqlite") else {}
    engine = create_async_engine(url, connect_args=options)
    writer = Writer(engine, await tables_of(engine))
    await writer.open()
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        writer.is_over = True
        await task
        await engine.dispose()


# -- the upgrade -----------------------------------------------------------------------


def start_upgrade(url: str) -> "subprocess.Popen[bytes]":
    """Begin `kefu db upgrade`."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("KEFU_")}
    return subprocess.Popen(
        [sys.executable, "-m", "kefu_server", "db", "upgrade"],
        env=environ | {"KEFU_DATABASE_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


async def upgrade_killed(url: str, kills: int, lasts_s: float) -> int:
    """Kill the upgrade so often while it is not done; return how often in time.

    Later each time: where all of it takes half a second, as in a file, some of these
    moments are in it, and it is not done before they have come.
    """
    rng, killed = random.Random(5), 0
    for moment in sorted(rng.uniform(0.3, 1.0) for _ in range(kills)):
        process = start_upgrade(url)
        await asyncio.sleep(moment * lasts_s)
        process.kill()
        await asyncio.to_thread(process.communicate)
        killed += process.returncode == -9
        if await schema.current(url) == schema.newest():
            break
    return killed


async def how_long(folder: Path) -> float:
    """Return how long the upgrade of an empty database takes, the start included."""
    url = f"sqlite+aiosqlite:///{folder}/empty.db"
    await make_before(url)
    started = time.monotonic()
    await asyncio.to_thread(start_upgrade(url).communicate)
    return time.monotonic() - started


async def run_upgrade(url: str, *, messages: int, kills: int) -> Upgrade:
    """Upgrade one database under a writer, and look at what is left."""
    with tempfile.TemporaryDirectory(prefix="kefu-upgrade-") as folder:
        newer = f"sqlite+aiosqlite:///{folder}/newer.db"
        async with SqlStore(newer, now=monotonic, now_ms=unix_ms) as store:
            await add_people(store)
            await fill(newer, messages)
            await store.index_some(limit=200)
        await make_before(url)
        source, target = open_engine(newer), open_engine(url)
        await copy(source, target)
        await source.dispose()
        lasts_s = await how_long(Path(folder))
    columns = {t.name: [c.name for c in t.columns] for t in await tables_of(target)}
    before = await sums_of(target, columns)
    async with writing(url) as writer:
        killed = await upgrade_killed(url, kills, lasts_s)
        started = time.monotonic()
        process = start_upgrade(url)
        _, said = await asyncio.to_thread(process.communicate)
        seconds = time.monotonic() - started
        await asyncio.sleep(1.0)
    problems = [f"status {process.returncode}: {said!r}"] * bool(process.returncode)
    problems += ["it was done before the first kill"] * bool(kills and not killed)
    problems += writer.failures[:3]
    after = await sums_of(target, columns)
    problems += [
        f"{name} is not what it was"
        for name in before
        if before[name] != after.get(name)
    ]
    await target.dispose()
    if writer.blocked_s > BLOCKED_MAX_S:
        problems.append(f"a write took {writer.blocked_s:.1f} s")
    problems += await look_at(url, writer.written, messages)
    return Upgrade(
        messages=messages,
        killed=killed,
        seconds=seconds,
        written=writer.written,
        blocked_s=writer.blocked_s,
        problems=problems,
    )


async def look_at(url: str, written: int, messages: int) -> list[str]:
    """Return what is wrong with an upgraded database, and append to it."""
    async with SqlStore(url, now=monotonic, now_ms=unix_ms) as store:
        report = await store.audit()
        problems = [f"audit: {fault}" for fault in report.faults[:3]]
        if report.messages < messages + written:
            problems.append(f"{report.messages} messages are there")
        appended = await store.append(
            draft(ConversationId(WRITER), written + 1, sender=ParticipantId("v1"))
        )
        if appended.message.seq != written + 1:
            problems.append(f"the next message has seq {appended.message.seq}")
    return problems


def main() -> int:
    """Upgrade on the engines that were asked for; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", choices=ENGINES)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    given = parser.parse_args()
    console, is_bad = Console(), False
    for engine in [given.url] if given.url else ENGINES:
        try:
            with (
                tempfile.TemporaryDirectory(prefix="kefu-before-") as folder,
                opened(engine, Path(folder)) as place,
            ):
                url = place.url_of(given.messages)
                run = run_upgrade(url, messages=given.messages, kills=given.kills)
                seen = asyncio.run(run)
        except ServerMissingError as missing:
            console.print(f"{missing}; nothing was upgraded on {engine}")
            continue
        console.print(
            f"{engine}: {seen.messages:,} messages, killed {seen.killed} times, then "
            f"{seen.seconds:.1f} s; {seen.written} written meanwhile as before, the "
            f"slowest {seen.blocked_s:.2f} s"
        )
        for problem in seen.problems:
            is_bad = True
            console.print(f"  WRONG: {problem}", markup=False)
    return int(is_bad)


if __name__ == "__main__":
    sys.exit(main())
