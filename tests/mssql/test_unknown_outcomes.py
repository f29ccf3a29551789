"""Connections cut at every statement and on both sides of a COMMIT: nothing is lost or
doubled.

The script keeps a log here: what a transaction inserts is part of it from COMMIT on,
and is found by its key from then on. What SQL Server would do is not shown by it.
"""

import json
import random
from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from kefu_core.model import Appended
from kefu_core.store.rows import message_from
from kefu_core.testing.stores import draft
from kefu_core.types import Seq
from tests.mssql.script import (
    CONVERSATION,
    INSERT,
    KNOWN,
    LOCK,
    TOUCH,
    conversation,
    conversation_rows,
    message_rows,
    open_store,
)
from tests.mssql.server import Count, Cut, ScriptedServer

pytestmark = pytest.mark.anyio
CUTS = 20
MESSAGES = 60


class ScriptedLog:
    """One conversation's log, behind a server that is cut off again and again."""

    def __init__(self, seed: int) -> None:
        self.rows: list[list[Any]] = []
        self.cuts = 0
        self._pending: list[list[Any]] = []
        self._rng = random.Random(seed)

    def teach(self, server: ScriptedServer) -> None:
        """Have a server answer from this log."""
        server.when(LOCK, self._lock)
        server.when(KNOWN, self._known)
        server.when(INSERT, self._insert)
        server.when(TOUCH, lambda values: self._or_cut(Count(1)))
        server.when("^COMMIT$", self._commit)
        server.when("^ROLLBACK$", self._roll_back)

    def _or_cut(self, answer: Any, odds: float = 0.1) -> Any:
        if self.cuts < CUTS and self._rng.random() < odds:
            self.cuts += 1
            self._pending = []
            return Cut()
        return answer

    def _lock(self, values: Sequence[Any]) -> Any:
        self._pending = []
        row = conversation(last_seq=Seq(len(self.rows)))
        return self._or_cut(conversation_rows(row))

    def _known(self, values: Sequence[Any]) -> Any:
        wanted = {tuple(key) for key in json.loads(values[0])}
        found = [row for row in self.rows if (row[0], row[2], row[3]) in wanted]
        return self._or_cut(message_rows(*(message_from(row[:-1]) for row in found)))

    def _insert(self, values: Sequence[Any]) -> Any:
        self._pending = json.loads(values[0])
        return self._or_cut(Count(len(self._pending)))

    def _commit(self, values: Sequence[Any]) -> Any:
        before = self._or_cut(None, odds=0.3)
        if before is not None:
            return before
        self.rows += self._pending
        self._pending = []
        return self._or_cut(None, odds=0.4)

    def _roll_back(self, values: Sequence[Any]) -> Any:
        self._pending = []


@pytest.mark.parametrize("seed", range(2))
async def test_every_key_is_stored_once_and_answered_once(
    server: ScriptedServer, seed: int
) -> None:
    log = ScriptedLog(seed)
    answers: dict[str, Appended] = {}
    async with open_store(server, appender_wait_s=100.0) as store:
        log.teach(server)

        async def send(sender: int) -> None:
            for number in range(sender, MESSAGES, 3):
                one = draft(CONVERSATION, number)
                assert one.key not in answers
                answers[one.key] = await store.append(one)

        with anyio.fail_after(100):
            async with anyio.create_task_group() as tasks:
                for sender in range(3):
                    tasks.start_soon(send, sender)
    assert log.cuts == CUTS
    assert [row[1] for row in log.rows] == list(range(1, MESSAGES + 1))
    stored = {row[3]: row[1] for row in log.rows}
    assert len(stored) == MESSAGES
    assert {key: one.message.seq for key, one in answers.items()} == stored
    assert any(one.duplicate for one in answers.values()), "no COMMIT was in doubt"
