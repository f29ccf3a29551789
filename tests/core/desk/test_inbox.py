"""The agents' list follows the log and the agents' cursors."""

import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import msgspec
import pytest

from kefu_core.client import Client
from kefu_core.errors import StoreUnavailable
from kefu_core.model import (
    ConversationStatus,
    Cursor,
    Draft,
    MessageKind,
    Person,
    Role,
)
from kefu_core.protocol import frames as f
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ConversationId, ParticipantId, Seq
from tests.core.desk.world import LIMITS, World, eventually, world

pytestmark = pytest.mark.anyio


async def fill(store: MemoryStore) -> None:
    """Leave two open conversations with texts, and three closed ones."""
    for number in range(1, 6):
        who = ParticipantId(f"v{number}0001")
        name = "小明" if number == 1 else ""
        person = Person(id=who, name=name, role=Role.VISITOR)
        row = await store.open_conversation(1, person)
        for count in range(number):
            await store.append(
                Draft(conversation=row.id, sender=who, key=f"{count}", body="hi")
            )
        if number > 2:
            await store.append(
                Draft(
                    conversation=row.id,
                    sender=ParticipantId("a1"),
                    key="close",
                    kind=MessageKind.CLOSE,
                )
            )


async def test_the_list_starts_with_what_is_stored() -> None:
    async with world(before=fill) as w:
        rows = list(w.rows.values())
        assert [row["status"] for row in rows].count("queued") == 2
        assert len(rows) == 5
        assert {row["visitor_name"] for row in rows[:2]} == {"小明", "访客 0001"}
        assert {row["visitor"]: row["unread"] for row in rows} == {
            f"v{number}0001": number for number in range(1, 6)
        }


async def test_a_full_list_holds_the_open_ones_and_the_newest_closed() -> None:
    limits = msgspec.structs.replace(LIMITS, list_rows_max=4)
    async with world(limits, before=fill) as w:
        assert {row["visitor"] for row in w.rows.values()} == {
            "v10001",
            "v20001",
            "v40001",
            "v50001",
        }
        async with w.client("v1") as visitor:
            conversation = await visitor.open_conversation()
            assert len(w.rows) == 4
            assert conversation in w.rows
            assert "v40001" not in {row["visitor"] for row in w.rows.values()}


async def test_an_agent_who_watches_sees_a_row_change_with_each_message() -> None:
    async with world() as w, w.client("v1") as visitor:
        agent = await w.live("a1")
        await agent.send(f.Watch(topic="conversations"))
        assert (await agent.until(f.Snapshot)).rows == []
        conversation = await visitor.open_conversation()
        opened = (await agent.until(f.Event)).put
        assert opened["id"] == conversation
        assert set(opened) == {
            "id",
            "site_id",
            "visitor",
            "visitor_name",
            "status",
            "assignee",
            "last_seq",
            "last_at",
            "last_sender",
            "last_line",
            "waiting_since",
            "opened_at",
            "labels",
            "team_id",
            "queued_at",
            "unread",
            "is_translated",
            "visitor_reads_translations",
        }
        await visitor.send(conversation, "有货吗？")
        said = (await agent.until(f.Event)).put
        assert (said["last_line"], said["unread"]) == ("有货吗？", 1)
        assert said["waiting_since"] == said["last_at"]
        agent.cut()


async def read_by(w: World, agent: Client, conversation: int, seq: int) -> None:
    """Let an agent have a conversation and say how much of it was looked at."""
    generator = cast("AsyncGenerator[Any, None]", agent.events())
    async with aclosing(generator) as events:
        async for event in events:
            if isinstance(event, f.MessageFrame) and event.seq >= seq:
                break
    agent.read(conversation, seq)


async def test_unread_falls_with_what_an_agent_reads() -> None:
    async with world() as w, w.client("a1") as agent:
        conversation = await w.conversation()
        for number in range(5):
            await w.say(conversation, "v1", f"m{number}")
        assert w.rows[conversation]["unread"] == 5
        await agent.follow(conversation)
        await read_by(w, agent, conversation, 3)
        await eventually(lambda: w.rows[conversation]["unread"] == 2)
        agent.read(conversation, 5)
        await eventually(lambda: w.rows[conversation]["unread"] == 0)
        await w.say(conversation, "v1", "m5")
        assert w.rows[conversation]["unread"] == 1


