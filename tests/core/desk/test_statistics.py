"""Who is there and who waits, in numbers."""

import anyio
import pytest

from tests.core.desk.world import world

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Reading what is in memory is the same on every loop."""
    return "asyncio"


async def test_who_waits_is_counted_until_somebody_takes_it() -> None:
    async with world() as w:
        first = await w.conversation()
        second = await w.conversation("v2")
        await w.say(first, "v1", "hello")
        await w.say(second, "v2", "hello")
        counted = await w.desk.statistics()
        assert (counted.waiting, counted.answered) == (2, 0)
        assert 0 <= counted.waiting_s < 60
        async with w.client("a1") as agent:
            await agent.call("conversation.take", {"conversation": first})
            with anyio.fail_after(5):
                while "online" not in (await w.desk.statistics()).agents:
                    await anyio.sleep(0.01)
            counted = await w.desk.statistics()
            assert counted.agents == {"offline": 1, "online": 1}
            assert (counted.waiting, counted.answered) == (1, 1)
            await agent.call("conversation.close", {"conversation": first})
            assert (await w.desk.statistics()).answered == 0
