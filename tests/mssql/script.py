"""What a scripted SQL Server has to say for a store to open, and to commit."""

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from kefu_core.limits import Limits
from kefu_core.model import Conversation, ConversationStatus, Message
from kefu_core.store import schema
from kefu_core.store.rows import CHECKED_COLUMNS, CONVERSATION_COLUMNS, message_row
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import draft
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs
from tests.mssql.server import BIGINT, Count, Refusal, Rows, ScriptedServer, text

EPOCH = "5cr1p7ed"
CONVERSATION = ConversationId(12)
NOW = UnixMs(1_800_000_000_000)
LOCK = r"UPDLOCK"
KNOWN = r"JOIN message AS m"
INSERT = r"INSERT INTO message "
TOUCH = r"UPDATE c SET"
_NUMBERS = {
    *("id", "site_id", "last_seq", "last_at", "waiting_since", "opened_at"),
    *("team_id", "queued_at", "first_reply_at", "closed_at", "untranslated"),
    *("conversation_id", "seq", "ref", "at", "digest"),
}


def conversation(**changes: Any) -> Conversation:
    """Return the row that the script has."""
    values: dict[str, Any] = {
        "id": CONVERSATION,
        "site_id": 1,
        "visitor": ParticipantId("v1"),
        "status": ConversationStatus.QUEUED,
        "last_seq": Seq(0),
        "last_at": NOW,
        "opened_at": NOW,
        "queued_at": NOW,
        **changes,
    }
    return Conversation(**values)


def conversation_rows(*rows: Conversation) -> Rows:
    """Answer with conversations, in the order of `CONVERSATION_COLUMNS`."""
    columns = [_column(name) for name in CONVERSATION_COLUMNS]
    return Rows(columns, [_values(row) for row in rows])


def message_rows(*rows: Message) -> Rows:
    """Answer with messages, in the order of `CHECKED_COLUMNS`."""
    columns = [_column(name) for name in CHECKED_COLUMNS]
    return Rows(columns, [message_row(row) for row in rows])


def _column(name: str) -> tuple[str, Any]:
    return name, BIGINT if name in _NUMBERS else text(4000)


def _values(row: Conversation) -> list[Any]:
    values = {name: getattr(row, name) for name in CONVERSATION_COLUMNS}
    values["labels"] = json.dumps(row.labels) if row.labels else None
    return [str(v) if isinstance(v, str) else v for v in values.values()]


def refuse_text(part: str, number: int) -> Callable[[Sequence[Any]], Any]:
    """Answer a write with this error where its values have this text in them."""

    def answer(values: Sequence[Any]) -> Any:
        has_it = any(part in value for value in values if isinstance(value, str))
        return Refusal(number) if has_it else Count(1)

    return answer


def teach(server: ScriptedServer) -> None:
    """Have a server hold an installation with one empty conversation."""
    title = [("name", text())]
    server.when(r"FROM sys\.objects", Rows(title, [["alembic_version"]]))
    server.when(
        "FROM alembic_version", Rows([("version_num", text())], [[schema.newest()]])
    )
    server.when("FROM installation", Rows([("epoch", text())], [[EPOCH]]))
    server.when(LOCK, conversation_rows(conversation()))
    server.when(KNOWN, message_rows())
    server.when(INSERT, Count(1))
    server.when(TOUCH, Count(1))


@asynccontextmanager
async def open_store(server: ScriptedServer, **limits: Any) -> AsyncIterator[SqlStore]:
    """Open the store that everybody gets by this server's URL."""
    teach(server)
    async with SqlStore(
        server.url(),
        limits=Limits(**limits),
        now=time.monotonic,
        now_ms=lambda: NOW,
    ) as store:
        # Connected before the test counts anything.
        await store.append(draft(CONVERSATION, 99))
        await store.ping()
        server.seen.clear()
        yield store