async def test_own_lines_notes_and_a_visitors_reading_count_nothing() -> None:
    async with world() as w, w.client("v1") as visitor:
        conversation = await visitor.open_conversation()
        await visitor.follow(conversation)
        await w.say(conversation, "v1", "m1")
        await w.say(conversation, "a1", "secret", MessageKind.NOTE)
        await w.say(conversation, "a1", "m2")
        await read_by(w, visitor, conversation, 3)
        await eventually(
            lambda: any(
                c.read == 3 for c in w.hub.receipts.of(ConversationId(conversation))
            )
        )
        assert w.rows[conversation]["unread"] == 1
        assert w.rows[conversation]["last_line"] == "m2"


async def close(w: World, conversation: ConversationId) -> None:
    draft = Draft(
        conversation=conversation,
        sender=ParticipantId("a1"),
        key=f"close {conversation}",
        kind=MessageKind.CLOSE,
    )
    await w.hub.append(draft)


async def test_a_row_that_left_the_list_comes_back_with_its_true_count() -> None:
    limits = msgspec.structs.replace(LIMITS, list_rows_max=2)
    async with world(limits) as w:
        first = await w.conversation("v1")
        for number in range(3):
            await w.say(first, "v1", f"m{number}")
        await close(w, first)
        second = await w.conversation("v2")
        await w.say(second, "v2", "hi")
        await w.say(await w.conversation("v3"), "v3", "hi")
        assert first not in w.rows
        await w.store.advance_cursors(
            [
                Cursor(
                    conversation=first,
                    participant=ParticipantId("a1"),
                    delivered=Seq(1),
                    read=Seq(1),
                )
            ]
        )
        await close(w, second)
        await w.say(first, "v1", "again")
        await eventually(lambda: w.rows[first]["unread"] == 3)
        assert second not in w.rows


async def test_the_list_is_a_fold_of_the_log_after_any_history() -> None:
    async with world() as w, w.client("a1") as agent:
        rng = random.Random(5)
        conversations = [await w.conversation(f"v{n}") for n in range(1, 4)]
        for conversation in conversations:
            await agent.follow(conversation)
        for _ in range(150):
            number = rng.randrange(3)
            conversation = conversations[number]
            visitor = f"v{number + 1}"
            match rng.randrange(4):
                case 0 | 1:
                    await w.say(conversation, visitor, "text")
                case 2:
                    await w.say(conversation, "a1", "answer")
                case 3:
                    row = w.rows.get(conversation)
                    if row and row["last_seq"]:
                        w.hub.receipts.advance(
                            conversation,
                            ParticipantId("a1"),
                            delivered=row["last_seq"],
                            read=Seq(rng.randint(1, row["last_seq"])),
                        )
        await w.hub.receipts.flush()
        unread = await w.store.count_unread(conversations)
        await eventually(
            lambda: all(w.rows[c]["unread"] == unread[c] for c in conversations)
        )
        for conversation in conversations:
            stored = await w.store.find_conversation(conversation)
            assert stored is not None
            assert w.rows[conversation]["last_seq"] == stored.last_seq
            assert w.rows[conversation]["status"] == ConversationStatus.QUEUED


async def test_a_store_that_fails_delays_a_count_and_loses_none() -> None:
    async with world() as w, w.client("a1") as agent:
        conversation = await w.conversation()
        await agent.follow(conversation)
        for number in range(4):
            await w.say(conversation, "v1", f"m{number}")
        flaky = FailsOnce(w.store.history)
        w.store.history = flaky  # type: ignore[method-assign, assignment]
        await read_by(w, agent, conversation, 2)
        await eventually(lambda: w.rows[conversation]["unread"] == 2)


async def test_a_text_that_comes_while_others_are_counted_is_counted() -> None:
    async with world() as w, w.client("a1") as agent:
        conversation = await w.conversation()
        await agent.follow(conversation)
        for number in range(4):
            await w.say(conversation, "v1", f"m{number}")
        read = w.store.history
        late = iter(["late", "later"])

        async def slow(*args: Any, **named: Any) -> Any:
            page = await read(*args, **named)
            for body in late:
                await w.say(conversation, "v1", body)
                break
            return page

        w.store.history = slow  # type: ignore[method-assign]
        await read_by(w, agent, conversation, 2)
        await eventually(lambda: w.rows[conversation]["last_seq"] == 6)
        await eventually(lambda: not w.desk.inbox._owing)
        await eventually(lambda: w.rows[conversation]["unread"] == 4)


