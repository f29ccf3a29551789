"""What a message costs in the appender, beside the driver's bare bulk insert.

Both write rows of the same form into the same table, with the same indexes, batches of
the same size and a durable commit after each, turn by turn. The bare one has its rows
ready and knows their seqs; it looks nothing up, and no conversation moves. What the
appender is asked costs too: a callback for each message, nothing else.
"""

import itertools
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import anyio
import msgspec
from sqlalchemy import delete, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.store.corpus import SITES, Story
from benchmarks.store.filling import Row, insert_statement, open_engine, write
from benchmarks.texts import load_texts
from kefu_core.abc.store import Outcome, PendingAppend
from kefu_core.ids import IdGenerator, agent_participant, visitor_participant
from kefu_core.limits import Limits
from kefu_core.model import Appended, Conversation, Draft, Message, MessageKind, Site
from kefu_core.node import monotonic, unix_ms
from kefu_core.store import tables as t
from kefu_core.store.engine import open_writer, parse_url
from kefu_core.store.rows import MESSAGE_INSERT_COLUMNS, message_row
from kefu_core.store.sql import SqlStore
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

SENDERS = (1, 30, 300)
ROUNDS = 5
LOAD_SITE = SITES + 1
"""What is written here goes to conversations of this site, and away afterwards."""

CpuClock = Callable[[], float]


class AppendError(Exception):
    """A message was refused, or the log is not what was written."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Of one message; medians of the rounds."""

    per_s: float
    client_cpu_us: float
    """Of this process, all threads; on SQLite that is all there is."""
    server_cpu_us: float | None
    """Of the database's processes, where they are ours to watch."""


