"""A service's other end: answers as it is documented, and keeps what was asked."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
from anyio.abc import SocketAttribute, SocketStream

from kefu_core.abc.translator import Translator
from kefu_core.translators.registry import find_translator

NOW = 1_551_113_065.0


class Asked:
    """One request."""

    def __init__(self, head: str, body: bytes) -> None:
        first, *lines = head.split("\r\n")
        self.method, target, _ = first.split(" ")
        self.path = urlsplit(target).path
        self.query = {k: v[0] for k, v in parse_qs(urlsplit(target).query).items()}
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        found = parse_qs(self.body.decode(), keep_blank_values=True)
        return {name: values[0] for name, values in found.items()}


class Answering:
    """Gives the next of its answers to each request."""

    def __init__(self, *answers: Any, status: int = 200, more: str = "") -> None:
        self._answers = list(answers)
        self._status = status
        self._more = more
        self.url = ""
        self.asked: list[Asked] = []

    async def serve(self, stream: SocketStream) -> None:
        async with stream:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                await self._answer(stream)

    async def _answer(self, stream: SocketStream) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += await stream.receive()
        head, _, body = data.partition(b"\r\n\r\n")
        asked = Asked(head.decode(), b"")
        while len(body) < int(asked.headers.get("content-length", 0)):
            body += await stream.receive()
        asked.body = body
        self.asked.append(asked)
        answer = self._answers.pop(0)
        told = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        await stream.send(
            f"HTTP/1.1 {self._status} X\r\n{self._more}"
            f"Content-Length: {len(told)}\r\n\r\n".encode()
            + told
        )


@asynccontextmanager
async def answering(service: Answering) -> AsyncIterator[Answering]:
    """Serve on a free port of loopback."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        service.url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        tasks.start_soon(listener.serve, service.serve)
        yield service
        tasks.cancel_scope.cancel()


def build(name: str, service: Answering, **options: Any) -> Translator:
    """Return a translator as settings make it, that asks this service."""
    path = "/v1" if name == "openai" else ""
    told = {"url": service.url + path, **options}
    return find_translator(name).build(told, lambda: NOW)
