"""A webhook's other end: takes, fails, stalls, redirects, or never stops answering."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import SocketStream


class Receiver:
    """Answers every request in one way, and keeps what it was told."""

    def __init__(self, way: str = "200") -> None:
        self.way = way
        self.told: list[tuple[dict[str, str], bytes]] = []
        """Headers in lower case, and bodies."""
        self.open = 0
        self.open_max = 0

    async def serve(self, stream: SocketStream) -> None:
        self.open += 1
        self.open_max = max(self.open_max, self.open)
        try:
            async with stream:
                with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                    await self._answer(stream)
        finally:
            self.open -= 1

    async def _answer(self, stream: SocketStream) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += await stream.receive()
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        headers["first"] = first
        while len(body) < int(headers.get("content-length", 0)):
            body += await stream.receive()
        self.told.append((headers, body))
        if self.way == "stall":
            await anyio.sleep_forever()
        if self.way == "hang up":
            return
        if self.way == "endless":
            await stream.send(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                await stream.send(b"x" * 65_536)
        status, _, location = self.way.partition(" ")
        more = f"Location: {location}\r\n" if location else ""
        answer = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{more}\r\n"
        await stream.send(answer.encode())


@asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncIterator[str]:
    """Serve on a free port of loopback; yields the URL."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, receiver.serve)
        yield f"http://127.0.0.1:{port}/hook?a=b"
        tasks.cancel_scope.cancel()