class Appending(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    senders: int
    batch: float
    """Messages in a commit."""
    appender: Cost
    bare: Cost
    cpu_ratio: float
    """Of client and server together: the median of the rounds' own quotients."""


class _Turn(msgspec.Struct, frozen=True, kw_only=True):
    messages: int
    commits: int
    seconds: float
    client_s: float
    server_s: float | None

    @property
    def cpu_us(self) -> float:
        return (self.client_s + (self.server_s or 0.0)) / self.messages * 1e6


async def compare(
    url: str,
    *,
    senders: Sequence[int] = SENDERS,
    seconds: float = 2.0,
    rounds: int = ROUNDS,
    server_cpu: CpuClock | None = None,
    progress: Callable[[], None] = lambda: None,
) -> list[Appending]:
    """Measure each number of senders; leaves the database as it was.

    Raises:
        AppendError: A message was not stored, or stored otherwise than asked.
    """
    await clear(url)
    try:
        found = []
        for number in senders:
            pairs = []
            for _ in range(rounds):
                appended = await _append(url, number, seconds, server_cpu)
                batch = max(1, round(appended.messages / appended.commits))
                bare = await _insert(url, number, batch, seconds, server_cpu)
                pairs.append((appended, bare))
                progress()
            found.append(_line(number, pairs))
        return found
    finally:
        await clear(url)


def _line(senders: int, pairs: Sequence[tuple[_Turn, _Turn]]) -> Appending:
    return Appending(
        senders=senders,
        batch=round(statistics.median(a.messages / a.commits for a, _ in pairs), 1),
        appender=_cost([appended for appended, _ in pairs]),
        bare=_cost([bare for _, bare in pairs]),
        cpu_ratio=round(statistics.median(a.cpu_us / b.cpu_us for a, b in pairs), 2),
    )


def _cost(turns: Sequence[_Turn]) -> Cost:
    def median(of: Callable[[_Turn], float]) -> float:
        return round(statistics.median(map(of, turns)), 1)

    watched = all(turn.server_s is not None for turn in turns)
    return Cost(
        per_s=median(lambda turn: turn.messages / turn.seconds),
        client_cpu_us=median(lambda turn: turn.client_s / turn.messages * 1e6),
        server_cpu_us=(
            median(lambda turn: (turn.server_s or 0.0) / turn.messages * 1e6)
            if watched
            else None
        ),
    )


# -- the appender ----------------------------------------------------------------------


class _Senders:
    """So many who send the next message when the last one is stored."""

    def __init__(self, store: SqlStore, lanes: Sequence["_Lane"]) -> None:
        self.stored = 0
        self.fault: Outcome | None = None
        self._store = store
        self._lanes = lanes
        self._waiting = 0
        self._until = 0.0
        self._finished = anyio.Event()

    async def talk(self, seconds: float) -> None:
        self.stored = 0
        self._finished = anyio.Event()
        self._until = time.monotonic() + seconds
        for lane in self._lanes:
            self._send(lane)
        await self._finished.wait()

    def make_ready(self, factor: float) -> None:
        """Make so many times the last talk's drafts, outside of what is measured."""
        each = 1 + int(self.stored * factor / len(self._lanes))
        self._lanes = [
            itertools.chain(list(itertools.islice(lane, each)), lane)
            for lane in self._lanes
        ]

    def _send(self, lane: "_Lane") -> None:
        draft = next(lane)

        def done(append: PendingAppend, outcome: Outcome) -> None:
            self._waiting -= 1
            if not isinstance(outcome, Appended) or outcome.duplicate:
                self.fault = outcome
            else:
                self.stored += 1
                if time.monotonic() < self._until:
                    self._send(lane)
            if not self._waiting:
                self._finished.set()

        size = 200 + len(draft.body)
        self._waiting += 1
        pending = PendingAppend(draft, done, size=size, submitted_at=monotonic())
        self._store.submit(pending)


_Lane = Iterator[Draft]


async def _append(
    url: str, senders: int, seconds: float, server_cpu: CpuClock | None
) -> _Turn:
    async with SqlStore(url, now=monotonic, now_ms=unix_ms) as store:
        conversations = await _open(url, store, senders)
        crowd = _Senders(store, [_drafts(*c) for c in conversations])
        warm_up_s = min(0.3, seconds)
        await crowd.talk(warm_up_s)  # Statements and pages become warm.
        crowd.make_ready(2 * seconds / warm_up_s)
        before, commits = crowd.stored, store.statistics().commits
        clock = _Clock(server_cpu)
        await crowd.talk(seconds)
        turn = clock.turn(crowd.stored, store.statistics().commits - commits)
        if crowd.fault is not None:
            raise AppendError(f"The store answered {crowd.fault!r}.")
        heads = await store.heads([conversation for conversation, _ in conversations])
        if sum(heads.values()) != before + crowd.stored:
            raise AppendError("The logs do not end where the answers said.")
    return turn


async def _open(
    url: str, store: SqlStore, count: int
) -> list[tuple[ConversationId, ParticipantId]]:
    """Open so many conversations of new visitors."""
    site = Site(id=LOAD_SITE, name="Benchmark load", embed_key="benchmark-load")
    await store.put_site(site)
    ids, at = IdGenerator(unix_ms), UnixMs(unix_ms())
    stories = []
    for _ in range(count):
        visitor_id = ids.new()
        row = Conversation(
            id=ConversationId(ids.new()),
            site_id=LOAD_SITE,
            visitor=visitor_participant(visitor_id),
            last_at=at,
            opened_at=at,
        )
        stories.append(Story(row, [], visitor_id, "", agent_participant(1)))
    engine = open_engine(url)
    try:
        async with engine.begin() as connection:
            await write(connection, stories)
    finally:
        await engine.dispose()
    return [(story.conversation.id, story.conversation.visitor) for story in stories]


def _drafts(conversation: ConversationId, visitor: ParticipantId) -> Iterator[Draft]:
    rng = random.Random(conversation)
    texts = load_texts()
    for sender in itertools.cycle((visitor, agent_participant(1))):
        yield Draft(
            conversation=conversation,
            sender=sender,
            key=f"{rng.getrandbits(128):032x}",
            body=texts[int(rng.random() * len(texts))],
        )


# -- the bare insert -------------------------------------------------------------------


async def _insert(
    url: str,
    senders: int,
    batch: int,
    seconds: float,
    server_cpu: CpuClock | None,
) -> _Turn:
    limits = Limits()
    async with SqlStore(url, limits=limits, now=monotonic, now_ms=unix_ms) as store:
        conversations = await _open(url, store, senders)
    engine = open_writer(parse_url(url))
    try:
        async with engine.connect() as connection:
            write = await _bare_writer(connection)
            batches = _batches([_drafts(*c) for c in conversations], batch)
            await write(next(batches))
            return await _repeat(write, batches, batch, seconds, server_cpu)
    finally:
        await engine.dispose()


async def _repeat(
    write: Callable[[list[Row]], Awaitable[None]],
    batches: Iterator[list[Row]],
    batch: int,
    seconds: float,
    server_cpu: CpuClock | None,
) -> _Turn:
    """Write for so long; the rows are made outside of what is measured."""
    turns: list[_Turn] = []
    made = max(1, 2_000 // batch)
    while sum(turn.seconds for turn in turns) < seconds:
        ready = list(itertools.islice(batches, made))
        clock = _Clock(server_cpu)
        for rows in ready:
            await write(rows)
        turns.append(clock.turn(made * batch, made))
    watched = server_cpu is not None
    return _Turn(
        messages=sum(turn.messages for turn in turns),
        commits=sum(turn.commits for turn in turns),
        seconds=sum(turn.seconds for turn in turns),
        client_s=sum(turn.client_s for turn in turns),
        server_s=sum(turn.server_s or 0.0 for turn in turns) if watched else None,
    )


def _batches(lanes: Sequence[Iterator[Draft]], batch: int) -> Iterator[list[Row]]:
    """Return rows of messages as the senders would have written them, in turn."""
    numbered = enumerate(itertools.cycle(lanes))
    while True:
        rows = []
        for turn, lane in itertools.islice(numbered, batch):
            draft = next(lane)
            message = Message(
                conversation=draft.conversation,
                seq=Seq(1 + turn // len(lanes)),
                sender=draft.sender,
                key=draft.key,
                kind=MessageKind.TEXT,
                body=draft.body,
                at=UnixMs(unix_ms()),
            )
            rows.append(message_row(message))
        yield rows


async def _bare_writer(
    connection: AsyncConnection,
) -> Callable[[list[Row]], Awaitable[None]]:
    """Return what writes and commits a batch with the driver alone."""
    statement = insert_statement(connection, t.message, MESSAGE_INSERT_COLUMNS)
    driver: Any = (await connection.get_raw_connection()).driver_connection
    match connection.dialect.driver:
        case "aiosqlite":

            def write_now(rows: list[Row]) -> None:
                driver._conn.execute("BEGIN IMMEDIATE")
                driver._conn.executemany(statement, rows)
                driver._conn.execute("COMMIT")

            async def write(rows: list[Row]) -> None:
                await driver._execute(write_now, rows)

        case "asyncmy":

            async def write(rows: list[Row]) -> None:
                async with driver.cursor() as cursor:
                    await cursor.executemany(statement, rows)
                await driver.commit()

        case "asyncpg":

            async def write(rows: list[Row]) -> None:
                async with driver.transaction():
                    await driver.executemany(statement, rows)

        case other:
            raise AppendError(f"There is no bare insert for {other!r} here.")
    return write


# -- around it -------------------------------------------------------------------------


class _Clock:
    """Time and CPU from its making on."""

    def __init__(self, server_cpu: CpuClock | None) -> None:
        self._server_cpu = server_cpu
        self._server = server_cpu() if server_cpu else 0.0
        self._client, self._wall = time.process_time(), time.monotonic()

    def turn(self, messages: int, commits: int) -> _Turn:
        return _Turn(
            messages=messages,
            commits=commits,
            seconds=time.monotonic() - self._wall,
            client_s=time.process_time() - self._client,
            server_s=self._server_cpu() - self._server if self._server_cpu else None,
        )


async def clear(url: str) -> None:
    """Take away what a measurement wrote, also one that was killed."""
    engine = open_engine(url)
    try:
        async with engine.begin() as connection:
            c = t.conversation.c
            loaded = select(c.id).where(c.site_id == LOAD_SITE).scalar_subquery()
            for table in (t.message, t.participant, t.conversation_label):
                await connection.execute(
                    delete(table).where(table.c.conversation_id.in_(loaded))
                )
            await connection.execute(
                delete(t.conversation).where(c.site_id == LOAD_SITE)
            )
            await connection.execute(
                delete(t.visitor).where(t.visitor.c.site_id == LOAD_SITE)
            )
    finally:
        await engine.dispose()


def is_sqlite(url: str) -> bool:
    """Whether the database lives in this process."""
    return make_url(url).get_backend_name() == "sqlite"
