"""Reading the log and the conversations: by keyset, never by offset or a full count."""

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.model import (
    SPOKEN_KINDS,
    Conversation,
    ConversationStatus,
    Message,
)
from kefu_core.store import tables as t
from kefu_core.store.documents import chunks
from kefu_core.store.rows import (
    CHECKED_COLUMNS,
    CONVERSATION_COLUMNS,
    checked_message_from,
    conversation_from,
)
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

_m, _c, _p = t.message.c, t.conversation.c, t.participant.c
_messages = select(*(_m[name] for name in CHECKED_COLUMNS))
_conversations = select(*(_c[name] for name in CONVERSATION_COLUMNS))

_AFTER = (
    _messages.where(
        _m.conversation_id == bindparam("conversation"), _m.seq > bindparam("seq")
    )
    .order_by(_m.seq)
    .limit(bindparam("limit"))
)
_BEFORE = (
    _messages.where(
        _m.conversation_id == bindparam("conversation"), _m.seq < bindparam("seq")
    )
    .order_by(_m.seq.desc())
    .limit(bindparam("limit"))
)
_SEQ_MAX = 2**53
SPOKEN = [str(kind) for kind in sorted(SPOKEN_KINDS)]

_read_by_agents = (
    select(func.coalesce(func.max(_p.read), 0))
    .where(_p.conversation_id == _m.conversation_id, _p.participant.like("a%"))
    .scalar_subquery()
)
_UNREAD = (
    select(_m.conversation_id, func.count())
    .where(
        _m.conversation_id.in_(bindparam("ids", expanding=True)),
        _m.kind.in_(SPOKEN),
        _m.sender.like("v%"),
        _m.seq > _read_by_agents,
    )
    .group_by(_m.conversation_id)
)


async def page(
    connection: AsyncConnection,
    conversation: ConversationId,
    after: Seq | None,
    before: Seq | None,
    limit: int,
) -> list[Message]:
    """Return a contiguous page, ascending; see `Store.history`."""
    values = {"conversation": conversation, "limit": limit}
    if after is not None:
        rows = (await connection.execute(_AFTER, {**values, "seq": after})).all()
        return [checked_message_from(row) for row in rows]
    upper = before if before is not None else _SEQ_MAX
    rows = (await connection.execute(_BEFORE, {**values, "seq": upper})).all()
    return [checked_message_from(row) for row in reversed(rows)]


async def heads(
    connection: AsyncConnection, conversations: Sequence[ConversationId]
) -> dict[ConversationId, Seq]:
    """Return the last seqs of those that exist."""
    found: dict[ConversationId, Seq] = {}
    for ids in chunks(conversations):
        query = select(_c.id, _c.last_seq).where(_c.id.in_(ids))
        rows = (await connection.execute(query)).all()
        found.update({ConversationId(row[0]): Seq(row[1]) for row in rows})
    return found


async def find_all(
    connection: AsyncConnection, conversations: Sequence[ConversationId]
) -> list[Conversation]:
    """Return those of these that exist, in any order."""
    found: list[Conversation] = []
    for ids in chunks(conversations):
        rows = (await connection.execute(_conversations.where(_c.id.in_(ids)))).all()
        found += [conversation_from(row) for row in rows]
    return found


async def still_open(connection: AsyncConnection, limit: int) -> list[Conversation]:
    """Return queued and active conversations, oldest waiting first."""
    open_statuses = [str(ConversationStatus.QUEUED), str(ConversationStatus.ACTIVE)]
    query = (
        _conversations.where(_c.status.in_(open_statuses))
        .order_by(
            case((_c.waiting_since.is_(None), 1), else_=0),
            func.coalesce(_c.waiting_since, _c.last_at),
            _c.id,
        )
        .limit(limit)
    )
    rows = (await connection.execute(query)).all()
    return [conversation_from(row) for row in rows]


async def queued(
    connection: AsyncConnection,
    after: tuple[UnixMs, ConversationId] | None,
    limit: int,
) -> list[Conversation]:
    """Return those that wait in the queue, the longest waiting first."""
    at, last_id = after or (0, 0)
    query = (
        _conversations.where(
            _c.status == str(ConversationStatus.QUEUED),
            _c.queued_at > 0,
            or_(_c.queued_at > at, and_(_c.queued_at == at, _c.id > last_id)),
        )
        .order_by(_c.queued_at, _c.id)
        .limit(limit)
    )
    rows = (await connection.execute(query)).all()
    return [conversation_from(row) for row in rows]


async def answered_by(
    connection: AsyncConnection, assignee: ParticipantId, limit: int
) -> list[Conversation]:
    """Return an agent's active conversations, in the order of their ids."""
    query = (
        _conversations.where(
            _c.status == str(ConversationStatus.ACTIVE), _c.assignee == assignee
        )
        .order_by(_c.id)
        .limit(limit)
    )
    rows = (await connection.execute(query)).all()
    return [conversation_from(row) for row in rows]


async def count_answered(connection: AsyncConnection) -> dict[ParticipantId, int]:
    """Return how many active conversations each agent has who has any."""
    query = (
        select(_c.assignee, func.count())
        .where(_c.status == str(ConversationStatus.ACTIVE), _c.assignee.is_not(None))
        .group_by(_c.assignee)
    )
    rows = (await connection.execute(query)).all()
    return {ParticipantId(row[0]): int(row[1]) for row in rows}


async def unread(
    connection: AsyncConnection, conversations: Sequence[ConversationId]
) -> dict[ConversationId, int]:
    """Return how many visitor texts no agent has read."""
    counts = dict.fromkeys(conversations, 0)
    for ids in chunks(conversations):
        rows = (await connection.execute(_UNREAD, {"ids": list(ids)})).all()
        counts.update({ConversationId(row[0]): int(row[1]) for row in rows})
    return counts
