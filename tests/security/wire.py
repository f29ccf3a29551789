"""Raw peers of a real server, on every transport: they may say anything."""

from collections.abc import Awaitable, Callable

import anyio
import anyio.abc
import httpx
import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from kefu_core.protocol.codec import CODECS, Codec
from kefu_core.protocol.frames import Bye, Frame, Hello, Ping
from kefu_core.protocol.framing import preface, with_length
from tests.faults.people import Server

ANSWER_S = 10.0
Poisoned = Callable[[Server, Codec, str, bytes], Awaitable[bytes]]


def batch(codec: Codec, *frames: Frame) -> bytes:
    """Return frames as one batch."""
    return codec.join([codec.encode(frame) for frame in frames])


async def over_tcp(server: Server, codec: Codec, token: str, poison: bytes) -> bytes:
    """Say hello, the poison and a ping; return what is answered until a pong."""
    answer = b""
    stream = await anyio.connect_tcp("127.0.0.1", server.tcp_port)
    async with stream:
        await stream.send(
            preface(codec) + with_length(batch(codec, Hello(token=token)))
        )
        with anyio.fail_after(ANSWER_S):
            try:
                while b"welcome" not in answer:
                    answer += await stream.receive()
                await stream.send(with_length(poison))
                await stream.send(with_length(batch(codec, Ping())))
                while b"pong" not in answer:
                    answer += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return answer
    return answer


async def over_websocket(
    server: Server, codec: Codec, token: str, poison: bytes
) -> bytes:
    """Do the same over WebSocket."""
    answer = b""
    async with connect(
        f"{server.url.replace('http', 'ws')}/kefu/ws",
        subprotocols=[Subprotocol(f"kefu.v1.{codec.name}")],
        compression=None,
        proxy=None,
    ) as peer:
        with anyio.fail_after(ANSWER_S):
            try:
                text = codec.is_text
                await peer.send(batch(codec, Hello(token=token)), text=text)
                while b"welcome" not in answer:
                    answer += await peer.recv(decode=False)
                await peer.send(poison, text=text)
                await peer.send(batch(codec, Ping()), text=text)
                while b"pong" not in answer:
                    answer += await peer.recv(decode=False)
            except ConnectionClosed as closed:
                # Broken framing ends the connection without a word of farewell.
                code = closed.rcvd.code if closed.rcvd is not None else 1006
                return answer + f"closed {code}".encode()
    return answer


async def over_longpoll(
    server: Server, codec: Codec, token: str, poison: bytes
) -> bytes:
    """Do the same over long poll; the poison is a body, and a request's frames."""
    answer = b""
    encode = msgspec.json.encode if codec.is_text else msgspec.msgpack.encode
    kind = "application/json" if codec.is_text else "application/msgpack"
    async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_S) as http:
        headers = {"content-type": kind}

        async def ask(body: bytes) -> bytes:
            response = await http.post(
                f"{server.url}/kefu/poll", content=body, headers=headers
            )
            assert response.status_code < 500, response.text
            session = response.headers.get("kefu-session")
            if session is not None:
                headers["kefu-session"] = session
            return response.content

        hello = msgspec.Raw(codec.encode(Hello(token=token)))
        opening = {"poll": 1, "ack": 0, "wait": 5, "hello": hello}
        assert b"welcome" in (await ask(encode(opening)))
        answer += await ask(poison)
        frames = [msgspec.Raw(poison)]
        answer += await ask(encode({"rid": 1, "ack": 1, "frames": frames}))
        frames = [msgspec.Raw(codec.encode(Ping()))]
        for rid in (1, 2):  # The first number is free where the poison was refused.
            answer += await ask(encode({"rid": rid, "ack": 1, "frames": frames}))
        frames = [msgspec.Raw(codec.encode(Bye()))]
        await ask(encode({"rid": 3, "ack": 1, "frames": frames}))
    return answer


SPOKEN: dict[str, Poisoned] = {
    "tcp": over_tcp,
    "websocket": over_websocket,
    "longpoll": over_longpoll,
}


async def poison_all(
    server: Server, transport: str, token: str, poison: dict[str, bytes]
) -> dict[str, bytes]:
    """Say all of it, each on a connection of its own, a few at once."""
    answers: dict[str, bytes] = {}
    places = anyio.CapacityLimiter(8)

    async def say(codec: Codec, name: str, data: bytes) -> None:
        async with places:
            answer = await SPOKEN[transport](server, codec, token, data)
            answers[f"{name} as {codec.name}"] = answer

    async with anyio.create_task_group() as tasks:
        for codec in CODECS.values():
            for name, data in poison.items():
                tasks.start_soon(say, codec, name, data)
    return answers


class SlowPeer:
    """Says something byte by byte, slowly, for as long as it is listened to."""

    def __init__(
        self, name: str, address: str, port: int, said: bytes, slowly: bytes
    ) -> None:
        self.name = name
        self._address = address
        self._port = port
        self._said = said
        self._slowly = slowly
        self.heard = b""
        self.is_ended = False
        """The server has ended the connection."""

    async def run(self, pause_s: float) -> None:
        stream = await anyio.connect_tcp(
            "127.0.0.1", self._port, local_host=self._address
        )
        async with stream, anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen, stream, tasks)
            try:
                if self._said:
                    await stream.send(self._said)
                for at in range(len(self._slowly)):
                    await stream.send(self._slowly[at : at + 1])
                    await anyio.sleep(pause_s)
                await anyio.sleep_forever()
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                self.is_ended = True
                tasks.cancel_scope.cancel()

    async def _listen(
        self, stream: anyio.abc.SocketStream, tasks: anyio.abc.TaskGroup
    ) -> None:
        try:
            while True:
                self.heard += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            self.is_ended = True
            tasks.cancel_scope.cancel()
