"""The database stands still under a server: sends are refused, all else goes on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import anyio
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks.databases import PrivateServer
from benchmarks.judge import Verdict
from kefu_core.limits import Limits
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import CODECS, server_frame_decoder
from kefu_core.types import ConversationId, Seq
from tests.faults.people import Server, Story, running
from tests.security.wire import batch

pytestmark = pytest.mark.alone

CODEC = CODECS["json"]
Kind = TypeVar("Kind", bound=f.Frame)


class Raw:
    """A live connection that sends once and shows what comes back."""

    def __init__(self, peer: ClientConnection) -> None:
        self._peer = peer
        self._decoder = server_frame_decoder(CODEC, Limits())
        self._kept: list[f.Frame] = []

    async def send(self, *sent: f.Frame) -> None:
        await self._peer.send(batch(CODEC, *sent), text=True)

    async def until(self, kind: type[Kind]) -> Kind:
        """Return the next of one kind; all that comes before it is dropped."""
        while True:
            while self._kept:
                frame = self._kept.pop(0)
                if isinstance(frame, kind):
                    return frame
            found = self._decoder.decode(await self._peer.recv(decode=False))
            self._kept += [x for x in found if isinstance(x, f.Frame)]


@asynccontextmanager
async def raw(server: Server, token: str) -> AsyncIterator[Raw]:
    """Connect and say hello."""
    async with connect(
        f"{server.url.replace('http', 'ws')}/kefu/ws",
        subprotocols=[Subprotocol("kefu.v1.json")],
        compression=None,
        proxy=None,
    ) as peer:
        one = Raw(peer)
        await one.send(f.Hello(token=token))
        await one.until(f.Welcome)
        yield one


async def stand_still(server: Server, database: PrivateServer) -> Verdict:
    """Stall the database while people talk; let the judge look at the end."""
    story = Story(server, anyio.current_time)
    visitor = story.person("visitor", server.visitor(), "websocket")
    agent = story.person("agent", server.agent_token, "longpoll")
    with anyio.fail_after(100):
        async with raw(server, server.agent_token) as other, running(story):
            await story.begin(visitor, agent)
            conversation = ConversationId(story.conversation)
            await other.send(f.Follow(conversation=conversation, after=Seq(0)))
            await visitor.talk(20, per_s=100)
            await story.until_complete()
            with database.stalled():
                await visitor.talk(40, per_s=100)
                await agent.talk(40, per_s=100)
                one = f.Send(key="raw", conversation=conversation, n=1, body="在吗")
                await other.send(one)
                # Whoever asks is there, and who types is seen, all the while.
                await other.send(f.Ping())
                await other.until(f.Pong)
                visitor.client.typing(story.conversation, "还")
                await other.until(f.TypingEvent)
                refused = await other.until(f.ErrorFrame)
                assert (refused.key, refused.retry) == ("raw", "same")
                assert visitor.waiting
                assert agent.waiting
            await story.until_complete()
    assert (visitor.down_count, agent.down_count) == (0, 0)
    return await story.end()


@pytest.mark.timeout(150)
@pytest.mark.parametrize("name", ["mysql", "postgres"])
def test_a_database_that_stands_still_refuses_in_time_and_cuts_nobody(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    database: PrivateServer = request.getfixturevalue(f"{name}_server")
    url = database.create(f"stalled_{name}")
    with Server(tmp_path, environ={"KEFU_DATABASE_URL": url}) as server:
        verdict = anyio.run(stand_still, server, database)
    assert verdict.passed, (verdict.faults, verdict.life)
    assert verdict.counts.acknowledged == verdict.counts.sent == 100
    database.drop(f"stalled_{name}")
