"""Requests go where they may, end in time and in size, and errors give nothing away."""

import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from kefu_core.senders import outbound
from kefu_core.senders.outbound import AddressRefused, NotReached, Outbound
from tests.core.senders.receivers import Receiver, receiving

pytestmark = pytest.mark.anyio

KEY = "sk-canary"


def _loopback() -> Outbound:
    return Outbound(["127.0.0.0/8"])


@asynccontextmanager
async def _saying(*parts: bytes, pause_s: float = 0.0) -> AsyncIterator[str]:
    """Answer every request with the same bytes."""

    async def serve(stream: SocketStream) -> None:
        async with stream:
            try:
                await stream.receive()
                for part in parts:
                    await stream.send(part)
                    await anyio.sleep(pause_s)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield f"http://127.0.0.1:{port}/x"
        tasks.cancel_scope.cancel()


def _sized(body: bytes, *more: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *more]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def test_an_answer_comes_with_status_headers_and_body() -> None:
    async with _saying(_sized(b"hello", b"Retry-After: 7")) as url:
        answer = await _loopback().request("GET", url)
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "example.com@127.0.0.1",
        "example.com:80@127.0.0.1",
        "example.com%2f@127.0.0.1",
        "127.0.0.1%00.example.com",
        "127。0。0。1",
        "１２７.0.0.1",
        "①②⑦.0.0.1",
        "127.0.0.1#example.com",
        "127.0.0.1\\example.com",
        "127.0.0.1 ",
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "2852039166",
        "100.100.100.200",
    ],
)
async def test_nothing_inside_is_reached_however_it_is_written(host: str) -> None:
    receiver = Receiver()
    async with receiving(receiver) as own:
        port = own.rpartition(":")[2].partition("/")[0]
        with pytest.raises(NotReached):
            await Outbound().request("GET", f"http://{host}:{port}/", timeout_s=5)
    assert receiver.told == []
    assert receiver.open_max == 0


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "ftp://127.0.0.1/",
        "dict://127.0.0.1:11211/",
        "jar:http://127.0.0.1!/",
        "data:text/plain,x",
        "//127.0.0.1/",
        "/etc/passwd",
        "http:///",
        "http://",
        "http://[::1",
        "http://a\nb/",
        "",
    ],
)
async def test_what_is_no_url_of_the_web_is_refused_for_good(url: str) -> None:
    with pytest.raises(NotReached) as raised:
        await _loopback().request("GET", url)
    assert raised.value.is_final


async def test_a_name_is_asked_once_and_one_inner_address_is_enough_to_refuse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    async def both(host: str, port: object, **more: object) -> list[Any]:
        asked.append(host)
        return [(0, 0, 0, "", (each, port)) for each in ("1.1.1.1", "127.0.0.1")]

    monkeypatch.setattr(anyio, "getaddrinfo", both)
    with pytest.raises(AddressRefused, match=r"rebinding\.example leads to 127"):
        await Outbound().request("GET", "http://rebinding.example/")
    assert asked == ["rebinding.example"]


async def test_an_origin_of_the_operator_is_reached_and_no_other_port_of_it() -> None:
    configured, other = Receiver(), Receiver()
    async with receiving(configured) as url, receiving(other) as beside:
        own = Outbound([url.partition("/hook")[0]])
        assert (await own.request("GET", url)).status == 200
        with pytest.raises(AddressRefused):
            await own.request("GET", beside)
    assert other.told == []


async def test_a_redirect_is_an_answer() -> None:
    inside = Receiver()
    async with receiving(inside) as secret, receiving(Receiver(f"302 {secret}")) as url:
        answer = await _loopback().request("GET", url)
    assert (answer.status, inside.told) == (302, [])


@pytest.mark.parametrize("size", [99, 100])
async def test_an_answer_may_have_as_many_bytes_as_it_may(size: int) -> None:
    async with _saying(_sized(b"x" * size)) as url:
        answer = await _loopback().request("GET", url, bytes_max=100)
    assert len(answer.body) == size


