"""A page of a site in somebody's browser: it reports where its visitor is."""

import asyncio
import json
from collections.abc import Iterator

from benchmarks.ports import HOST

HEARTBEAT_S = 15.0
"""A page that stays reports so often."""
ANSWER_S = 30.0


class Page:
    """One browser's page: reports over a connection of its own, as a browser has."""

    def __init__(
        self, port: int, *, site: str, name: str, address: str, token: str | None = None
    ) -> None:
        """Prepare.

        Args:
            port: The server's.
            site: The embed key.
            name: The page's own, which stays while its visitor moves on.
            address: To dial from.
            token: The visitor's; without one the first answer brings it.
        """
        self._port = port
        self._site = site
        self._name = name
        self._address = address
        self._token = token
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def report(self, path: str, title: str) -> int:
        """Tell where the visitor is; returns the status of the answer.

        Raises:
            OSError, EOFError, TimeoutError: There was none.
        """
        origin = f"http://{HOST}:{self._port}"
        body = json.dumps(
            {
                "site": self._site,
                "token": self._token,
                "page": self._name,
                "url": origin + path,
                "title": title,
                "referrer": "https://search.example/",
                "language": "zh-CN",
                "screen": "1920×1080",
            }
        ).encode()
        head = (
            f"POST /api/visit HTTP/1.1\r\nHost: {HOST}\r\nOrigin: {origin}\r\n"
            "Content-Type: application/json\r\nUser-Agent: Mozilla/5.0 (Windows NT "
            f"10.0) Chrome/126.0 Safari/537.36\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        for is_last in (False, True):
            try:
                status, answer = await self._ask(head.encode() + body)
                break
            except (OSError, asyncio.IncompleteReadError):
                # The server ends a connection that says nothing for some seconds.
                self.close()
                if is_last:
                    raise
        self._token = json.loads(answer).get("token", self._token)
        return status

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                HOST, self._port, local_addr=(self._address, 0)
            )
        reader, writer = self._streams
        writer.write(request)
        async with asyncio.timeout(ANSWER_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(
                line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line
            )
            body = await reader.readexactly(int(fields["content-length"]))
        return int(head.split(" ", 2)[1]), body

    def close(self) -> None:
        """End its connection, if there is one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def stays(page_s: float) -> Iterator[float]:
    """Cut the time on a page where it is reported again."""
    while page_s > HEARTBEAT_S:
        yield HEARTBEAT_S
        page_s -= HEARTBEAT_S
    yield page_s