class FailsOnce:
    """A read of the store that fails the first time."""

    def __init__(self, read: object) -> None:
        self.read = read
        self.has_failed = False

    async def __call__(self, *args: object, **named: object) -> object:
        if not self.has_failed:
            self.has_failed = True
            raise StoreUnavailable
        return await self.read(*args, **named)  # type: ignore[operator]


async def test_a_message_whose_commit_was_in_doubt_is_listed_and_counted() -> None:
    async with world() as w:
        conversation = await w.conversation("v1")
        await w.say(conversation, "v1", "m1")
        await eventually(lambda: w.rows[conversation]["unread"] == 1)
        draft = Draft(
            conversation=conversation, sender=ParticipantId("v1"), key="k", body="m2"
        )
        await w.store.append(draft)  # The hub has heard nothing of it.
        assert (await w.hub.append(draft)).duplicate
        await eventually(lambda: w.rows[conversation]["unread"] == 2)
        assert w.rows[conversation]["last_line"] == "m2"


async def test_what_an_agent_read_before_it_was_told_is_not_counted() -> None:
    async with world() as w:
        conversation = await w.conversation("v1")
        await w.say(conversation, "a1", "hello")
        draft = Draft(
            conversation=conversation, sender=ParticipantId("v1"), key="k", body="m"
        )
        appended = await w.store.append(draft)  # Stored, and not told yet.
        who = ParticipantId("a1")
        two = Seq(2)
        w.hub.receipts.advance(conversation, who, delivered=two, read=two)
        await eventually(lambda: (conversation, who) in w.store._cursors)
        for observer in w.hub.observers:
            observer.message_committed(appended)
        assert w.rows[conversation]["last_seq"] == 2
        assert w.rows[conversation]["unread"] == 0


async def test_a_message_that_was_never_told_is_counted_with_the_next() -> None:
    async with world() as w:
        conversation = await w.conversation("v1")
        await w.say(conversation, "v1", "m1")
        draft = Draft(
            conversation=conversation, sender=ParticipantId("v1"), key="k", body="m2"
        )
        await w.store.append(draft)  # The answer to its commit was lost.
        await w.say(conversation, "v1", "m3")
        await eventually(lambda: w.rows[conversation]["unread"] == 3)


async def test_erased_lines_and_names_leave_the_list() -> None:
    async with world(before=fill) as w:
        first, second = list(w.rows)[:2]
        visitor = ParticipantId("v10001")
        (mine,) = [row["id"] for row in w.rows.values() if row["visitor"] == visitor]
        other = second if mine == first else first
        await w.store.erase_conversation(mine)
        await w.store.forget_visitor(visitor)
        w.hub.forget()
        await eventually(lambda: w.rows[mine]["last_line"] == "")
        assert w.rows[mine]["visitor_name"] == "访客 0001"
        assert w.rows[other]["last_line"] == "hi"


async def test_a_store_that_fails_delays_the_end_of_a_line_and_no_count() -> None:
    async with world(before=fill) as w:
        (mine, *_) = w.rows
        await w.store.erase_conversation(mine)
        look = w.store.last_lines
        asked = 0

        async def fails_once(conversations: Any) -> Any:
            nonlocal asked
            asked += 1
            if asked == 1:
                raise StoreUnavailable
            return await look(conversations)

        w.store.last_lines = fails_once  # type: ignore[method-assign]
        w.hub.forget()
        await eventually(lambda: w.rows[mine]["last_line"] == "")
        assert asked == 2


async def test_a_line_that_came_after_the_look_stays() -> None:
    async with world(before=fill) as w:
        (mine, *_) = w.rows
        look = w.store.last_lines

        async def slow(conversations: Any) -> Any:
            found = await look(conversations)
            await w.say(mine, "a1", "newer")
            return found

        await w.store.erase_conversation(mine)
        w.store.last_lines = slow  # type: ignore[method-assign]
        w.hub.forget()
        await eventually(lambda: w.rows[mine]["last_line"] == "newer")
