"""Continuing a log by messages that have their seqs and times already."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.abc.upkeep import Imported, LogPiece
from kefu_core.folding import active_at
from kefu_core.model import Conversation, Message, Person
from kefu_core.store import tables as t
from kefu_core.store.erasing import locked
from kefu_core.store.joining import Joined, join
from kefu_core.store.putting import insert_row
from kefu_core.store.rows import (
    CHANGE_COLUMNS,
    CONVERSATION_COLUMNS,
    MESSAGE_COLUMNS,
    MESSAGE_INSERT_COLUMNS,
    conversation_change,
    conversation_from,
    label_rows,
    message_from,
    message_row,
)
from kefu_core.types import ParticipantId, Seq

_c, _m = t.conversation.c, t.message.c
_LOCKED = locked(
    select(*(_c[name] for name in CONVERSATION_COLUMNS), _c.kept_from).where(
        _c.id == bindparam("conversation")
    )
)
_STORED = select(*(_m[name] for name in MESSAGE_COLUMNS)).where(
    _m.conversation_id == bindparam("conversation"),
    _m.seq >= bindparam("first"),
    _m.seq <= bindparam("last"),
)
_TAKEN = select(_m.sender, _m.key, _m.seq).where(
    _m.conversation_id == bindparam("conversation"),
    _m.key.in_(bindparam("keys", expanding=True)),
)
_LABEL_COLUMNS = ("conversation_id", "label", "active_at")


async def import_logs(
    connection: AsyncConnection, pieces: Sequence[LogPiece]
) -> list[Imported]:
    """Continue logs, making them first; see `Upkeep.import_logs`."""
    # Locked one after the other in the order of their ids, as everywhere.
    in_order = sorted(range(len(pieces)), key=lambda at: pieces[at].opened.id)
    done = {at: await _import(connection, pieces[at]) for at in in_order}
    return [done[at] for at in range(len(pieces))]


async def _import(connection: AsyncConnection, piece: LogPiece) -> Imported:
    opened = piece.opened
    found = await _find(connection, opened)
    is_new = found is None
    if found is None:
        if not await _open(connection, opened, piece.visitor):
            return Imported(fault="there is no such site")
        found = await _find(connection, opened)
        assert found is not None, "the conversation was just inserted"
    row, kept_from = conversation_from(found[:-1]), found[-1]
    if (row.site_id, row.visitor) != (opened.site_id, opened.visitor):
        return Imported(fault="the conversation here is of another visitor or site")
    stored: dict[Seq, Message] = {}
    taken: dict[tuple[ParticipantId, str], Seq] = {}
    if row.last_seq and piece.messages:
        stored, taken = await _related(connection, piece.messages)
    joined = join(row, stored, taken, piece.messages)
    if joined.messages:
        await _write(connection, row, joined, kept_from)
    return Imported(
        is_new=is_new, messages=len(joined.messages), fault=joined.fault, at=joined.at
    )


async def _find(connection: AsyncConnection, opened: Conversation) -> Row[Any] | None:
    rows = await connection.execute(_LOCKED, {"conversation": opened.id})
    found: Row[Any] | None = rows.first()
    return found


async def _open(
    connection: AsyncConnection, opened: Conversation, visitor: Person
) -> bool:
    """Make a conversation and its visitor; False where there is no such site."""
    site = select(t.site.c.id).where(t.site.c.id == opened.site_id)
    if (await connection.execute(site)).first() is None:
        return False
    await insert_row(
        connection,
        t.visitor,
        {
            "id": int(visitor.id[1:]),
            "site_id": opened.site_id,
            "name": visitor.name,
            "created_at": opened.opened_at,
        },
    )
    await insert_row(
        connection,
        t.conversation,
        {
            "id": opened.id,
            "site_id": opened.site_id,
            "visitor": opened.visitor,
            "status": str(opened.status),
            "last_seq": 0,
            "last_at": opened.opened_at,
            "last_line": "",
            "opened_at": opened.opened_at,
            "active_at": active_at(opened.opened_at),
            "kept_from": opened.opened_at,
        },
    )
    return True


async def _related(
    connection: AsyncConnection, messages: Sequence[Message]
) -> tuple[dict[Seq, Message], dict[tuple[ParticipantId, str], Seq]]:
    conversation = messages[0].conversation
    span = {
        "conversation": conversation,
        "first": messages[0].seq,
        "last": messages[-1].seq,
    }
    keys = {"conversation": conversation, "keys": [m.key for m in messages]}
    stored = (await connection.execute(_STORED, span)).all()
    taken = (await connection.execute(_TAKEN, keys)).all()
    return (
        {Seq(row.seq): message_from(row) for row in stored},
        {(ParticipantId(row.sender), row.key): Seq(row.seq) for row in taken},
    )


async def _write(
    connection: AsyncConnection, before: Conversation, joined: Joined, kept_from: int
) -> None:
    row, messages = joined.row, joined.messages
    await connection.execute(
        insert(t.message),
        [
            dict(zip(MESSAGE_INSERT_COLUMNS, message_row(message), strict=True))
            for message in messages
        ],
    )
    changes = dict(zip(CHANGE_COLUMNS, conversation_change(row)[:-1], strict=True))
    # Where retention was done with the log, it now has something older again.
    changes["kept_from"] = min(kept_from, messages[0].at)
    await connection.execute(
        update(t.conversation).where(_c.id == row.id).values(**changes)
    )
    labels = t.conversation_label
    if before.labels:
        of_it = labels.c.conversation_id == row.id
        await connection.execute(delete(labels).where(of_it))
    if row.labels:
        await connection.execute(
            insert(labels),
            [dict(zip(_LABEL_COLUMNS, each, strict=True)) for each in label_rows(row)],
        )
