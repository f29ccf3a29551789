"""Work goes on round after round, whatever becomes of one of them."""

import logging

import anyio
import pytest

from kefu_core.desk.rounds import Rounds
from kefu_core.errors import StoreUnavailable
from tests.core.desk.world import eventually

pytestmark = pytest.mark.anyio


async def test_a_round_that_fails_ends_nothing_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    faults = [StoreUnavailable("away"), RuntimeError("ours")]
    count = 0

    async def work() -> None:
        nonlocal count
        count += 1
        if faults:
            raise faults.pop(0)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Rounds("bans are looked at", 0.001).run, work)
        await eventually(lambda: count > 3)
        tasks.cancel_scope.cancel()
    told = [(r.levelname, r.getMessage()) for r in caplog.records]
    assert told == [
        ("INFO", "bans are looked at later: away"),
        ("ERROR", "bans are looked at later: a fault of ours"),
    ]


async def test_what_is_called_for_in_a_round_is_done_in_the_next() -> None:
    rounds = Rounds("x", 3_600, gather_s=0.02, rest_s=0.02)
    begun: list[float] = []

    async def work() -> None:
        begun.append(anyio.current_time())
        if len(begun) == 1:
            rounds.wake()

    rounds.wake()
    rounds.wake()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rounds.run, work)
        await eventually(lambda: len(begun) == 2)
        # Nothing was called for any more.
        with anyio.move_on_after(0.1):
            await eventually(lambda: len(begun) == 3)
        tasks.cancel_scope.cancel()
    assert len(begun) == 2
    assert begun[1] - begun[0] >= 0.04
