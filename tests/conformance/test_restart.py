"""What outlives a server: everything that was acknowledged, and where readers were."""

from pathlib import Path

import anyio
import pytest

from kefu_core.abc.transports import Transport
from kefu_core.limits import Limits
from kefu_core.node import monotonic, unix_ms
from kefu_core.protocol.events import HistoryReplaced
from kefu_core.store.memory import MemoryStore
from kefu_core.testing.proxy import proxy_to
from kefu_core.testing.serving import Kit
from kefu_core.testing.talking import Mover, take
from kefu_core.transports.registry import find_transport
from tests.conformance.conftest import serve_by_hypercorn, sqlite_in

pytestmark = pytest.mark.anyio

NAMES = ("websocket", "tcp", "longpoll")


@pytest.fixture
def world() -> str:
    return "asyncio-sqlite"


@pytest.fixture(params=NAMES)
def transport(request: pytest.FixtureRequest) -> Transport:
    return find_transport(request.param)


@pytest.mark.parametrize("codec", ["json", "msgpack"])
async def test_a_client_goes_on_where_it_was_after_a_restart(
    transport: Transport, codec: str, tmp_path: Path
) -> None:
    kit = Kit(transport, codec, sqlite_in(tmp_path), serve_by_hypercorn)
    async with proxy_to(1) as proxy:
        mover = Mover({transport: proxy.port}, "v1", codec)
        async with mover.client as client:
            async with kit.node() as node:
                proxy.target = node.ports[transport.name]
                conversation = await node.conversation()
                await client.follow(conversation)
                for number in range(3):
                    await client.send(conversation, f"m{number}")
            # Said while nobody serves: it waits in the client's outbox.
            client.send_nowait(conversation, "m3")
            async with kit.node() as node:
                proxy.target = node.ports[transport.name]
                assert (await client.send(conversation, "m4")).seq == 5
                await node.append(conversation, "m5")
                expected = [(n + 1, f"m{n}") for n in range(6)]
                assert await take(client, 6) == expected


@pytest.mark.parametrize("after", NAMES)
async def test_a_client_may_come_back_over_another_transport(
    transport: Transport, after: str, tmp_path: Path
) -> None:
    other = find_transport(after)
    kit = Kit(transport, "json", sqlite_in(tmp_path), serve_by_hypercorn)
    async with proxy_to(1) as one, proxy_to(1) as two:
        mover = Mover({transport: one.port, other: two.port}, "v1", "json")
        async with mover.client as client:
            for number in range(2):
                async with kit.node(others=[other]) as node:
                    one.target = node.ports[transport.name]
                    two.target = node.ports[other.name]
                    conversation = await node.conversation()
                    await client.follow(conversation)
                    sent = await client.send(conversation, f"m{number}")
                    assert sent.seq == number + 1
                    mover.turn()
            assert await take(client, 2) == [(1, "m0"), (2, "m1")]


async def test_a_client_is_told_that_the_history_was_replaced(
    transport: Transport,
) -> None:
    def empty(limits: Limits) -> MemoryStore:
        return MemoryStore(limits, now=monotonic, now_ms=unix_ms, epoch=next(epochs))

    epochs = iter(["first", "second"])
    kit = Kit(transport, "json", empty, serve_by_hypercorn)
    async with proxy_to(1) as proxy:
        mover = Mover({transport: proxy.port}, "v1", "json")
        async with mover.client as client:
            async with kit.node() as node:
                proxy.target = node.ports[transport.name]
                conversation = await node.conversation()
                await client.follow(conversation)
                await client.send(conversation, "lost with its database")
            async with kit.node() as node:
                proxy.target = node.ports[transport.name]
                with anyio.fail_after(10):
                    async for event in client.events():
                        if isinstance(event, HistoryReplaced):
                            break
