"""Long poll driven request by request, over ASGI and without a socket."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec

from kefu_core.abc.transports import ServerContext
from kefu_core.limits import Limits
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import CODECS
from kefu_core.transports.longpoll import LongPollApp
from kefu_core.types import ConversationId
from tests.core.hub.world import LIMITS, World, world

QUICK = msgspec.structs.replace(LIMITS, poll_linger_s=0.0, poll_wait_s=20.0)


class Answer(msgspec.Struct):
    """One answer of HTTP."""

    status: int
    body: bytes
    headers: dict[str, str]
    codec: str = "json"

    @property
    def parsed(self) -> dict[str, Any]:
        decode = msgspec.json if self.codec == "json" else msgspec.msgpack
        return decode.decode(self.body, type=dict[str, Any])

    @property
    def batches(self) -> list[dict[str, Any]]:
        return self.parsed.get("batches", [])

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [frame for batch in self.batches for frame in batch["frames"]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["t"] == kind]


class Poller:
    """Somebody who makes the requests that a test wants, in any order."""

    def __init__(self, app: LongPollApp, codec: str = "json", **headers: str) -> None:
        self.app = app
        self.codec = codec
        self.session = ""
        self.headers = headers

    async def post(
        self,
        body: bytes,
        *,
        method: str = "POST",
        body_pause: anyio.Event | None = None,
        **headers: str,
    ) -> Answer:
        """Make one request with these bytes."""
        all_headers = {"content-type": f"application/{self.codec}", **self.headers}
        if self.session:
            all_headers["kefu-session"] = self.session
        all_headers |= {name.replace("_", "-"): v for name, v in headers.items()}
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "scheme": "https",
            "client": ("203.0.113.7", 5000),
            "headers": [
                (name.encode(), value.encode()) for name, value in all_headers.items()
            ],
        }
        was_read = False
        said: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            nonlocal was_read
            if body_pause is not None:
                await body_pause.wait()
            if was_read:
                await anyio.sleep_forever()
            was_read = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(event: Any) -> None:
            said.append(event)

        with anyio.fail_after(15):
            await self.app(scope, receive, send)
        start, *rest = said
        return Answer(
            status=start["status"],
            body=b"".join(event["body"] for event in rest),
            headers={n.decode(): v.decode() for n, v in start["headers"]},
            codec=self.codec,
        )

    def encode(self, **fields: Any) -> bytes:
        encoder = msgspec.json if self.codec == "json" else msgspec.msgpack
        return encoder.encode(fields)

    async def poll(self, number: int, ack: int = 0, wait: float = 0.0) -> Answer:
        """Poll."""
        return await self.post(self.encode(poll=number, ack=ack, wait=wait))

    async def begin(self, who: str = "v1", **hello: Any) -> Answer:
        """Open a session; the welcome is batch 1."""
        frame = msgspec.to_builtins(f.Hello(token=who, **hello))
        answer = await self.post(
            self.encode(poll=1, wait=20.0, hello={**frame, "t": "hello"})
        )
        if answer.status == 200:
            self.session = answer.headers["kefu-session"]
        return answer

    async def up(self, rid: int, *frames: f.Frame, ack: int = 0) -> Answer:
        """Send frames up."""
        return await self.post(self.up_body(rid, *frames, ack=ack))

    def up_body(self, rid: int, *frames: f.Frame, ack: int = 0) -> bytes:
        codec = CODECS[self.codec]
        raw = [msgspec.Raw(codec.encode(frame)) for frame in frames]
        return self.encode(rid=rid, ack=ack, frames=raw)


class PollWorld:
    """A node, its long-poll application, and a conversation of v1."""

    def __init__(
        self, w: World, app: LongPollApp, conversation: ConversationId
    ) -> None:
        self.hub, self.store, self.world = w.hub, w.store, w
        self.app = app
        self.conversation = conversation

    def poller(self, codec: str = "json", **headers: str) -> Poller:
        return Poller(self.app, codec, **headers)

    async def follower(self, codec: str = "json") -> Poller:
        """Return v1 following its conversation; batches 1 and 2 are acknowledged."""
        poller = self.poller(codec)
        await poller.begin()
        await poller.up(1, f.Follow(conversation=self.conversation), ack=1)
        await poller.poll(2, ack=2)
        return poller

    def send(self, n: int, body: str = "") -> f.Send:
        return f.Send(
            key=f"k{n}", conversation=self.conversation, n=n, body=body or f"m{n}"
        )

    def log(self) -> list[str]:
        return self.store.log_of(self.conversation)


@asynccontextmanager
async def poll_world(limits: Limits = QUICK) -> AsyncIterator[PollWorld]:
    """Run it; at the end nothing may be left of who was connected."""
    async with world(limits) as w:
        context = ServerContext(
            server=w.hub, limits=limits, now=w.hub.now, rng=random.Random(0)
        )
        async with LongPollApp(context) as app:
            yield PollWorld(w, app, await w.conversation())
        with anyio.fail_after(10):
            while w.hub.connection_count:
                await anyio.sleep(0.01)
        assert not app._addresses._open


__all__ = ["QUICK", "Answer", "PollWorld", "Poller", "poll_world"]
