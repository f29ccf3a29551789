"""One group commit over a network: five statements however many messages. Pure.

::

    BEGIN ─▶ lock the rows ─▶ look up the keys ─▶ plan ─▶ INSERT ─▶ UPDATE ─▶ COMMIT

Where an agent gets a conversation and has a capacity, the agent is locked before, and
counted after: two nodes that give to the same agent at once do so one after the other.

Rows are locked first, in the order of their ids, and everything else is read after: at
READ COMMITTED a statement sees what was committed before it began, so nothing that is
read can be older than the lock. A row that somebody else holds is left for the next
transaction instead of waited for: a stuck row delays its own conversation and no other.

`group_commit` says what to ask and is told the answers; `store.dialects.drivers` do the
asking, each in its driver's cheapest way.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from typing import Any

from kefu_core.model import Draft
from kefu_core.store.planner import Plan, is_storable, plan, seekers
from kefu_core.store.rows import (
    conversation_change,
    conversation_from,
    conversation_touch,
    label_rows,
    message_from,
    message_row,
)
from kefu_core.store.writing import Committed
from kefu_core.types import ConversationId, ParticipantId

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
    def wait(self, ids: Sequence[int]) -> list[Statement]:
        """Lock and read as `lock` does, but wait a moment for those held by others.

        The last statement reads; an error that is `Fault.HELD` says that it was held.
        """

    @abstractmethod
    def existing(self, ids: Sequence[int]) -> Statement:
        """Read which of these exist, without waiting for anybody."""

    @abstractmethod
    def known(self, keys: Rows) -> Statement:
        """Read the messages stored under (conversation, sender, key)."""

    @abstractmethod
    def seat(self, agents: Sequence[int]) -> Statement:
        """Lock agents in id order, waiting a moment for those held by others."""

    @abstractmethod
    def loads(self, agents: Sequence[str]) -> Statement:
        """Read (assignee, how many conversations it answers) of those who answer any.

        At READ COMMITTED, and after `seat`: nobody else gets one until the commit.
        """

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


Steps = Generator[Statement, Rows, Committed]
"""Yields what to ask, is sent the rows that came back, returns what to commit."""


def group_commit(
    words: Statements,
    drafts: Sequence[Draft],
    now_ms: Callable[[], int],
    *,
    is_waiting: bool = False,
) -> Steps:
    """Decide one transaction, step by step; whoever drives it begins and commits.

    Args:
        words: The statements of an engine.
        drafts: In order.
        now_ms: Unix milliseconds; read once the rows are locked.
        is_waiting: Wait for rows that are held instead of leaving them out.
    """
    agents = seekers(drafts)
    if agents:
        # First of all, in every transaction that needs them, so that none waits for a
        # row while another holds that row and waits for the agent.
        yield words.seat([int(who[1:]) for who in agents])
    ids = sorted({draft.conversation for draft in drafts})
    found: Rows = ()
    for statement in words.wait(ids) if is_waiting else [words.lock(ids)]:
        found = yield statement
    rows = {ConversationId(row[0]): conversation_from(row) for row in found}
    deferred: frozenset[ConversationId] = frozenset()
    if len(rows) < len(ids):
        held = yield words.existing([number for number in ids if number not in rows])
        deferred = frozenset(ConversationId(row[0]) for row in held)
        drafts = [d for d in drafts if d.conversation not in deferred]
    keys = [
        (draft.conversation, draft.sender, draft.key)
        for draft in drafts
        if draft.conversation in rows
        and is_storable(draft.key)
        and is_storable(draft.sender)
    ]
    known = (yield words.known(keys)) if keys else ()
    loads = (yield words.loads(agents)) if agents else ()
    stored = [message_from(row) for row in known]
    load = {ParticipantId(row[0]): int(row[1]) for row in loads}
    planned = plan(drafts, rows, stored, now_ms(), load)
    for statement in _writes(words, planned):
        yield statement
    return Committed(plan=planned, deferred=deferred)


def _writes(words: Statements, planned: Plan) -> list[Statement]:
    todo: list[Statement] = []
    if planned.messages:
        todo += words.insert([message_row(each) for each in planned.messages])
    if planned.touched:
        todo += words.touch([conversation_touch(row) for row in planned.touched])
    if changed := planned.conversations:
        todo += words.change([conversation_change(row) for row in changed])
        # The rows are locked, so nobody else labels them now.
        todo.append(words.unlabel([row.id for row in changed]))
        labels = [label for row in changed for label in label_rows(row)]
        todo += words.label(labels) if labels else []
    return todo
