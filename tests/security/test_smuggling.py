"""Requests that two HTTP parsers could understand differently, through both proxies."""

import re
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest

from kefu_core.testing.proxy import proxy_to
from tests.faults.caddy import Caddy, needs_caddy
from tests.faults.nginx import Nginx, needs_nginx
from tests.faults.people import Server

pytestmark = pytest.mark.timeout(60)
Proxy = type[Nginx] | type[Caddy]
through_each = pytest.mark.parametrize(
    "proxy",
    [
        pytest.param(Nginx, marks=needs_nginx, id="nginx"),
        pytest.param(Caddy, marks=needs_caddy, id="caddy"),
    ],
)

PATIENCE_S = 1.0
"""For answers to what is never complete, or what is not answered."""
HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
SETTINGS = b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
WEBSOCKET = (
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: kefu.v1.json\r\n"
)


def post(*headers: bytes, body: bytes = b"", line: bytes = b"") -> bytes:
    line = line or b"POST /kefu/poll HTTP/1.1"
    lines = [line, b"Host: h", b"Content-Type: application/json", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def get(*headers: bytes, body: bytes = b"") -> bytes:
    lines = [b"GET /healthz HTTP/1.1", b"Host: h", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def length(size: int) -> bytes:
    return b"Content-Length: %d" % size


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


END = b"0\r\n\r\n"
SIZE = len(HIDDEN)

# Every one hides a request. What a strict parser reads as *another* request after a
# complete one is left out: that is pipelining, and allowed.
ATTACKS: dict[str, bytes] = {
    "length and chunks": post(length(len(END) + SIZE), CHUNKED, body=END + HIDDEN),
    "chunks and length": post(CHUNKED, length(4), body=chunk(HIDDEN) + END),
    "two lengths": post(length(SIZE), length(0), body=HIDDEN),
    "two lengths, turned": post(length(0), length(SIZE), body=HIDDEN),
    "list of lengths": post(b"Content-Length: 0, %d" % SIZE, body=HIDDEN),
    "plus": post(b"Content-Length: +%d" % SIZE, body=HIDDEN),
    "minus": post(b"Content-Length: -%d" % SIZE, body=HIDDEN),
    "hex length": post(b"Content-Length: 0x%x" % SIZE, body=HIDDEN),
    "length over 64 bits": post(length(2**64 + SIZE), body=HIDDEN),
    "underscore length": post(b"Content-Length: 1_0", body=HIDDEN),
    "space before colon": post(b"Content-Length : %d" % SIZE, body=HIDDEN),
    "chunks, space before colon": post(
        length(SIZE), b"Transfer-Encoding : chunked", body=HIDDEN
    ),
    "chunks by tab": post(length(SIZE), b"Transfer-Encoding:\tchunked", body=HIDDEN),
    "chunks by vertical tab": post(
        length(SIZE), b"Transfer-Encoding: \x0bchunked", body=HIDDEN
    ),
    "xchunked": post(length(SIZE), b"Transfer-Encoding: xchunked", body=HIDDEN),
    "chunked, identity": post(
        length(SIZE), b"Transfer-Encoding: chunked, identity", body=HIDDEN
    ),
    "identity": post(length(SIZE), b"Transfer-Encoding: identity", body=HIDDEN),
    "twice chunked": post(CHUNKED, CHUNKED, body=END + HIDDEN),
    "chunked and cow": post(CHUNKED, b"Transfer-Encoding: cow", body=END + HIDDEN),
    "folded": post(length(SIZE), b"Transfer-Encoding:\r\n chunked", body=HIDDEN),
    "behind a bare line feed": post(
        length(SIZE), b"X: x\nTransfer-Encoding: chunked", body=HIDDEN
    ),
    "behind a bare return": post(
        length(SIZE), b"X: x\rTransfer-Encoding: chunked", body=HIDDEN
    ),
    "behind a zero": post(length(SIZE), b"X: x\0\r\n" + CHUNKED, body=HIDDEN),
    "underscore": post(length(SIZE), b"Transfer_Encoding: chunked", body=HIDDEN),
    "chunks in HTTP/1.0": post(
        CHUNKED, body=chunk(HIDDEN) + END, line=b"POST /kefu/poll HTTP/1.0"
    ),
    "chunk size over 64 bits": post(CHUNKED, body=b"1" + b"0" * 16 + b"\r\n" + HIDDEN),
    "negative chunk": post(CHUNKED, body=b"-1\r\n" + HIDDEN),
    "chunk size with 0x": post(CHUNKED, body=b"0x5\r\nabcde\r\n" + END + HIDDEN),
    "chunk without its end": post(
        CHUNKED, body=b"%x\r\n%sXX%s" % (SIZE, HIDDEN, b"0\r\n\r\n")
    ),
    "chunk extension with a line feed": post(
        CHUNKED, body=b"2;\nxx\r\n%x\r\n" % SIZE + HIDDEN + END
    ),
    "trailer": post(CHUNKED, body=b"0\r\n" + length(SIZE) + b"\r\n\r\n"),
    "length named hop by hop": post(
        length(SIZE), b"Connection: Content-Length", body=HIDDEN
    ),
    "chunks named hop by hop": post(
        CHUNKED, b"Connection: Transfer-Encoding", body=chunk(HIDDEN) + END
    ),
    "GET with a body": get(length(SIZE), body=HIDDEN),
    "GET with chunks": get(CHUNKED, body=chunk(HIDDEN) + END),
    "expectation": post(length(SIZE), b"Expect: 100-continue", body=HIDDEN),
    "space in the path": b"GET /healthz HTTP/1.1 x HTTP/1.1\r\nHost: h\r\n\r\n",
    "line feeds in the path": b"GET /%0d%0aGET%20/smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    "two hosts": get(b"Host: other"),
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "HTTP/0.9": b"GET /healthz\r\n",
    "websocket of no version": get(
        b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 99"
    )
    + HIDDEN[:4],
}
LEAVING: dict[str, bytes] = {
    "h2c": get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c\r\n" + SETTINGS),
    "H2C": get(b"Connection: Upgrade", b"Upgrade: H2C"),
    "h2c by list": get(b"Connection: Upgrade", b"Upgrade: websocket, h2c"),
    "h2c by list, turned": get(b"Connection: Upgrade", b"Upgrade: h2c,websocket"),
    "h2c by two headers": get(
        b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: h2c"
    ),
    "TLS": get(b"Connection: Upgrade", b"Upgrade: TLS/1.0"),
    "CONNECT": b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
    "preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "HTTP/2.0": b"GET /healthz HTTP/2.0\r\nHost: h\r\n\r\n",
}


UNHEARD = [
    re.compile(rb"\r\nupgrade:(?! websocket\r\n)", re.IGNORECASE),
    re.compile(rb"\r\nsec-websocket-extensions: *\S", re.IGNORECASE),
]
"""What no proxy passes on: an upgrade to anything else, a compressed socket."""
BROKEN = ("502", "-")
PIPELINED: dict[Proxy, list[str]] = {Nginx: [], Caddy: ["length and chunks"]}
"""Go goes by the chunks where both are said; what comes after them is to it another
request, which it sees, logs and passes on as such: hidden from nobody."""


class Counter:
    """Counts answers on their way from the server to the proxy; changes nothing."""

    def __init__(self) -> None:
        self.count = 0
        self._tail = b""

    def link(self) -> "Counter":
        return self

    def feed(self, data: bytes) -> bytes:
        self.count += len(re.findall(rb"HTTP/1\.1 [2-5]\d\d ", data))
        return data


class Listener:
    """Notes what the proxy says to the server; changes nothing."""

    def __init__(self) -> None:
        self.heard = b""

    def link(self) -> "Listener":
        return self

    def feed(self, data: bytes) -> bytes:
        self.heard += data
        return data


async def said_to(port: int, request: bytes) -> bytes:
    """Send bytes as they are; return all that is answered."""
    answer = b""
    stream = await anyio.connect_tcp("127.0.0.1", port)
    async with stream:
        with anyio.move_on_after(PATIENCE_S):
            try:
                await stream.send(request)
                while True:
                    answer += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass
    return answer


async def attack(
    server: Server, folder: Path, requests: dict[str, bytes], proxy: Proxy
) -> tuple[dict[str, bytes], Nginx | Caddy, int]:
    """Send all of them at once, and honest ones between; return what was answered."""
    answers: dict[str, bytes] = {}
    counter, listener = Counter(), Listener()

    async def say(name: str, request: bytes) -> None:
        answers[name] = await said_to(front.port, request)

    async def ask_honestly() -> None:
        honest = b"GET /healthz?honest HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        answer = await said_to(front.port, honest)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        assert answer.count(b"HTTP/1.1") == 1, answer

    async with proxy_to(server.port) as tap:
        tap.down.filter = counter.link
        tap.up.filter = listener.link
        with proxy(folder, tap.port) as front:
            async with anyio.create_task_group() as tasks:
                for name, request in requests.items():
                    tasks.start_soon(say, name, request)
                    tasks.start_soon(ask_honestly)
            # Connections that the proxy keeps carry these: a hidden request's answer
            # would be theirs.
            for _ in range(len(requests)):
                await ask_honestly()
    for never in UNHEARD:
        assert never.search(listener.heard) is None, never
    return answers, front, counter.count


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


@through_each
def test_no_request_hides_in_another(
    server: Server, tmp_path: Path, proxy: Proxy
) -> None:
    before = server.log.count("path=/smuggled")
    answers, front, answered = anyio.run(attack, server, tmp_path, ATTACKS, proxy)
    lines = front.requests()
    passed_on = [line for _, upstream, line in lines if upstream != "-"]
    # What Caddy has begun to pass on, and found broken, the server may have refused.
    broken = [status for status, upstream, _ in lines if (status, upstream) == BROKEN]
    assert 0 <= answered - len(passed_on) <= len(broken)
    assert len(ATTACKS) >= 30
    assert len(passed_on) >= 2 * len(ATTACKS)
    seen = [line for line in passed_on if "GET /smuggled" in line]
    assert len(seen) == len(PIPELINED[proxy])
    httpx.get(f"{server.url}/the-last-one", trust_env=False)
    server.until_logged("path=/the-last-one")
    assert server.log.count("path=/smuggled") - before == len(seen)
    final = re.compile(rb"HTTP/1\.1 [2-5]")
    assert [
        name for name, said in answers.items() if len(final.findall(said)) > 1
    ] == PIPELINED[proxy]


@through_each
def test_a_request_that_does_not_hide_is_seen_at_both_ends(
    tmp_path: Path, proxy: Proxy
) -> None:
    """What the test above looks for is what it would find."""
    with Server(tmp_path) as server:
        requests = {"pipelined": get() + HIDDEN}
        answers, front, answered = anyio.run(attack, server, tmp_path, requests, proxy)
        assert answers["pipelined"].count(b"HTTP/1.1") == 2
        assert sum(line.startswith("GET /smuggled") for _, _, line in front.requests())
        assert answered == 4
        server.until_logged("path=/smuggled")


@through_each
def test_nothing_leaves_http_1_through_a_proxy(
    server: Server, tmp_path: Path, proxy: Proxy
) -> None:
    answers, _, _ = anyio.run(attack, server, tmp_path, LEAVING, proxy)
    for name, answer in answers.items():
        assert answer[:9] in (b"HTTP/1.1 ", b""), (name, answer)
        assert answer[9:12] != b"101", (name, answer)
    for name in ("CONNECT", "preface"):
        assert answers[name][9:10] in (b"4", b"5"), (name, answers[name])


@through_each
def test_a_websocket_still_opens_through_a_proxy(
    server: Server, tmp_path: Path, proxy: Proxy
) -> None:
    upgrade = (
        b"GET /kefu/ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate\r\nUpgrade: WebSocket\r\n"
    )
    request = {"websocket": upgrade + WEBSOCKET + b"\r\n"}
    answers, _, _ = anyio.run(attack, server, tmp_path, request, proxy)
    assert answers["websocket"].startswith(b"HTTP/1.1 101 ")
    assert b"extensions" not in answers["websocket"].lower()
