"""One group commit on SQLite, as one function that runs in the connection's thread.

A statement through the async driver is a trip to its thread and back, some 40 µs of
two threads' time, and a transaction has six. The whole of it in one trip costs a
fifth for a lone message. `plan` is pure, so nothing here needs the event loop.
"""

import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from kefu_core.model import Conversation, Draft
from kefu_core.store.planner import Plan, is_storable, plan, seekers
from kefu_core.store.rows import (
    CHANGE_COLUMNS,
    CONVERSATION_COLUMNS,
    MESSAGE_COLUMNS,
    MESSAGE_INSERT_COLUMNS,
    TOUCH_COLUMNS,
    conversation_change,
    conversation_from,
    conversation_touch,
    label_rows,
    message_from,
    message_row,
)

_encode = msgspec.json.Encoder().encode

_ROWS = (
    f"SELECT {', '.join(CONVERSATION_COLUMNS)} FROM conversation "  # noqa: S608
    "WHERE id IN (SELECT value FROM json_each(?))"
)
# CROSS JOIN fixes the order of the join: one probe of the unique index for each key.
_KNOWN = (
    f"SELECT {', '.join('m.' + c for c in MESSAGE_COLUMNS)} "  # noqa: S608
    "FROM json_each(?) AS wanted CROSS JOIN message AS m "
    "ON m.conversation_id = json_extract(wanted.value, '$[0]') "
    "AND m.sender = json_extract(wanted.value, '$[1]') "
    "AND m.key = json_extract(wanted.value, '$[2]')"
)
_LOADS = (
    "SELECT assignee, count(*) FROM conversation WHERE status = 'active' "
    "AND assignee IN (SELECT value FROM json_each(?)) GROUP BY assignee"
)
_INSERT = (
    f"INSERT INTO message ({', '.join(MESSAGE_INSERT_COLUMNS)}) "  # noqa: S608
    f"VALUES ({', '.join('?' * len(MESSAGE_INSERT_COLUMNS))})"
)
_CHANGE = (
    f"UPDATE conversation SET {' = ?, '.join(CHANGE_COLUMNS)} = ? "  # noqa: S608
    "WHERE id = ?"
)
_TOUCH = (
    f"UPDATE conversation SET {' = ?, '.join(TOUCH_COLUMNS)} = ? "  # noqa: S608
    "WHERE id = ?"
)
_UNLABEL = "DELETE FROM conversation_label WHERE conversation_id = ?"
_LABEL = (
    "INSERT INTO conversation_label (conversation_id, label, active_at) "
    "VALUES (?, ?, ?)"
)


def commit_drafts(
    connection: sqlite3.Connection,
    drafts: Sequence[Draft],
    now_ms: Callable[[], int],
) -> Plan:
    """Store drafts in one transaction; returns after the COMMIT.

    Raises:
        sqlite3.Error, TypeError, ValueError: Nothing was stored, or, if it was the
            COMMIT that failed, nobody knows. The transaction may still be open.
    """
    conversations = _encode(sorted({d.conversation for d in drafts})).decode()
    keys = _encode(
        [(d.conversation, d.sender, d.key) for d in drafts if is_storable(d.key)]
    ).decode()
    # Locked first and read second: what is read here is what the commit builds on.
    connection.execute("BEGIN IMMEDIATE")
    rows = connection.execute(_ROWS, (conversations,)).fetchall()
    known = connection.execute(_KNOWN, (keys,)).fetchall()
    agents = seekers(drafts)
    planned = plan(
        drafts,
        {row[0]: conversation_from(row) for row in rows},
        [message_from(row) for row in known],
        now_ms(),
        dict(connection.execute(_LOADS, (_encode(agents).decode(),)).fetchall())
        if agents
        else None,
    )
    if planned.messages:
        connection.executemany(_INSERT, map(message_row, planned.messages))
        connection.executemany(_TOUCH, map(conversation_touch, planned.touched))
        if planned.conversations:
            _change(connection, planned.conversations)
    connection.execute("COMMIT")
    return planned


def _change(connection: sqlite3.Connection, rows: Sequence[Conversation]) -> None:
    connection.executemany(_CHANGE, map(conversation_change, rows))
    connection.executemany(_UNLABEL, ((row.id,) for row in rows))
    labels = [label for row in rows for label in label_rows(row)]
    connection.executemany(_LABEL, labels)
