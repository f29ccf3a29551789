"""Connections by hand on every transport: who is let in, and when they are let go."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import anyio
import anyio.abc
import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from kefu_core.protocol.codec import JSON
from kefu_core.protocol.framing import preface, with_length
from tests.faults.people import Server

WAIT_S = 20.0
COOKIE = "kefu_session"


class Line(ABC):
    """One connection; `first` is what was answered to its hello."""

    def __init__(self) -> None:
        self.first: list[dict[str, Any]] = []
        self.seen: list[dict[str, Any]] = []
        self.ended_at: float | None = None
        """Monotonic seconds at which the server ended it."""

    @abstractmethod
    async def say(self, *frames: dict[str, Any]) -> None:
        """Send frames."""

    @abstractmethod
    async def hear(self) -> list[dict[str, Any]]:
        """Return the next frames. Raises `EOFError` at the end."""

    @property
    def is_welcome(self) -> bool:
        """Whether the hello was answered with a welcome."""
        return [frame["t"] for frame in self.first[:1]] == ["welcome"]

    @property
    def codes(self) -> list[str]:
        """Codes of all refusals that came."""
        frames = [*self.first, *self.seen]
        return [frame["code"] for frame in frames if frame["t"] == "error"]

    async def until(self, kind: str) -> dict[str, Any]:
        """Return the next frame of a kind."""
        with anyio.fail_after(WAIT_S):
            while True:
                frames = await self.hear()
                self.seen += frames
                for frame in frames:
                    if frame["t"] == kind:
                        return frame

    async def until_ended(self) -> None:
        """Wait until the server ends it."""
        with anyio.fail_after(WAIT_S), suppress(EOFError):
            while True:
                self.seen += await self.hear()
        self.ended_at = time.monotonic()


class WebSocketLine(Line):
    """Over WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        super().__init__()
        self._socket = socket

    async def say(self, *frames: dict[str, Any]) -> None:
        await self._socket.send("\n".join(map(json.dumps, frames)))

    async def hear(self) -> list[dict[str, Any]]:
        try:
            return lines(await self._socket.recv(decode=False))
        except ConnectionClosed as closed:
            raise EOFError from closed


class TcpLine(Line):
    """Over TCP."""

    def __init__(self, stream: anyio.abc.SocketStream) -> None:
        super().__init__()
        self._stream = stream
        self._held = b""

    async def say(self, *frames: dict[str, Any]) -> None:
        await self._stream.send(
            with_length("\n".join(map(json.dumps, frames)).encode())
        )

    async def hear(self) -> list[dict[str, Any]]:
        head = int.from_bytes(await self.exactly(4), "big")
        return lines(await self.exactly(head))

    async def exactly(self, count: int) -> bytes:
        """Return so many bytes. Raises `EOFError`."""
        while len(self._held) < count:
            try:
                self._held += await self._stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError) as error:
                raise EOFError from error
        found, self._held = self._held[:count], self._held[count:]
        return found


class PollLine(Line):
    """Over long poll, one request after the other."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        super().__init__()
        self._http = http
        self._poll = 1
        self._got = 0
        self._rid = 0
        self._waiting: list[dict[str, Any]] = []
        self._has_ended = False

    async def say(self, *frames: dict[str, Any]) -> None:
        if not self.first:
            body = {"poll": 1, "ack": 0, "wait": 0, "hello": frames[0]}
        else:
            self._rid += 1
            body = {"rid": self._rid, "ack": self._got, "frames": list(frames)}
        self._waiting += await self._ask(body)

    async def hear(self) -> list[dict[str, Any]]:
        if not self._waiting:
            if self._has_ended:
                raise EOFError
            self._poll += 1
            body = {"poll": self._poll, "ack": self._got, "wait": WAIT_S}
            self._waiting = await self._ask(body)
        heard, self._waiting = self._waiting, []
        return heard

    async def _ask(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        answer = await self._http.post(
            "/kefu/poll",
            content=json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        if answer.status_code != 200:
            self._has_ended = True
            return [{"t": "error", "code": answer.json()["error"]}]
        if session := answer.headers.get("kefu-session"):
            self._http.headers["kefu-session"] = session
        frames = []
        for batch in answer.json().get("batches", []):
            if batch["n"] > self._got:
                self._got = batch["n"]
                frames += batch["frames"]
        self._has_ended |= any(frame["t"] == "closed" for frame in frames)
        return frames


def lines(data: bytes) -> list[dict[str, Any]]:
    """Return the frames of one batch."""
    return [json.loads(line) for line in data.splitlines() if line]


@asynccontextmanager
async def websocket(
    server: Server, token: str = "", cookie: str = "", origin: str | None = None
) -> AsyncIterator[Line]:
    """Yield a connection over WebSocket that has said hello."""
    headers = {"cookie": f"{COOKIE}={cookie}"} if cookie else {}
    async with connect(
        f"ws://127.0.0.1:{server.port}/kefu/ws",
        subprotocols=[Subprotocol("kefu.v1.json")],
        additional_headers=headers,
        origin=None if origin is None else Origin(origin),
        compression=None,
        proxy=None,
    ) as socket:
        yield await _greeted(WebSocketLine(socket), token)


@asynccontextmanager
async def longpoll(
    server: Server, token: str = "", cookie: str = "", origin: str | None = None
) -> AsyncIterator[Line]:
    """Yield a connection over long poll that has said hello."""
    headers = {} if origin is None else {"origin": origin}
    if cookie:
        headers["cookie"] = f"{COOKIE}={cookie}"
    async with httpx.AsyncClient(
        base_url=server.url, headers=headers, trust_env=False, timeout=WAIT_S + 10
    ) as http:
        line = await _greeted(PollLine(http), token)
        yield line
        # Without it the session would take a place until its time-out.
        if line.is_welcome and line.ended_at is None:
            await line.say({"t": "bye"})


@asynccontextmanager
async def tcp(
    server: Server, token: str = "", cookie: str = "", origin: str | None = None
) -> AsyncIterator[Line]:
    """Yield a connection over TCP that has said hello; it has no cookies."""
    stream = await anyio.connect_tcp("127.0.0.1", server.tcp_port)
    async with stream:
        await stream.send(preface(JSON))
        line = TcpLine(stream)
        with anyio.fail_after(WAIT_S):
            assert await line.exactly(len(preface(JSON))) == preface(JSON)
        yield await _greeted(line, token)


async def _greeted(line: Line, token: str) -> Line:
    await line.say({"t": "hello", "v": 1, "token": token})
    with anyio.fail_after(WAIT_S), suppress(EOFError):
        while not line.first:
            line.first = await line.hear()
    return line


Open = Callable[..., AbstractAsyncContextManager[Line]]
OPEN: dict[str, Open] = {"websocket": websocket, "longpoll": longpoll, "tcp": tcp}
