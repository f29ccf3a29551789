"""The reads of a hello, a page and a catch-up: those of many at once in one statement.

Seqs have no holes (G2), so a page is a range of seqs, and many pages are a few ranges
of the primary key. Only a log's newest page, whose end nobody knows, is read alone.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Select, and_, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.model import Agent, AgentSession, Conversation, Cursor, Message
from kefu_core.records import Record
from kefu_core.store import tables as t
from kefu_core.store.gathering import Gathering, StartTask
from kefu_core.store.people import agents_by_id, sessions_by_hash
from kefu_core.store.records import records_by_id
from kefu_core.store.rows import (
    CHECKED_COLUMNS,
    CONVERSATION_COLUMNS,
    checked_message_from,
    conversation_from,
)
from kefu_core.types import ConversationId, ParticipantId, Seq

T = TypeVar("T")
Read = Callable[[Callable[[AsyncConnection], Awaitable[T]]], Awaitable[T]]

_KEYS_MAX = 200
_RANGES_MAX = 32
"""Of a statement; SQLite's expressions nest at most a thousand deep."""
_MESSAGES_MAX = 1_000
OF_VISITOR_MAX = 50

_m, _c, _p = t.message.c, t.conversation.c, t.participant.c
_messages = select(*(_m[name] for name in CHECKED_COLUMNS))
_ROWS = select(*(_c[name] for name in CONVERSATION_COLUMNS)).where(
    _c.id.in_(bindparam("ids", expanding=True))
)
_CURSORS = select(_p.conversation_id, _p.participant, _p.delivered, _p.read).where(
    _p.conversation_id.in_(bindparam("ids", expanding=True))
)
_place = func.row_number().over(
    partition_by=_c.visitor, order_by=(_c.last_at.desc(), _c.id.desc())
)
_numbered = (
    select(*(_c[name] for name in CONVERSATION_COLUMNS), _place.label("place"))
    .where(_c.visitor.in_(bindparam("visitors", expanding=True)))
    .subquery()
)
_OF_VISITORS = (
    select(*(_numbered.c[name] for name in CONVERSATION_COLUMNS))
    .where(_numbered.c.place <= OF_VISITOR_MAX)
    .order_by(_numbered.c.place)
)


class Range(NamedTuple):
    """The messages of a conversation from `first` to `last`, both included."""

    conversation: ConversationId
    first: Seq
    last: Seq


class ReadTogether:
    """What many ask for at the same moment, each kind by one statement."""

    def __init__(self, read: Read[Any], start_task: StartTask) -> None:
        """Take the store's way to its readers, and what starts tasks of its own."""

        def gathering(
            query: Callable[
                [AsyncConnection, Sequence[Any]], Awaitable[dict[Any, Any]]
            ],
            **options: Any,
        ) -> Gathering[Any, Any]:
            return Gathering(
                lambda keys: read(lambda connection: query(connection, keys)),
                start_task,
                **options,
            )

        self.rows: Gathering[ConversationId, Conversation]
        self.rows = gathering(_rows, most=_KEYS_MAX)
        self.cursors: Gathering[ConversationId, list[Cursor]]
        self.cursors = gathering(_cursors, most=_KEYS_MAX)
        self.of_visitors: Gathering[ParticipantId, list[Conversation]]
        self.of_visitors = gathering(_of_visitors, most=_KEYS_MAX)
        self.records: Gathering[tuple[type[Record], int], Record]
        self.records = gathering(records_by_id, most=_KEYS_MAX)
        self.sessions: Gathering[str, AgentSession]
        self.sessions = gathering(sessions_by_hash, most=_KEYS_MAX)
        self.agents: Gathering[int, Agent]
        self.agents = gathering(agents_by_id, most=_KEYS_MAX)
        self.ranges: Gathering[Range, list[Message]]
        self.ranges = gathering(_ranges, most=_MESSAGES_MAX, weigh=_weigh)

    def close(self) -> None:
        """Refuse what waits; before the readers go away."""
        hello = (self.sessions, self.records, self.agents, self.of_visitors, self.rows)
        for gathering in (*hello, self.cursors, self.ranges):
            gathering.close()


def _weigh(wanted: Range) -> int:
    return max(wanted.last - wanted.first + 1, -(-_MESSAGES_MAX // _RANGES_MAX))


async def _rows(
    connection: AsyncConnection, ids: Sequence[ConversationId]
) -> dict[ConversationId, Conversation]:
    rows = (await connection.execute(_ROWS, {"ids": ids})).all()
    return {row.id: row for row in map(conversation_from, rows)}


async def _cursors(
    connection: AsyncConnection, ids: Sequence[ConversationId]
) -> dict[ConversationId, list[Cursor]]:
    found: dict[ConversationId, list[Cursor]] = {}
    for row in (await connection.execute(_CURSORS, {"ids": ids})).all():
        conversation = ConversationId(row[0])
        cursor = Cursor(
            conversation=conversation,
            participant=ParticipantId(row[1]),
            delivered=Seq(row[2]),
            read=Seq(row[3]),
        )
        found.setdefault(conversation, []).append(cursor)
    return found


async def _of_visitors(
    connection: AsyncConnection, visitors: Sequence[ParticipantId]
) -> dict[ParticipantId, list[Conversation]]:
    found: dict[ParticipantId, list[Conversation]] = {}
    rows = (await connection.execute(_OF_VISITORS, {"visitors": visitors})).all()
    for row in map(conversation_from, rows):
        found.setdefault(row.visitor, []).append(row)
    return found


async def _ranges(
    connection: AsyncConnection, ranges: Sequence[Range]
) -> dict[Range, list[Message]]:
    # A statement for each power of two, so that there are few to prepare.
    count = 1 << (len(ranges) - 1).bit_length()
    values: dict[str, int] = {}
    for place in range(count):
        wanted = ranges[min(place, len(ranges) - 1)]
        values[f"c{place}"] = wanted.conversation
        values[f"f{place}"] = wanted.first
        values[f"l{place}"] = wanted.last
    rows = (await connection.execute(_in_ranges(count), values)).all()
    logs: dict[ConversationId, list[Message]] = {}
    for message in map(checked_message_from, rows):
        logs.setdefault(message.conversation, []).append(message)
    found: dict[Range, list[Message]] = {}
    for wanted in ranges:
        log = logs.get(wanted.conversation, [])
        found[wanted] = [m for m in log if wanted.first <= m.seq <= wanted.last]
        found[wanted].sort(key=lambda message: message.seq)
    return found


@cache
def _in_ranges(count: int) -> Select[Any]:
    return _messages.where(
        or_(
            *(
                and_(
                    _m.conversation_id == bindparam(f"c{place}"),
                    _m.seq >= bindparam(f"f{place}"),
                    _m.seq <= bindparam(f"l{place}"),
                )
                for place in range(count)
            )
        )
    )
