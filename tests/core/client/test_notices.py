"""What a connection has brought reaches the program, however the connection ends."""

from collections.abc import Sequence

import anyio
import msgspec
import pytest

from kefu_core.abc.streams import FrameStream, PeerInfo
from kefu_core.client import Client
from kefu_core.client.notices import Events, Notices
from kefu_core.errors import ConnectionClosed
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON
from kefu_core.testing.serving import Eager
from kefu_core.types import Seq
from tests.core.client.test_holes import C, message, welcome

pytestmark = pytest.mark.anyio

PER_CONNECTION = 3


class BreaksWhileReading(FrameStream):
    """Its way up ends at the moment in which something has come down."""

    codec = JSON
    peer = PeerInfo(transport="test")

    def __init__(self) -> None:
        self._hello = anyio.Event()
        self._is_breaking = anyio.Event()
        self._cursor = 0
        self._step = 0

    async def receive(self) -> Sequence[f.Frame]:
        self._step += 1
        if self._step == 1:
            await self._hello.wait()
            # The answer to the ping is what the writer is at when its way ends.
            return [welcome(), f.Ping()]
        if self._step > 2:
            await anyio.sleep_forever()
        # The writer fails now, which cancels the reader. It has its batch already:
        # a stream whose bytes were there returns them all the same.
        self._is_breaking.set()
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.02)
        first = self._cursor + 1
        return [message(seq) for seq in range(first, first + PER_CONNECTION)]

    async def send(self, encoded: Sequence[bytes]) -> None:
        first = msgspec.json.decode(encoded[0])
        if first["t"] == "hello":
            self._cursor = first["cursors"].get(str(C), 0)
            self._hello.set()
            return
        await self._is_breaking.wait()
        raise ConnectionClosed(1006)

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        pass


async def test_what_came_in_the_moment_of_the_end_is_told_and_only_once() -> None:
    async def dial() -> FrameStream:
        return BreaksWhileReading()

    client = Client(token="t", dial=dial, rng=Eager())
    client.session.follow(C, Seq(0))
    told: list[int] = []
    with anyio.fail_after(20):
        async with client:
            async for event in client.events():
                if isinstance(event, f.MessageFrame):
                    told.append(event.seq)
                if len(told) >= 4 * PER_CONNECTION:
                    break
    assert told == list(range(1, 4 * PER_CONNECTION + 1))


async def test_what_is_put_is_taken_once_in_order_by_whoever_waits() -> None:
    notices: Notices[int] = Notices(3)
    taken: list[int] = []

    async def take(count: int) -> None:
        events = Events(notices, lambda: None)
        for _ in range(count):
            taken.append(await anext(events))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(take, 4)
            for number in range(12):
                await notices.wait_for_room()
                notices.put(number)
    assert taken == list(range(12))


async def test_who_waits_and_is_cancelled_takes_nothing_away() -> None:
    notices: Notices[int] = Notices(3)
    for number in range(5):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await notices.take()
        notices.put(number)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await notices.take()
    assert [notices.take_nowait() for _ in range(6)] == [0, 1, 2, 3, 4, None]


async def test_a_full_queue_lets_nobody_wait_once_it_is_closed() -> None:
    notices: Notices[int] = Notices(1)
    notices.put(1)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notices.wait_for_room)
            await anyio.wait_all_tasks_blocked()
            notices.close()
        with pytest.raises(StopAsyncIteration):
            await notices.take()
