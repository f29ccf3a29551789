"""One group commit over a network: five statements however many messages.

::

    BEGIN ─▶ lock the rows ─▶ look up the keys ─▶ plan ─▶ INSERT ─▶ UPDATE ─▶ COMMIT

Rows are locked first, in the order of their ids, and everything else is read after: at
READ COMMITTED a statement sees what was committed before it began, so nothing that is
read can be older than the lock. A row that somebody else holds is left for the next
transaction instead of waited for: a stuck row delays its own conversation and no other.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kefu_core.model import Draft
from kefu_core.store.planner import Plan, is_storable, plan
from kefu_core.store.rows import (
    conversation_change,
    conversation_from,
    conversation_touch,
    label_rows,
    message_from,
    message_row,
)
from kefu_core.store.writing import Committed, DraftWriter, Faults
from kefu_core.types import ConversationId

Statement = tuple[str, tuple[Any, ...]]
"""Text in the driver's own style, and its values."""
Rows = Sequence[Sequence[Any]]


class Statements(ABC):
    """The statements of a group commit in one engine's words.

    Values come as in `store.rows`; a method that writes may return several statements
    where the engine limits the values of one.
    """

    @abstractmethod
    def lock(self, ids: Sequence[int]) -> Statement:
        """Lock and read conversations in id order, leaving out those held by others."""

    @abstractmethod
    def existing(self, ids: Sequence[int]) -> Statement:
        """Read which of these exist, without waiting for anybody."""

    @abstractmethod
    def known(self, keys: Rows) -> Statement:
        """Read the messages stored under (conversation, sender, key)."""

    @abstractmethod
    def insert(self, rows: Rows) -> list[Statement]:
        """Insert messages."""

    @abstractmethod
    def change(self, rows: Rows) -> list[Statement]:
        """Write `CHANGE_COLUMNS` of conversations; the id comes last."""

    @abstractmethod
    def touch(self, rows: Rows) -> list[Statement]:
        """Write `TOUCH_COLUMNS` of conversations; the id comes last."""

    @abstractmethod
    def unlabel(self, ids: Sequence[int]) -> Statement:
        """Delete the labels of conversations."""

    @abstractmethod
    def label(self, rows: Rows) -> list[Statement]:
        """Insert (conversation, label, active_at)."""


class BatchWriter(DraftWriter):
    """Commits drafts by an engine's `Statements`."""

    def __init__(
        self,
        engine: AsyncEngine,
        faults: Faults,
        statements: Statements,
    ) -> None:
        super().__init__(engine, faults)
        self._statements = statements

    async def _commit(
        self, drafts: Sequence[Draft], now_ms: Callable[[], int]
    ) -> Committed:
        connection = await self.connect()
        # Leaving the block commits, or rolls back on any error.
        async with connection.begin():
            return await self._store(connection, drafts, now_ms)

    async def _roll_back(self) -> None:
        # The block has rolled back by itself.
        pass

    async def _store(
        self,
        connection: AsyncConnection,
        drafts: Sequence[Draft],
        now_ms: Callable[[], int],
    ) -> Committed:
        ids = sorted({draft.conversation for draft in drafts})
        found = await _rows(connection, self._statements.lock(ids))
        rows = {row[0]: conversation_from(row) for row in found}
        deferred: frozenset[ConversationId] = frozenset()
        if len(rows) < len(ids):
            missing = [number for number in ids if number not in rows]
            held = await _rows(connection, self._statements.existing(missing))
            deferred = frozenset(ConversationId(row[0]) for row in held)
            drafts = [d for d in drafts if d.conversation not in deferred]
        keys = [
            (draft.conversation, draft.sender, draft.key)
            for draft in drafts
            if draft.conversation in rows
            and is_storable(draft.key)
            and is_storable(draft.sender)
        ]
        known = await _rows(connection, self._statements.known(keys)) if keys else []
        planned = plan(drafts, rows, [message_from(row) for row in known], now_ms())
        await self._write(connection, planned)
        return Committed(plan=planned, deferred=deferred)

    async def _write(self, connection: AsyncConnection, planned: Plan) -> None:
        words = self._statements
        todo: list[Statement] = []
        if planned.messages:
            todo += words.insert([message_row(each) for each in planned.messages])
        if planned.touched:
            todo += words.touch([conversation_touch(row) for row in planned.touched])
        if changed := planned.conversations:
            todo += words.change([conversation_change(row) for row in changed])
            # The rows were told apart by their locks, so nobody else labels them now.
            todo.append(words.unlabel([row.id for row in changed]))
            labels = [label for row in changed for label in label_rows(row)]
            todo += words.label(labels) if labels else []
        for text, values in todo:
            await connection.exec_driver_sql(text, values)


async def _rows(connection: AsyncConnection, statement: Statement) -> Rows:
    text, values = statement
    rows: Any = (await connection.exec_driver_sql(text, values)).all()
    return cast(Rows, rows)