async def test_an_answer_that_is_larger_is_left() -> None:
    async with _saying(_sized(b"x" * 101)) as url:
        with pytest.raises(NotReached, match="more than 100 bytes"):
            await _loopback().request("GET", url, bytes_max=100)


async def test_an_answer_without_end_is_left() -> None:
    async with receiving(Receiver("endless")) as url:
        with pytest.raises(NotReached, match="more than 1048576 bytes"):
            await _loopback().request("GET", url)


async def test_a_dripping_answer_ends_in_time() -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    async with _saying(head, *[b"x"] * 200, pause_s=0.05) as url:
        with anyio.fail_after(5):
            with pytest.raises(NotReached, match="no answer within"):
                await _loopback().request("GET", url, timeout_s=0.3)


async def test_what_would_swell_is_not_unpacked() -> None:
    bomb = gzip.compress(b"x" * 10_000_000)
    async with _saying(_sized(bomb, b"Content-Encoding: gzip")) as url:
        with pytest.raises(NotReached, match="coding"):
            await _loopback().request("GET", url)


async def test_no_coding_is_asked_for() -> None:
    receiver = Receiver()
    async with receiving(receiver) as url:
        await _loopback().request("GET", url, headers={"Accept-Encoding": "gzip"})
    ((headers, _),) = receiver.told
    assert headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("?a=b", f"?key={KEY}"),
        lambda url: url.replace("http://", f"http://user:{KEY}@"),
        lambda url: f"http://127.0.0.1:{KEY}/",
        lambda url: f"http://[{KEY}/",
        lambda url: f"http://{'a' * 64}.example/?key={KEY}",
    ],
)
@pytest.mark.parametrize("way", ["hang up", "stall"])
async def test_an_error_never_holds_what_was_sent(
    change: Callable[[str], str], way: str
) -> None:
    async with receiving(Receiver(way)) as url:
        with pytest.raises(NotReached) as raised:
            await _loopback().request(
                "GET", change(url), headers={"x-key": KEY}, timeout_s=0.2
            )
    _holds_no_key(raised.value)


@pytest.mark.parametrize("value", [f"{KEY}\n", f"{KEY}é", f"{KEY}\0"])
async def test_a_key_that_is_no_header_is_not_quoted(value: str) -> None:
    async with receiving(Receiver()) as url:
        with pytest.raises(NotReached) as raised:
            await _loopback().request("GET", url, headers={"x-key": value})
    _holds_no_key(raised.value)


async def test_what_is_no_http_is_not_quoted_either() -> None:
    async with _saying(f"{KEY} is no HTTP\r\n\r\n".encode()) as url:
        with pytest.raises(NotReached, match="not HTTP") as raised:
            await _loopback().request("GET", url)
    _holds_no_key(raised.value)


def _holds_no_key(error: NotReached) -> None:
    assert KEY not in str(error)
    assert KEY not in repr(error.__cause__)


async def test_only_so_many_requests_are_at_one_target_at_once() -> None:
    receiver = Receiver("stall")
    own = _loopback()

    async def ask(url: str, timeout_s: float) -> None:
        with pytest.raises(NotReached):
            await own.request("GET", url, timeout_s=timeout_s)

    async with receiving(receiver) as url, anyio.create_task_group() as tasks:
        for _ in range(outbound.AT_ONCE):
            tasks.start_soon(ask, url, 60)
        with anyio.fail_after(30):
            while len(receiver.told) < outbound.AT_ONCE:
                await anyio.sleep(0.01)
        async with anyio.create_task_group() as others:
            for _ in range(outbound.AT_ONCE):
                others.start_soon(ask, url, 0.3)
        assert receiver.open_max == outbound.AT_ONCE
        tasks.cancel_scope.cancel()
    assert own._places == {}
