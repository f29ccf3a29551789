"""Reads that wait together: who is asked for what, and when."""

from collections.abc import Awaitable, Callable, Sequence

import anyio
import pytest

from kefu_core.errors import StoreUnavailable
from kefu_core.store.gathering import Gathering

pytestmark = pytest.mark.anyio


class Table:
    """What is read: each key is its own square; reads wait until they are let go."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.gate = anyio.Event()
        self.begun = anyio.Event()
        self.fails = False

    async def read(self, keys: Sequence[int]) -> dict[int, int]:
        self.asked.append(sorted(keys))
        self.begun.set()
        await self.gate.wait()
        if self.fails:
            self.fails = False
            raise StoreUnavailable("away")
        return {key: key * key for key in keys if key >= 0}


async def test_those_who_ask_at_once_are_one_read() -> None:
    table = Table()
    table.gate.set()
    found: dict[str, dict[int, int]] = {}
    async with anyio.create_task_group() as tasks:
        gathering = Gathering(table.read, tasks.start_soon, most=10)

        async def find(who: str, keys: Sequence[int]) -> None:
            found[who] = await gathering.find(keys)

        tasks.start_soon(find, "both", [1, 2])
        tasks.start_soon(find, "one of them", [2, 3])
        tasks.start_soon(find, "nothing", [-1])
    assert table.asked == [[-1, 1, 2, 3]]
    assert found == {"both": {1: 1, 2: 4}, "one of them": {2: 4, 3: 9}, "nothing": {}}


async def test_a_read_that_has_begun_takes_no_one_in() -> None:
    table = Table()
    async with anyio.create_task_group() as tasks:
        gathering = Gathering(table.read, tasks.start_soon, most=10)
        tasks.start_soon(gathering.find, [1])
        await table.begun.wait()
        for keys in ([1], [2], [1, 3]):
            tasks.start_soon(gathering.find, keys)
        await anyio.wait_all_tasks_blocked()
        table.gate.set()
    assert table.asked == [[1], [1, 2, 3]]


async def test_a_statement_asks_for_no_more_than_it_may() -> None:
    table = Table()
    table.gate.set()
    async with anyio.create_task_group() as tasks:
        gathering = Gathering(table.read, tasks.start_soon, most=6, weigh=lambda n: n)
        assert await gathering.find([1, 2, 3, 9, 4]) == {1: 1, 2: 4, 3: 9, 9: 81, 4: 16}
    assert table.asked == [[1, 2, 3], [9], [4]]


async def test_a_failed_read_is_told_to_its_own_readers_only() -> None:
    table = Table()
    table.fails = True
    outcomes: list[object] = []
    async with anyio.create_task_group() as tasks:
        gathering = Gathering(table.read, tasks.start_soon, most=10)

        async def find(key: int) -> None:
            try:
                outcomes.append(await gathering.find([key]))
            except StoreUnavailable as error:
                outcomes.append(error.retry_after_s)

        tasks.start_soon(find, 1)
        await table.begun.wait()
        tasks.start_soon(find, 2)
        await anyio.wait_all_tasks_blocked()
        table.gate.set()
    assert outcomes == [1.0, {2: 4}]


async def test_a_reader_that_is_cancelled_cancels_no_read() -> None:
    table = Table()
    found: list[dict[int, int]] = []
    async with anyio.create_task_group() as tasks:
        gathering = Gathering(table.read, tasks.start_soon, most=10)

        async def find() -> None:
            found.append(await gathering.find([1]))

        async with anyio.create_task_group() as leaving:
            leaving.start_soon(gathering.find, [1])
            await table.begun.wait()
            tasks.start_soon(find)
            await anyio.wait_all_tasks_blocked()
            leaving.cancel_scope.cancel()
        table.gate.set()
    assert found == [{1: 1}]


async def _close(gathering: Gathering[int, int], cancel: Callable[[], None]) -> None:
    gathering.close()


async def _cancel(gathering: Gathering[int, int], cancel: Callable[[], None]) -> None:
    cancel()


@pytest.mark.parametrize("end", [_close, _cancel])
async def test_when_the_store_closes_nobody_waits_for_ever(
    end: Callable[[Gathering[int, int], Callable[[], None]], Awaitable[None]],
) -> None:
    table = Table()
    refused: list[int] = []
    async with anyio.create_task_group() as tasks, anyio.create_task_group() as store:
        gathering = Gathering(table.read, store.start_soon, most=10)

        async def find(key: int) -> None:
            try:
                await gathering.find([key])
            except StoreUnavailable:
                refused.append(key)

        tasks.start_soon(find, 1)
        await table.begun.wait()
        tasks.start_soon(find, 2)
        await anyio.wait_all_tasks_blocked()
        await end(gathering, store.cancel_scope.cancel)
        table.gate.set()
    assert 2 in refused
    with pytest.raises(StoreUnavailable):
        await gathering.find([3])
