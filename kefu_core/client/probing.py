"""Whether another transport works, tried beside the connection that is in use."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from kefu_core.abc.streams import FrameStream
from kefu_core.client.dialing import Dial
from kefu_core.errors import CloseCode, ConnectionClosed, KefuError
from kefu_core.protocol import frames as f
from kefu_core.protocol.chooser import WELCOME_TIMEOUT_S

logger = logging.getLogger(__name__)


async def probe(dial: Dial, token: Callable[[], Awaitable[str]], name: str) -> bool:
    """Whether a hello and a ping get their answers within `WELCOME_TIMEOUT_S`.

    Nothing is followed on it, and it is closed again.
    """
    try:
        with anyio.fail_after(WELCOME_TIMEOUT_S):
            hello = f.Hello(token=await token(), client=f"{name} probe")
            stream = await dial()
            async with closing(stream):
                await stream.send([stream.codec.encode(hello)])
                await _wait_for(stream, f.Welcome)
                await stream.send([stream.codec.encode(f.Ping())])
                await _wait_for(stream, f.Pong)
                await stream.send([stream.codec.encode(f.Bye())])
    except (KefuError, OSError, TimeoutError) as error:
        logger.info("the better transport does not work yet: %s", error)
        return False
    return True


@asynccontextmanager
async def closing(stream: FrameStream) -> AsyncIterator[None]:
    """Close a stream at the end of the block, however it ends."""
    try:
        yield
    finally:
        await stream.aclose(CloseCode.NORMAL)


async def _wait_for(stream: FrameStream, kind: type[f.Frame]) -> None:
    while True:
        for item in await stream.receive():
            if isinstance(item, kind):
                return
            if isinstance(item, f.Closed):
                raise ConnectionClosed(item.code, item.reason)
