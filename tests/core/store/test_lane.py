"""A conversation that somebody else holds: it waits, and nobody with it."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from kefu_core.abc.store import Outcome, PendingAppend
from kefu_core.errors import Busy, StoreError
from kefu_core.limits import Limits
from kefu_core.model import Appended, Person, Role
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import SITE, VISITOR, draft
from kefu_core.types import ConversationId, ParticipantId, Seq

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("database_url", ["mysql", "postgres"], indirect=True),
]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@asynccontextmanager
async def open_store(url: str, **limits: Any) -> AsyncIterator[SqlStore]:
    async with SqlStore(
        url,
        limits=Limits(**limits),
        now=time.monotonic,
        now_ms=lambda: time.time_ns() // 1_000_000,
    ) as store:
        await store.put_site(SITE)
        yield store
        assert store.reads_checked_out == 0


@asynccontextmanager
async def held(url: str, conversation: ConversationId) -> AsyncIterator[None]:
    """Hold a conversation's row, as another node may."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(
                f"SELECT id FROM conversation WHERE id = {conversation} FOR UPDATE"
            )
            yield
    finally:
        await engine.dispose()


async def open_two(store: SqlStore) -> tuple[ConversationId, ConversationId]:
    """Return two conversations of the same appender."""
    ids: list[ConversationId] = []
    number = 100
    while len(ids) < 2:
        number += 1
        person = Person(
            id=ParticipantId(f"v{number}"), name=VISITOR.name, role=Role.VISITOR
        )
        one = (await store.open_conversation(SITE.id, person)).id
        if not ids or (one - ids[0]) % len(store._appenders) == 0:
            ids.append(one)
    return ids[0], ids[1]


def submit(
    store: SqlStore, conversation: ConversationId, number: int, answers: list[Outcome]
) -> PendingAppend:
    pending = PendingAppend(
        draft(conversation, number),
        lambda _, outcome: answers.append(outcome),
        size=100,
        submitted_at=time.monotonic(),
    )
    store.submit(pending)
    return pending


async def until(is_so: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not is_so():
            await anyio.sleep(0.005)


async def test_a_held_conversation_delays_no_other_and_keeps_its_order(
    database_url: str,
) -> None:
    async with open_store(database_url, appender_wait_s=20.0) as store:
        stuck, free = await open_two(store)
        answers: list[Outcome] = []
        async with held(database_url, stuck):
            for number in range(5):
                submit(store, stuck, number, answers)
                await store.append(draft(free, number))
            lane = store._lane
            assert lane is not None
            await until(lambda: stuck in lane)
            # What comes while it waits in the lane waits behind it.
            for number in range(5, 8):
                submit(store, stuck, number, answers)
                await store.append(draft(free, number))
            assert answers == []
            assert store.statistics().appends_waiting == 8
        await until(lambda: len(answers) == 8)
        assert [a.message.key for a in answers if isinstance(a, Appended)] == [
            f"k{number}" for number in range(8)
        ]
        assert [m.key for m in await store.history(stuck)] == [
            f"k{number}" for number in range(8)
        ]
        assert stuck not in lane
        # And the appender has it again.
        assert (await store.append(draft(stuck, 8))).message.seq == 9
        assert store.statistics().appends_waiting == 0
        assert store.statistics().messages == 17


async def test_two_held_conversations_wait_in_turn(database_url: str) -> None:
    async with open_store(database_url, appender_wait_s=20.0) as store:
        first, second = await open_two(store)
        answers: list[Outcome] = []
        lane = store._lane
        assert lane is not None
        async with held(database_url, first):
            async with held(database_url, second):
                submit(store, first, 1, answers)
                await until(lambda: first in lane)
                submit(store, second, 2, answers)
                await until(lambda: second in lane)
            # The first is held still; the second has its turn all the same.
            await until(lambda: len(answers) == 1)
            assert isinstance(answers[0], Appended)
            assert answers[0].message.conversation == second
        await until(lambda: len(answers) == 2)


async def test_what_waits_too_long_is_refused_and_what_was_void_is_not_stored(
    database_url: str,
) -> None:
    async with open_store(database_url, appender_wait_s=0.5) as store:
        stuck, _ = await open_two(store)
        answers: list[Outcome] = []
        async with held(database_url, stuck):
            one = submit(store, stuck, 1, answers)
            two = submit(store, stuck, 2, answers)
            two.void = True
            await until(lambda: len(answers) == 2)
        assert [type(answer) for answer in answers].count(Busy) == 1, answers
        assert not one.void
        assert (await store.append(draft(stuck, 3))).message.seq == 1
        assert store.statistics().appends_waiting == 0


async def test_a_store_that_closes_answers_what_waits_in_the_lane(
    database_url: str,
) -> None:
    answers: list[Outcome] = []
    async with open_store(database_url, appender_wait_s=1.0) as store:
        stuck, _ = await open_two(store)
        holder = held(database_url, stuck)
        await holder.__aenter__()
        submit(store, stuck, 1, answers)
        lane = store._lane
        assert lane is not None
        await until(lambda: stuck in lane)
    await holder.__aexit__(None, None, None)
    [answer] = answers
    assert isinstance(answer, (Busy, StoreError))


async def test_two_nodes_that_write_to_the_same_conversations_share_them(
    database_url: str,
) -> None:
    stored: dict[str, int] = {}

    async def write(store: SqlStore, conversation: ConversationId, name: str) -> None:
        for number in range(40):
            one = draft(conversation, key=f"{name}.{number}")
            stored[one.key] = (await store.append(one)).message.seq

    async with (
        open_store(database_url, appender_wait_s=20.0) as here,
        open_store(database_url, appender_wait_s=20.0) as there,
    ):
        conversations = await open_two(here)
        async with anyio.create_task_group() as tasks:
            for name, store in (("here", here), ("there", there)):
                for conversation in conversations:
                    for writer in range(2):
                        tasks.start_soon(write, store, conversation, f"{name}{writer}")
        for conversation in conversations:
            log = []
            for after in (0, 100):
                log += await here.history(conversation, after=Seq(after))
            assert [m.seq for m in log] == list(range(1, 161))
            for name in ("here0", "here1", "there0", "there1"):
                mine = [m.key for m in log if m.key.startswith(name)]
                assert mine == [f"{name}.{number}" for number in range(40)]
