"""What every store must do: subclass `StoreContract` and give it an open store."""

import random
import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Outcome, PendingAppend, Store
from kefu_core.errors import Busy, Conflict, Invalid, NotFound, OutOfOrder
from kefu_core.model import (
    Agent,
    AgentSession,
    Appended,
    ConversationStatus,
    Cursor,
    Draft,
    MessageKind,
    Person,
    Role,
    Site,
)
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

VISITOR = Person(id=ParticipantId("v1"), name="访客", role=Role.VISITOR)
AGENT = ParticipantId("a7")
SITE = Site(id=1, name="shop", embed_key="k", allowed_origins=("https://a.example",))


def draft(conversation: ConversationId, number: int = 1, **changes: Any) -> Draft:
    """Return a draft whose key and body name its number."""
    values: dict[str, Any] = {
        "conversation": conversation,
        "sender": VISITOR.id,
        "key": f"k{number}",
        "body": f"m{number}",
        **changes,
    }
    return Draft(**values)


class StoreContract:
    """Tests that take fixtures `store` (open, empty) and `clock` (settable)."""

    pytestmark = pytest.mark.anyio

    async def conversation(self, store: Store) -> ConversationId:
        await store.put_site(SITE)
        return (await store.open_conversation(SITE.id, VISITOR)).id

    # -- the log -----------------------------------------------------------------------

    async def test_seqs_are_one_two_three(self, store: Store) -> None:
        conversation = await self.conversation(store)
        appended = [await store.append(draft(conversation, n)) for n in range(1, 6)]
        assert [a.message.seq for a in appended] == [1, 2, 3, 4, 5]
        assert not any(a.duplicate for a in appended)
        log = await store.history(conversation, after=Seq(0))
        assert log == [a.message for a in appended]
        assert await store.heads([conversation]) == {conversation: 5}

    async def test_a_message_comes_back_as_it_was(self, store: Store) -> None:
        conversation = await self.conversation(store)
        whole = draft(
            conversation, body="发货😀\n'\"\\", data={"a": [1, None]}, ref=Seq(1)
        )
        message = (await store.append(whole)).message
        assert await store.history(conversation) == [message]
        assert (message.body, message.data, message.ref) == (
            whole.body,
            whole.data,
            whole.ref,
        )

    async def test_a_repeated_key_returns_the_first_seq(self, store: Store) -> None:
        conversation = await self.conversation(store)
        first = await store.append(draft(conversation, 1))
        await store.append(draft(conversation, 2))
        again = await store.append(draft(conversation, 1))
        assert again.duplicate
        assert again.message == first.message
        assert await store.heads([conversation]) == {conversation: 2}

    async def test_a_key_belongs_to_its_sender_and_conversation(
        self, store: Store
    ) -> None:
        conversation = await self.conversation(store)
        await store.append(draft(conversation))
        other = await store.append(draft(conversation, sender=AGENT))
        assert other.message.seq == 2

    async def test_a_key_with_other_content_is_a_conflict(self, store: Store) -> None:
        conversation = await self.conversation(store)
        await store.append(draft(conversation))
        for change in ({"body": "x"}, {"data": {"a": 1}}, {"ref": Seq(1)}):
            with pytest.raises(Conflict):
                await store.append(draft(conversation, **change))
        assert await store.heads([conversation]) == {conversation: 1}

    async def test_an_unknown_conversation_is_not_found(self, store: Store) -> None:
        with pytest.raises(NotFound):
            await store.append(draft(ConversationId(999)))
        assert await store.history(ConversationId(999)) == []
        assert await store.find_conversation(ConversationId(999)) is None

    async def test_concurrent_appends_leave_no_gap_and_keep_each_senders_order(
        self, store: Store
    ) -> None:
        conversation = await self.conversation(store)
        outcomes: list[Outcome] = []
        for number in range(300):
            sender = ParticipantId(f"v{number % 3 + 1}")
            one = draft(conversation, number, sender=sender)
            store.submit(_pending(one, lambda _, outcome: outcomes.append(outcome)))
        with anyio.fail_after(10):
            while len(outcomes) < 300:
                await anyio.sleep(0.001)
        log = [m for n in (0, 100, 200) for m in await _after(store, conversation, n)]
        assert [m.seq for m in log] == list(range(1, 301))
        for sender_number in (1, 2, 3):
            mine = [int(m.key[1:]) for m in log if m.sender == f"v{sender_number}"]
            assert mine == sorted(mine)
        seqs = [o.message.seq for o in outcomes if isinstance(o, Appended)]
        assert seqs == list(range(1, 301))

    async def test_the_same_key_twice_in_one_batch_is_one_message(
        self, store: Store
    ) -> None:
        conversation = await self.conversation(store)
        outcomes: list[Outcome] = []
        for _ in range(3):
            one = draft(conversation)
            store.submit(_pending(one, lambda _, outcome: outcomes.append(outcome)))
        await store.append(draft(conversation, 2))
        answers = [o for o in outcomes if isinstance(o, Appended)]
        assert [a.message.seq for a in answers] == [1, 1, 1]
        assert [a.duplicate for a in answers] == [False, True, True]

    async def test_a_bad_message_does_not_fail_its_neighbours(
        self, store: Store
    ) -> None:
        conversation = await self.conversation(store)
        outcomes: dict[str, Outcome] = {}

        def done(append: PendingAppend, outcome: Outcome) -> None:
            outcomes[append.draft.key] = outcome

        for number in range(1, 8):
            body = "bad \ud800" if number == 4 else f"m{number}"
            store.submit(_pending(draft(conversation, number, body=body), done))
        store.submit(_pending(draft(ConversationId(999), 8), done))
        await store.append(draft(conversation, 9))
        with anyio.fail_after(10):
            # Another conversation may have another appender.
            while "k8" not in outcomes:
                await anyio.sleep(0.001)
        assert isinstance(outcomes["k4"], Invalid)
        assert isinstance(outcomes["k8"], NotFound)
        stored = [m.key for m in await store.history(conversation)]
        assert stored == ["k1", "k2", "k3", "k5", "k6", "k7", "k9"]

    async def test_keys_are_told_apart_byte_for_byte(self, store: Store) -> None:
        conversation = await self.conversation(store)
        keys = ["a", "A", " a", "ä", "a\u0308", "🙂", "🙃", "é", "e"]
        for is_again in (False, True):
            for seq, key in enumerate(keys, 1):
                appended = await store.append(draft(conversation, seq, key=key))
                assert (appended.message.seq, appended.duplicate) == (seq, is_again)

    async def test_a_key_that_ends_in_a_space_is_refused(self, store: Store) -> None:
        """Some engines take it for the same key without the space."""
        conversation = await self.conversation(store)
        await store.append(draft(conversation, key="a"))
        with pytest.raises(Invalid):
            await store.append(draft(conversation, key="a "))
        assert [m.key for m in await store.history(conversation)] == ["a"]

    async def test_a_void_append_is_not_stored(self, store: Store) -> None:
        conversation = await self.conversation(store)
        outcomes: list[Outcome] = []
        pending = _pending(draft(conversation), lambda _, o: outcomes.append(o))
        store.submit(pending)
        pending.void = True
        await store.append(draft(conversation, 2))
        assert isinstance(outcomes[0], OutOfOrder)
        assert [m.key for m in await store.history(conversation)] == ["k2"]

    async def test_a_full_queue_refuses_and_does_not_answer_twice(
        self, store: Store
    ) -> None:
        conversation = await self.conversation(store)
        outcomes: list[Outcome] = []
        refused = 0
        for number in range(10_000):
            one = draft(conversation, number)
            try:
                store.submit(_pending(one, lambda _, o: outcomes.append(o)))
            except Busy:
                refused += 1
        assert refused > 0
        with anyio.fail_after(30):
            while len(outcomes) + refused < 10_000:
                await anyio.sleep(0.01)
        heads = await store.heads([conversation])
        assert heads[conversation] == 10_000 - refused

    async def test_time_never_runs_backwards_along_seq(
        self, store: Store, clock: "Clock"
    ) -> None:
        conversation = await self.conversation(store)
        times = []
        for number, step in enumerate((0, 5, -10_000, 20_000, -1)):
            clock.ms += step
            times.append((await store.append(draft(conversation, number))).message.at)
        assert times == sorted(times)

    async def test_a_cancelled_append_is_stored_whole_or_not_at_all(
        self, store: Store
    ) -> None:
        conversation = await self.conversation(store)
        rng = random.Random(5)
        for number in range(60):
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(store.append, draft(conversation, number))
                    for _ in range(rng.randrange(12)):
                        await anyio.lowlevel.checkpoint()
                    scope.cancel()
        for number in range(60):
            await store.append(draft(conversation, number))
        log = await store.history(conversation, after=Seq(0))
        assert [m.seq for m in log] == list(range(1, 61))
        assert {m.key for m in log} == {f"k{n}" for n in range(60)}

    async def test_the_row_is_the_fold_of_the_log(self, store: Store) -> None:
        conversation = await self.conversation(store)
        await store.append(draft(conversation, 1, body="你好\n在吗"))
        row = await store.find_conversation(conversation)
        assert row is not None
        assert (row.status, row.last_line, row.last_seq) == (
            ConversationStatus.QUEUED,
            "你好 在吗",
            1,
        )
        assert row.waiting_since == row.last_at
        take = draft(
            conversation,
            2,
            sender=AGENT,
            kind=MessageKind.ASSIGNMENT,
            data={"assignee": AGENT},
        )
        appended = await store.append(take)
        row = await store.find_conversation(conversation)
        assert appended.conversation == row
        assert row is not None
        assert (row.status, row.assignee) == (ConversationStatus.ACTIVE, AGENT)
        await store.append(draft(conversation, 3, sender=AGENT))
        close = draft(conversation, 4, sender=AGENT, kind=MessageKind.CLOSE, body="")
        await store.append(close)
        row = await store.find_conversation(conversation)
        assert row is not None
        assert (row.status, row.waiting_since) == (ConversationStatus.CLOSED, None)

    # -- reading -----------------------------------------------------------------------

    async def test_pages_are_contiguous_in_both_directions(self, store: Store) -> None:
        conversation = await self.conversation(store)
        for number in range(1, 26):
            await store.append(draft(conversation, number))

        async def seqs(**bounds: Any) -> list[int]:
            return [m.seq for m in await store.history(conversation, **bounds)]

        assert await seqs(after=0, limit=10) == list(range(1, 11))
        assert await seqs(after=20, limit=10) == [21, 22, 23, 24, 25]
        assert await seqs(after=25) == []
        assert await seqs(before=11, limit=4) == [7, 8, 9, 10]
        assert await seqs(before=3, limit=10) == [1, 2]
        assert await seqs(limit=3) == [23, 24, 25]
        with pytest.raises(ValueError, match="not both"):
            await seqs(after=1, before=2)

    async def test_opening_twice_at_once_gives_one_conversation(
        self, store: Store
    ) -> None:
        await store.put_site(SITE)
        found: list[ConversationId] = []

        async def open_one() -> None:
            found.append((await store.open_conversation(SITE.id, VISITOR)).id)

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(open_one)
        assert len(set(found)) == 1
        with pytest.raises(NotFound):
            await store.open_conversation(99, VISITOR)
        mine = await store.conversations_of_visitor(VISITOR.id)
        assert [row.id for row in mine] == found[:1]

    async def test_two_changes_of_a_site_at_once_are_both_kept(
        self, store: Store
    ) -> None:
        await store.put_site(SITE)

        def named(site: Site) -> Site:
            return msgspec.structs.replace(site, name="other")

        def keeping(site: Site) -> Site:
            return msgspec.structs.replace(site, retention_days=9)

        def refusing(site: Site) -> Site:
            raise Invalid(site.name)

        async with anyio.create_task_group() as tasks:
            for change in (named, keeping):
                tasks.start_soon(store.change_site, SITE.id, change)
        changed = msgspec.structs.replace(SITE, name="other", retention_days=9)
        assert await store.change_site(SITE.id, named) == changed
        with pytest.raises(Invalid, match="other"):
            await store.change_site(SITE.id, refusing)
        assert await store.change_site(99, named) is None
        assert await store.sites() == [changed]

    async def test_lists_are_read_by_keyset(self, store: Store, clock: "Clock") -> None:
        await store.put_site(SITE)
        ids = []
        for number in range(1, 8):
            clock.ms += 10
            person = msgspec.structs.replace(VISITOR, id=ParticipantId(f"v{number}"))
            ids.append((await store.open_conversation(SITE.id, person)).id)
        newest = ids[::-1]
        first = await store.find_conversations(ConversationFilter(), limit=3)
        assert [row.id for row in first] == newest[:3]
        last = first[-1]
        rest = await store.find_conversations(
            ConversationFilter(), before=(last.last_at, last.id)
        )
        assert [row.id for row in rest] == newest[3:]
        clock.ms += 10
        await store.append(draft(ids[2], sender=ParticipantId("v3")))
        waiting = await store.list_open_conversations(limit=10)
        assert waiting[0].id == ids[2]
        close = draft(ids[0], sender=AGENT, kind=MessageKind.CLOSE)
        await store.append(close)
        still_open = await store.list_open_conversations(limit=10)
        assert ids[0] not in [row.id for row in still_open]

    # -- cursors -----------------------------------------------------------------------

    async def test_cursors_only_rise_and_unread_follows_the_agents(
        self, store: Store
    ) -> None:
        conversation = await self.conversation(store)
        for number in range(1, 5):
            await store.append(draft(conversation, number))
        await store.append(draft(conversation, 5, sender=AGENT))
        assert await store.count_unread([conversation]) == {conversation: 4}

        def cursor(delivered: int, read: int, who: str = AGENT) -> Cursor:
            return Cursor(
                conversation=conversation,
                participant=ParticipantId(who),
                delivered=Seq(delivered),
                read=Seq(read),
            )

        await store.advance_cursors([cursor(3, 3), cursor(5, 5, "v1")])
        await store.advance_cursors([cursor(4, 1)])
        found = {c.participant: c for c in await store.cursors(conversation)}
        assert found == {AGENT: cursor(4, 3), "v1": cursor(5, 5, "v1")}
        assert await store.count_unread([conversation]) == {conversation: 1}
        unknown = msgspec.structs.replace(cursor(1, 1), conversation=ConversationId(9))
        await store.advance_cursors([unknown])
        # Known, new, lower and unknown ones come together; a conversation twice.
        seventh = msgspec.structs.replace(VISITOR, id=ParticipantId("v7"))
        other = (await store.open_conversation(SITE.id, seventh)).id
        theirs = msgspec.structs.replace(cursor(0, 0, "v7"), conversation=other)
        many = [unknown, cursor(5, 4), cursor(2, 2, "v1"), theirs, cursor(5, 5)]
        await store.advance_cursors([*many, cursor(3, 2, "a9")])
        found = {c.participant: c for c in await store.cursors(conversation)}
        raised = [cursor(5, 5), cursor(5, 5, "v1"), cursor(3, 2, "a9")]
        assert found == {each.participant: each for each in raised}
        assert await store.cursors(other) == [theirs]

    # -- people ------------------------------------------------------------------------

    async def test_people_sites_and_logins_are_kept(self, store: Store) -> None:
        conversation = await self.conversation(store)
        assert conversation
        agent = Agent(
            id=7,
            login="Li@Shop",
            name="小李",
            password_hash="h",
            role=Role.ADMIN,
            email="li@shop.example",
            capacity=3,
            sites=(1, 2),
            is_one_time=True,
            language="zh-Hant-HK",
        )
        await store.put_agent(agent)
        assert await store.find_agent(login="li@shop") == agent
        assert await store.find_agent(agent_id=7) == agent
        renamed = msgspec.structs.replace(agent, name="李")
        await store.put_agent(renamed)
        assert await store.agents() == [renamed]
        with pytest.raises(Conflict):
            await store.put_agent(msgspec.structs.replace(agent, id=8, login="LI@shop"))
        assert await store.find_site("k") == SITE
        assert await store.sites() == [SITE]
        assert await store.find_site("other") is None
        ids = [AGENT, VISITOR.id, ParticipantId("v404"), ParticipantId("rubbish")]
        names = {p.id: p.name for p in await store.people(ids)}
        assert names == {AGENT: "李", VISITOR.id: "访客"}

    async def test_a_login_session_ends_when_it_is_deleted(self, store: Store) -> None:
        agent = Agent(id=7, login="li", name="小李", password_hash="h")
        await store.put_agent(agent)
        sessions = [
            AgentSession(
                token_hash=f"{n}" * 64,
                agent_id=7,
                created_at=UnixMs(1),
                last_used_at=UnixMs(2),
            )
            for n in range(3)
        ]
        for session in sessions:
            await store.put_agent_session(session)
        hashes = [session.token_hash for session in sessions]
        assert await store.live_agent_sessions([*hashes, "f" * 64]) == set(hashes)
        used = msgspec.structs.replace(sessions[0], last_used_at=UnixMs(5))
        assert await store.touch_agent_session(used.token_hash, UnixMs(5))
        assert await store.find_agent_session(used.token_hash) == used
        await store.delete_agent_sessions(token_hash=used.token_hash)
        assert not await store.touch_agent_session(used.token_hash, UnixMs(6))
        assert await store.find_agent_session(used.token_hash) is None
        assert await store.live_agent_sessions(hashes) == set(hashes[1:])
        await store.put_agent(msgspec.structs.replace(agent, is_active=False))
        assert await store.live_agent_sessions(hashes) == set()
        await store.delete_agent_sessions(agent_id=7)
        assert await store.find_agent_session(sessions[1].token_hash) is None

    async def test_the_logins_of_an_agent_are_told_oldest_first(
        self, store: Store
    ) -> None:
        for number in (7, 8):
            agent = Agent(id=number, login=f"a{number}", name="n", password_hash="h")
            await store.put_agent(agent)
        times = {"c": 30, "a": 10, "d": 20, "b": 20}
        for name, created_at in times.items():
            for number in (7, 8):
                await store.put_agent_session(
                    AgentSession(
                        token_hash=f"{number}{name}".ljust(64, "0"),
                        agent_id=number,
                        created_at=UnixMs(created_at),
                        last_used_at=UnixMs(99 - created_at),
                    )
                )
        found = await store.sessions_of_agent(7)
        assert [session.token_hash[:2] for session in found] == ["7a", "7b", "7d", "7c"]
        assert found[0].last_used_at == 89
        assert await store.sessions_of_agent(9) == []

    async def test_the_installation_has_a_name_and_answers(self, store: Store) -> None:
        assert store.epoch
        await store.ping()
        assert store.statistics().appends_waiting == 0


class Clock:
    """Unix milliseconds that a test sets."""

    def __init__(self, ms: int = 1_800_000_000_000) -> None:
        self.ms = ms

    def __call__(self) -> int:
        """Return the time."""
        return self.ms


def _pending(
    one: Draft, done: Callable[[PendingAppend, Outcome], None]
) -> PendingAppend:
    return PendingAppend(one, done, size=100, submitted_at=time.monotonic())


async def _after(store: Store, conversation: ConversationId, after: int) -> list[Any]:
    return await store.history(conversation, after=Seq(after), limit=100)
