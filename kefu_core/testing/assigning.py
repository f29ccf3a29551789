"""What conditions and the queue must do in every store."""

import anyio
import pytest

from kefu_core.abc.store import Store
from kefu_core.errors import Conflict
from kefu_core.model import (
    Agent,
    Conversation,
    Draft,
    Given,
    MessageKind,
    Person,
    Role,
)
from kefu_core.records import AgentPresence, AgentStatus
from kefu_core.testing.stores import AGENT, SITE, Clock, draft
from kefu_core.types import ConversationId, ParticipantId, UnixMs


class AssigningContract:
    """Tests that take fixtures `store` (open, empty) and `clock` (settable)."""

    async def queued(self, store: Store, count: int) -> list[Conversation]:
        """Return conversations of as many visitors, all waiting."""
        await store.put_site(SITE)
        rows = []
        for number in range(1, count + 1):
            visitor = Person(id=ParticipantId(f"v{number}"), name="", role=Role.VISITOR)
            row = await store.open_conversation(SITE.id, visitor)
            appended = await store.append(draft(row.id, sender=visitor.id))
            assert appended.conversation is not None
            rows.append(appended.conversation)
        return rows

    def assignment(
        self, row: Conversation, to: str | None, capacity: int = 0, team: int = 0
    ) -> Draft:
        """Return a draft that holds only while the row is as it was read."""
        return draft(
            row.id,
            sender=AGENT,
            key=f"to {to} {row.last_seq}",
            body="",
            kind=MessageKind.ASSIGNMENT,
            data={"assignee": to, "team": team},
            given=Given(
                status=row.status,
                assignee=row.assignee,
                team_id=row.team_id,
                capacity=capacity,
            ),
        )

    async def test_of_two_who_decide_by_the_same_row_one_is_refused(
        self, store: Store
    ) -> None:
        [row] = await self.queued(store, 1)
        outcomes: list[str] = []

        async def give(to: str) -> None:
            try:
                await store.append(self.assignment(row, to))
            except Conflict:
                outcomes.append("refused")
            else:
                outcomes.append(to)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(give, "a7")
            tasks.start_soon(give, "a8")
        assert "refused" in outcomes
        found = await store.find_conversation(row.id)
        assert found is not None
        assert sorted([str(found.assignee), "refused"]) == sorted(outcomes)
        assert found.last_seq == 2

    async def test_a_repeated_key_is_answered_whatever_its_condition(
        self, store: Store
    ) -> None:
        [row] = await self.queued(store, 1)
        first = await store.append(self.assignment(row, "a7"))
        again = await store.append(self.assignment(row, "a7"))
        assert (again.duplicate, again.message) == (True, first.message)

    async def test_nobody_gets_more_than_its_capacity(self, store: Store) -> None:
        await store.put_agent(
            Agent(id=7, login="a", name="A", password_hash="-", capacity=2)
        )
        rows = await self.queued(store, 5)
        given: list[ConversationId] = []

        async def give(row: Conversation) -> None:
            try:
                await store.append(self.assignment(row, "a7", capacity=2))
            except Conflict:
                return
            given.append(row.id)

        async with anyio.create_task_group() as tasks:
            for row in rows:
                tasks.start_soon(give, row)
        assert len(given) == 2
        assert await store.count_answered() == {AGENT: 2}
        mine = await store.list_answered(AGENT, limit=10)
        assert [row.id for row in mine] == sorted(given)
        close = draft(given[0], 9, sender=AGENT, kind=MessageKind.CLOSE, body="")
        await store.append(close)
        rest = next(row for row in rows if row.id not in given)
        await store.append(self.assignment(rest, "a7", capacity=2))
        assert await store.count_answered() == {AGENT: 2}

    async def test_what_is_said_to_who_waits_is_not_said_to_who_was_answered(
        self, store: Store
    ) -> None:
        [row] = await self.queued(store, 1)

        def said(key: str) -> Draft:
            given = Given(
                status=row.status,
                assignee=row.assignee,
                team_id=row.team_id,
                waiting_since=row.waiting_since,
            )
            return draft(
                row.id, sender=AGENT, key=key, kind=MessageKind.AUTO, given=given
            )

        told = (await store.append(said("one"))).conversation
        assert told is not None
        # It is no answer: the visitor waits on.
        assert told.waiting_since == row.waiting_since
        assert (told.first_reply_at, told.queued_at) == (0, row.queued_at)
        await store.append(draft(row.id, 9, sender=AGENT, body="yes"))
        with pytest.raises(Conflict):
            await store.append(said("two"))

    async def test_the_queue_is_in_the_order_of_coming(
        self, store: Store, clock: Clock
    ) -> None:
        rows = await self.queued(store, 3)
        silent = Person(id=ParticipantId("v9"), name="", role=Role.VISITOR)
        await store.open_conversation(SITE.id, silent)
        waiting = await store.list_queued(limit=10)
        assert waiting == sorted(rows, key=lambda row: (row.queued_at, row.id))
        await store.append(self.assignment(rows[0], "a7"))
        rest = [row.id for row in await store.list_queued(limit=10)]
        assert sorted(rest) == sorted(row.id for row in rows[1:])
        [first] = await store.list_queued(limit=1)
        place = first.queued_at, first.id
        assert [first, *await store.list_queued(after=place, limit=9)] == (
            await store.list_queued(limit=10)
        )
        found = await store.find_conversation(rows[0].id)
        assert found is not None
        clock.ms += 5
        await store.append(self.assignment(found, None, team=5))
        # Nobody has answered it, so it stands where it stood.
        queue = await store.list_queued(limit=10)
        assert [row.id for row in queue] == [row.id for row in waiting]
        assert {row.id: row.team_id for row in queue}[rows[0].id] == 5

    async def test_a_lease_is_renewed_and_never_shortened(self, store: Store) -> None:
        await store.renew_presence([7, 8], until=UnixMs(100), now=UnixMs(1))
        chosen = AgentPresence(
            id=8,
            status=AgentStatus.AWAY,
            lease_until=UnixMs(100),
            changed_at=UnixMs(50),
        )
        await store.put_records(chosen)
        await store.renew_presence([8], until=UnixMs(90), now=UnixMs(60))
        assert await store.find_record(AgentPresence, 8) == chosen
        await store.renew_presence([7, 8], until=UnixMs(200), now=UnixMs(70))
        found = await store.list_records(AgentPresence, after=0)
        assert [(p.id, p.status, p.lease_until, p.changed_at) for p in found] == [
            (7, AgentStatus.ONLINE, 200, 1),
            (8, AgentStatus.AWAY, 200, 50),
        ]
        await store.renew_presence([], until=UnixMs(300), now=UnixMs(80))
