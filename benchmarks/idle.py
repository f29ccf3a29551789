"""Memory of an idle connection whose client offers compression, as browsers do."""

from contextlib import AsyncExitStack

import anyio
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from benchmarks.target import Kefu
from kefu_core.protocol.codec import MSGPACK
from kefu_core.protocol.frames import Hello

WARM_UP = 20
SETTLE_S = 1.0


def measure_idle(server: Kefu, connections: int) -> float:
    """Return KiB of resident memory per idle visitor; the server must be fresh.

    Every connection offers permessage-deflate, says hello and is welcomed.
    """
    tokens = [server.visitor_token() for _ in range(connections)]
    return anyio.run(_measure, server, tokens)


async def _measure(server: Kefu, tokens: list[str]) -> float:
    # The first connections load code and caches that are not any connection's.
    async with AsyncExitStack() as stack:
        for token in tokens[:WARM_UP]:
            await _open(stack, server, token, 2)
    await anyio.sleep(SETTLE_S)
    empty = server.rss_bytes()
    async with AsyncExitStack() as stack:
        for number, token in enumerate(tokens):
            await _open(stack, server, token, 3 + number // 40)
        await anyio.sleep(SETTLE_S)
        return (server.rss_bytes() - empty) / len(tokens) / 1024


async def _open(stack: AsyncExitStack, server: Kefu, token: str, address: int) -> None:
    socket = await stack.enter_async_context(
        connect(
            server.url,
            subprotocols=[Subprotocol("kefu.v1.msgpack")],
            compression="deflate",
            local_addr=(f"127.0.0.{address}", 0),
        )
    )
    hello = Hello(token=token, client="kefu-benchmark")
    await socket.send(MSGPACK.join([MSGPACK.encode(hello)]))
    await socket.recv()
