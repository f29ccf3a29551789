"""Fills a database: in bulk, past the appender, with the rows that it would have left.

One transaction holds some hundred conversations. Whoever stops it loses the one that
was being written; the next run counts what is there and goes on.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Table, event, func, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from benchmarks.store.corpus import AGENTS, SITES, Corpus, Story
from kefu_core.folding import active_at, is_visitor
from kefu_core.model import Agent, Role, Site
from kefu_core.store import tables as t
from kefu_core.store.rows import (
    MESSAGE_INSERT_COLUMNS,
    label_rows,
    labels_text,
    message_row,
)
from kefu_core.store.sql import SqlStore

CHUNK = 500
"""Conversations in one transaction: some 10,000 messages."""
PEOPLE = "Benchmark"

Row = tuple[Any, ...]
_c = t.conversation.c
_CONVERSATION = (
    *("id", "site_id", "visitor", "status", "assignee", "last_seq", "last_at"),
    *("last_sender", "last_line", "waiting_since", "opened_at", "active_at"),
    *("labels", "kept_from", "team_id", "queued_at", "first_reply_at", "closed_at"),
    "untranslated",
)
_VISITOR = ("id", "site_id", "name", "created_at")
_LABEL = ("conversation_id", "label", "active_at")
_CURSOR = ("conversation_id", "participant", "delivered", "read")
_at = itemgetter(MESSAGE_INSERT_COLUMNS.index("at"), 0, 1)


class FillError(Exception):
    """The database is not one that this benchmark filled."""


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """What a database holds, and how fast the last part of it came in."""

    conversations: int
    messages: int
    added: int
    """Messages, in this run."""
    seconds: float


async def add_people(store: SqlStore) -> None:
    """Make the sites and agents whom the conversations name."""
    for number in range(1, SITES + 1):
        await store.put_site(
            Site(id=number, name=f"{PEOPLE} {number}", embed_key=f"benchmark-{number}")
        )
    for number in range(1, AGENTS + 1):
        agent = Agent(
            id=number,
            login=f"agent{number}",
            name=f"{PEOPLE} {number}",
            password_hash="",
            role=Role.AGENT,
        )
        await store.put_agent(agent)


async def fill(
    url: str, messages: int, *, progress: Callable[[int], None] = lambda _: None
) -> Fill:
    """Bring a database up to so many messages, or leave it where it has more.

    Args:
        url: Of a database with tables, and with the people of `add_people`.
        messages: Reached with the conversation that goes beyond it.
        progress: Told how many there are, after each transaction.

    Raises:
        FillError: Somebody else's conversations are there.
    """
    engine = open_engine(url)
    corpus = Corpus()
    try:
        async with engine.connect() as connection:
            conversations, found = await _what_is_there(connection, corpus)
        total = found
        progress(total)
        started = time.monotonic()
        while total < messages:
            stories = list(
                _until(
                    messages - total, map(corpus.story, itertools.count(conversations))
                )
            )
            async with engine.begin() as connection:
                await write(connection, stories)
            conversations += len(stories)
            total += sum(len(story.messages) for story in stories)
            progress(total)
        seconds = time.monotonic() - started
    finally:
        await engine.dispose()
    return Fill(
        conversations=conversations,
        messages=total,
        added=total - found,
        seconds=seconds,
    )


def _until(messages: int, stories: Iterator[Story]) -> Iterator[Story]:
    for story in itertools.islice(stories, CHUNK):
        yield story
        messages -= len(story.messages)
        if messages <= 0:
            return


async def _what_is_there(
    connection: AsyncConnection, corpus: Corpus
) -> tuple[int, int]:
    query = select(
        func.count(), func.coalesce(func.sum(_c.last_seq), 0), func.max(_c.id)
    ).where(_c.site_id <= SITES)
    conversations, messages, newest = (await connection.execute(query)).one()
    if conversations and newest != corpus.story(conversations - 1).conversation.id:
        raise FillError(
            "This database has conversations that are not this benchmark's."
        )
    return int(conversations), int(messages)


def open_engine(url: str) -> AsyncEngine:
    """Return an engine for writing in bulk: a crash may cost the last transaction."""
    engine = create_async_engine(url)
    if make_url(url).get_backend_name() == "sqlite":

        @event.listens_for(engine.sync_engine, "connect")
        def _connected(connection: Any, record: object) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=NORMAL")
            cursor.execute("PRAGMA cache_size=-262144")
            cursor.close()

    return engine


async def write(connection: AsyncConnection, stories: Sequence[Story]) -> None:
    """Write whole conversations."""
    rows = [story.conversation for story in stories]
    visitors = (
        (story.visitor_id, row.site_id, story.visitor_name, row.opened_at)
        for story, row in zip(stories, rows, strict=True)
    )
    await put(connection, t.visitor, _VISITOR, visitors)
    await put(connection, t.conversation, _CONVERSATION, map(_conversation, stories))
    labels = [label for row in rows for label in label_rows(row)]
    await put(connection, t.conversation_label, _LABEL, labels)
    messages = [message_row(m) for story in stories for m in story.messages]
    # As they would have come in: conversations at the same time lie among each other.
    messages.sort(key=_at)
    await put(connection, t.message, MESSAGE_INSERT_COLUMNS, messages)
    cursors = itertools.chain.from_iterable(map(_cursors, stories))
    await put(connection, t.participant, _CURSOR, cursors)


async def put(
    connection: AsyncConnection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Row],
) -> None:
    """Insert rows by the driver's own bulk insert."""
    values = list(rows)
    if values:
        await connection.exec_driver_sql(
            insert_statement(connection, table, columns), values
        )


def insert_statement(
    connection: AsyncConnection, table: Table, columns: Sequence[str]
) -> str:
    """Return the statement in the form of this driver's parameters."""
    named = insert(table).values(dict.fromkeys(columns))
    compiled = named.compile(dialect=connection.dialect, column_keys=list(columns))
    return str(compiled)


def _conversation(story: Story) -> Row:
    row = story.conversation
    return (
        row.id,
        row.site_id,
        row.visitor,
        str(row.status),
        row.assignee,
        row.last_seq,
        row.last_at,
        row.last_sender,
        row.last_line,
        row.waiting_since,
        row.opened_at,
        active_at(row.last_at),
        labels_text(row.labels),
        row.opened_at,
        row.team_id,
        row.queued_at,
        row.first_reply_at,
        row.closed_at,
        row.untranslated,
    )


def _cursors(story: Story) -> list[Row]:
    """Everybody has read everything, but for agents what waits for them."""
    row, last = story.conversation, story.conversation.last_seq
    answered = max(
        (m.seq for m in story.messages if not is_visitor(m.sender)), default=0
    )
    found: list[Row] = [(row.id, row.visitor, last, last)]
    if answered:
        read = last if row.waiting_since is None else answered
        found.append((row.id, story.assignee, last, read))
    return found
