"""Reads of many at once: subclass `ReadsContract` and give it an open store.

Each is answered as if it had been alone, and never with what was there before it asked.
"""

import random

import anyio
import msgspec
import pytest

from kefu_core.abc.store import Store
from kefu_core.model import Cursor, Message
from kefu_core.testing.stores import AGENT, SITE, VISITOR, draft
from kefu_core.types import ConversationId, ParticipantId, Seq

LOG = 12


class ReadsContract:
    """Tests that take a fixture `store` (open, empty)."""

    pytestmark = pytest.mark.anyio

    async def conversations(
        self, store: Store, count: int
    ) -> dict[ConversationId, list[Message]]:
        """Open conversations of visitors v1, v2 …, each with a log; return the logs."""
        await store.put_site(SITE)
        logs: dict[ConversationId, list[Message]] = {}
        for number in range(1, count + 1):
            who = ParticipantId(f"v{number}")
            person = msgspec.structs.replace(VISITOR, id=who)
            row = await store.open_conversation(SITE.id, person)
            logs[row.id] = []
            async with anyio.create_task_group() as tasks:
                for key in range(LOG):
                    one = draft(row.id, key, sender=who)
                    tasks.start_soon(store.append, one)
            logs[row.id] = await store.history(row.id)
        return logs

    async def test_rows_are_found_by_their_ids(self, store: Store) -> None:
        first, second, _ = await self.conversations(store, 3)
        unknown = ConversationId(999)
        found = await store.conversations_by_id([second, unknown, first, second])
        assert found == {
            first: await store.find_conversation(first),
            second: await store.find_conversation(second),
        }
        assert await store.conversations_by_id([]) == {}

    async def test_cursors_of_several_conversations_are_found_at_once(
        self, store: Store
    ) -> None:
        first, second, third = await self.conversations(store, 3)
        stored = [
            Cursor(
                conversation=conversation,
                participant=AGENT,
                delivered=Seq(2),
                read=Seq(1),
            )
            for conversation in (first, second, third)
        ]
        await store.advance_cursors(stored)
        found = await store.cursors(third, ConversationId(999), first)
        assert sorted(found, key=lambda c: c.conversation) == [stored[0], stored[2]]
        assert await store.cursors() == []

    async def test_pages_read_at_once_are_those_read_alone(self, store: Store) -> None:
        logs = await self.conversations(store, 9)
        rng = random.Random(1)
        wrong: list[str] = []

        async def read_after(conversation: ConversationId) -> None:
            after, limit = Seq(rng.randint(0, LOG + 1)), rng.randint(1, LOG)
            page = await store.history(conversation, after=after, limit=limit)
            if page != logs[conversation][after : after + limit]:
                wrong.append(f"{conversation} after {after}, {limit}: {page}")

        async def read_before(conversation: ConversationId) -> None:
            before, limit = Seq(rng.randint(1, LOG + 1)), rng.randint(1, LOG)
            page = await store.history(conversation, before=before, limit=limit)
            if page != logs[conversation][max(0, before - 1 - limit) : before - 1]:
                wrong.append(f"{conversation} before {before}, {limit}: {page}")

        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                for conversation in logs:
                    tasks.start_soon(read_after, conversation)
                    tasks.start_soon(read_before, conversation)
        assert wrong == []

    async def test_rows_visitors_and_cursors_read_at_once_are_those_read_alone(
        self, store: Store
    ) -> None:
        logs = await self.conversations(store, 20)
        wrong: list[str] = []

        async def read(number: int, conversation: ConversationId) -> None:
            who = ParticipantId(f"v{number}")
            row = await store.find_conversation(conversation)
            mine = await store.conversations_of_visitor(who)
            cursors = await store.cursors(conversation)
            if row is None or row.visitor != who or mine != [row] or cursors:
                wrong.append(f"{who}: {row}, {mine}, {cursors}")

        async with anyio.create_task_group() as tasks:
            for number, conversation in enumerate(logs, 1):
                for _ in range(3):
                    tasks.start_soon(read, number, conversation)
        assert wrong == []

    async def test_nobody_is_answered_with_what_was_read_before_it_asked(
        self, store: Store
    ) -> None:
        (conversation,) = await self.conversations(store, 1)
        stale: list[str] = []
        is_writing = True

        async def keep_reading() -> None:
            while is_writing:
                await store.history(conversation, after=Seq(LOG), limit=100)
                await store.find_conversation(conversation)
                await store.conversations_of_visitor(VISITOR.id)

        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(keep_reading)
            for number in range(LOG, LOG + 15):
                seq = (await store.append(draft(conversation, number))).message.seq
                page = await store.history(conversation, after=Seq(LOG), limit=100)
                row = await store.find_conversation(conversation)
                (mine,) = await store.conversations_of_visitor(VISITOR.id)
                heads = [page[-1].seq, row.last_seq if row else 0, mine.last_seq]
                if heads != [seq, seq, seq]:
                    stale.append(f"{seq}: {heads}")
            is_writing = False
        assert stale == []

    async def test_a_reader_that_goes_away_takes_nobody_along(
        self, store: Store
    ) -> None:
        logs = await self.conversations(store, 3)
        found: list[list[Message]] = []

        async def read(conversation: ConversationId) -> None:
            found.append(await store.history(conversation, after=Seq(0)))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                for conversation in logs:
                    with anyio.CancelScope() as scope:
                        scope.cancel()
                        await store.history(conversation, after=Seq(0))
                    tasks.start_soon(read, conversation)
        assert len(found) == 15
        assert all(log in logs.values() for log in found)
