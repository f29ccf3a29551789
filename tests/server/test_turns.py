"""Whose turn it is: bounds, order and what is given back."""

import anyio
import pytest

from kefu_core.errors import Busy, TooMany
from kefu_core.limits import Limits
from kefu_core.types import ParticipantId
from kefu_server.turns import Turns

pytestmark = pytest.mark.anyio

ANA, BEN = ParticipantId("a1"), ParticipantId("a2")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Reader:
    """Takes a turn and holds it until it is told to go."""

    def __init__(self, turns: Turns, agent: ParticipantId = ANA) -> None:
        self._turns = turns
        self._agent = agent
        self.has_turn = anyio.Event()
        self.may_go = anyio.Event()

    async def read(self) -> None:
        async with self._turns.take(self._agent):
            self.has_turn.set()
            await self.may_go.wait()


async def test_no_more_than_the_limit_read_at_once_and_the_next_comes_in_order() -> (
    None
):
    turns = Turns(Limits(history_reads_max=2))
    readers = [Reader(turns) for _ in range(4)]
    async with anyio.create_task_group() as tasks:
        for reader in readers:
            tasks.start_soon(reader.read)
        await anyio.wait_all_tasks_blocked()
        assert [r.has_turn.is_set() for r in readers] == [True, True, False, False]
        readers[1].may_go.set()
        await readers[2].has_turn.wait()
        assert not readers[3].has_turn.is_set()
        for reader in readers:
            reader.may_go.set()


async def test_whoever_waits_too_long_is_told_to_come_again() -> None:
    turns = Turns(Limits(history_reads_max=1, history_wait_s=0.01))
    async with turns.take(ANA):
        with pytest.raises(Busy) as refused:
            async with turns.take(BEN):
                raise AssertionError("two at once")
    assert refused.value.retry_after_s > 0
    async with turns.take(BEN):
        pass


async def test_one_agent_cannot_fill_the_queue() -> None:
    turns = Turns(Limits(history_reads_max=1, agent_history_requests_max=2))
    readers = [Reader(turns), Reader(turns), Reader(turns, BEN)]
    async with anyio.create_task_group() as tasks:
        for reader in readers:
            tasks.start_soon(reader.read)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(TooMany):
            async with turns.take(ANA):
                raise AssertionError("a third of hers")
        for reader in readers:
            reader.may_go.set()
    async with turns.take(ANA):
        pass


async def test_who_goes_while_waiting_leaves_nothing_behind() -> None:
    limits = Limits(history_reads_max=1, agent_history_requests_max=1)
    turns = Turns(limits)
    waiting = Reader(turns, BEN)
    async with turns.take(ANA), anyio.create_task_group() as tasks:
        tasks.start_soon(waiting.read)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    async with turns.take(BEN):
        pass
    async with turns.take(ANA):
        pass


async def test_an_export_waits_as_long_as_it_takes() -> None:
    limits = Limits(
        history_reads_max=1, history_wait_s=0.01, agent_history_requests_max=1
    )
    turns = Turns(limits)
    reader = Reader(turns)
    done = anyio.Event()

    async def export() -> None:
        async with turns.take(ANA, is_patient=True):
            done.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader.read)
        await reader.has_turn.wait()
        tasks.start_soon(export)
        with anyio.move_on_after(5 * limits.history_wait_s):
            await done.wait()
        assert not done.is_set()
        reader.may_go.set()
        await done.wait()


async def test_an_agent_has_one_export_at_a_time() -> None:
    turns = Turns(Limits())
    turns.begin_export(ANA)
    turns.begin_export(BEN)
    with pytest.raises(TooMany):
        turns.begin_export(ANA)
    turns.end_export(ANA)
    turns.begin_export(ANA)
    turns.end_export(ANA)
    turns.end_export(ANA)
