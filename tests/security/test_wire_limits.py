"""Slow, oversized, lying and poisonous peers of a real server, on every transport."""

import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress

import anyio
import httpx
import psutil
import pytest

from kefu_core.protocol.codec import JSON, MSGPACK
from kefu_core.protocol.frames import Hello
from kefu_core.protocol.framing import preface, with_length
from tests.faults.people import TRANSPORTS, Server, Story, running
from tests.fuzz.inputs import poison
from tests.security.wire import SlowPeer, batch, poison_all
from tests.server.process import HANDSHAKE

pytestmark = pytest.mark.timeout(60)

HELLO_S = 1.5
GONE_S = 15.0
"""By then the server has ended every attacker; its longest time-out is 5 s."""
PAUSE_S = 0.25
EACH = 12


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"hello_timeout_s": HELLO_S, "poll_body_s": HELLO_S}
    folder = tmp_path_factory.mktemp("server")
    with Server(folder, **limits, visitor_connections_max=50) as server:
        yield server


POST = (
    b"POST /kefu/poll HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n"
)
HELLO = with_length(batch(JSON, Hello(token="nobody's")))
ENDLESS = b"x" * 10_000
SLOW: dict[str, tuple[bytes, bytes]] = {
    # Where: what is said at once, and what slowly.
    "tcp preface": (b"", preface(JSON)[:7] + b""),
    "tcp nothing": (b"", b""),
    "tcp no hello": (preface(JSON), b""),
    "tcp half a hello": (preface(JSON) + HELLO[:6], HELLO[6:-1]),
    "tcp endless length": (preface(JSON) + b"\0\0\xff\xff", ENDLESS),
    "http nothing": (b"", b""),
    "http headers": (b"GET /healthz HTTP/1.1\r\n", b"X-X: " + ENDLESS),
    "http no end of headers": (POST, b""),
    "http websocket headers": (HANDSHAKE, b"X-X: " + ENDLESS),
    "http no hello": (HANDSHAKE + b"\r\n", b""),
    "http half a websocket message": (HANDSHAKE + b"\r\n\x01\xfe\x10\x00abcd", ENDLESS),
    "http body": (POST + b"\r\n", ENDLESS),
    "http no body": (POST + b"\r\n", b""),
}


async def talk_while_attacked(server: Server, attackers: list[SlowPeer]) -> float:
    """Let people talk on every transport meanwhile; how long until all were gone."""
    stories = []
    for transport in TRANSPORTS:
        story = Story(server, time.monotonic)
        url = f"tcp://127.0.0.1:{server.tcp_port}" if transport == "tcp" else server.url
        visitor = story.person("v", server.visitor(), transport, url)
        agent = story.person("a", server.agent_token, transport, url)
        stories.append((story, visitor, agent))
    async with anyio.create_task_group() as tasks:
        began = time.monotonic()
        for attacker in attackers:
            tasks.start_soon(attacker.run, PAUSE_S)

        async def talk(story: Story, *people: object) -> None:
            visitor, agent = story.people
            async with running(story):
                await story.begin(visitor, agent)
                for one in (visitor, agent) * 5:
                    await one.talk(4, per_s=20)
                await story.until_complete()
            verdict = await story.end()
            assert verdict.passed, (verdict.faults, verdict.life)
            assert [person.down_count for person in story.people] == [0, 0]

        for story in stories:
            tasks.start_soon(talk, *story)
        with anyio.move_on_after(GONE_S):
            while not all(attacker.is_ended for attacker in attackers):
                await anyio.sleep(0.05)
        gone_s = time.monotonic() - began
        left = {one.name for one in attackers if not one.is_ended}
        assert not left, "still there"
        tasks.cancel_scope.cancel()
    return gone_s


def test_slow_peers_are_let_go_and_real_ones_talk_on(server: Server) -> None:
    attackers = []
    for number, (name, (said, slowly)) in enumerate(SLOW.items()):
        port = server.tcp_port if name.startswith("tcp") else server.port
        for _ in range(EACH):
            address = f"127.0.1.{number + 1}"
            attackers.append(SlowPeer(name, address, port, said, slowly))
    anyio.run(talk_while_attacked, server, attackers)
    assert "fault of ours" not in server.log


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_poison_is_answered_or_ends_its_own_connection_alone(
    server: Server, transport: str
) -> None:
    answers = anyio.run(poison_all, server, transport, server.visitor(), poison())
    assert len(answers) > 100
    silent = [name for name, answer in answers.items() if not answer]
    assert not silent
    # What the server thinks of it is short.
    assert max(map(len, answers.values())) < 40_000
    assert "fault of ours" not in server.log
    assert "Traceback" not in server.log


def oversize(length: int) -> bytes:
    """Return the head of a masked text message, whose mask changes nothing."""
    return b"\x81\xff" + length.to_bytes(8, "big") + b"\0\0\0\0"


def test_a_websocket_message_without_end_is_not_collected(server: Server) -> None:
    memory = psutil.Process(server.process.pid).memory_info
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(HANDSHAKE + b"\r\n")
        assert raw.recv(65_536).startswith(b"HTTP/1.1 101")
        before = memory().rss
        raw.sendall(oversize(2**40))
        with suppress(ConnectionError):
            for _ in range(1_000):
                raw.sendall(b"x" * 65_536)
        assert memory().rss - before < 8 * 2**20


def test_a_websocket_message_that_is_too_large_is_told_and_skipped(
    server: Server,
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(HANDSHAKE + b"\r\n")
        assert raw.recv(65_536).startswith(b"HTTP/1.1 101")
        ping = b'{"t":"ping"}'
        raw.sendall(oversize(200_000) + b"x" * 200_000)
        raw.sendall(b"\x81\x8c\0\0\0\0" + ping)
        heard = b""
        while b"pong" not in heard and (data := raw.recv(65_536)):
            heard += data
        assert heard.count(b"too_large") == 1
        assert b"pong" in heard


def test_a_length_that_lies_costs_nothing(server: Server) -> None:
    memory = psutil.Process(server.process.pid).memory_info
    lie = (2**32 - 1).to_bytes(4, "big")
    requests = {
        server.tcp_port: [
            preface(MSGPACK) + lie + b"x" * 100,
            preface(JSON) + HELLO + lie + b"x" * 100,
        ],
        server.port: [
            HANDSHAKE + b"\r\n\x82\xff" + (2**63 - 1).to_bytes(8, "big") + b"abcdx",
            HANDSHAKE + b"\r\n\x82\xff" + (2**32 - 1).to_bytes(8, "big") + b"abcdx",
            POST.replace(b"1000", b"4294967295") + b"\r\n{",
            POST.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked")
            + b"\r\nffffffff\r\n{",
        ],
    }

    async def lie_often(count: int) -> None:
        async with anyio.create_task_group() as tasks:
            for port, all_said in requests.items():
                for number, said in enumerate(all_said):
                    for _ in range(count):
                        peer = SlowPeer("", f"127.0.2.{number + 1}", port, said, b"")
                        tasks.start_soon(peer.run, PAUSE_S)

    anyio.run(lie_often, 5)
    before = memory().rss
    count = 40
    anyio.run(lie_often, count)
    assert memory().rss - before < 6 * count * 65_536


@pytest.mark.parametrize(
    "encoding", ["gzip", "deflate", "br", "zstd", "gzip, identity", "GZIP", "x-gzip"]
)
def test_a_compressed_body_is_refused_before_it_is_read(
    server: Server, encoding: str
) -> None:
    bomb = zlib.compress(b"[" * 50_000_000, 9)
    for path in ("/kefu/poll", "/api/visitor/token"):
        answer = httpx.post(
            f"{server.url}{path}",
            content=bomb,
            headers={
                "content-encoding": encoding,
                "content-type": "application/json",
                "origin": server.url,
            },
            trust_env=False,
        )
        assert answer.status_code == 415, answer.text


def test_a_websocket_message_that_claims_to_be_compressed_ends_it(
    server: Server,
) -> None:
    """Compression was not agreed on, so its bit is a violation (RFC 6455, 5.2)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(b"[" * 30_000_000) + packer.flush(zlib.Z_SYNC_FLUSH)
    head = b"\xc1\xfe" + len(bomb[:60_000]).to_bytes(2, "big") + b"\0\0\0\0"
    said = HANDSHAKE + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(said)
        answer = raw.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 101")
        assert b"permessage-deflate" not in answer.lower()
        raw.sendall(head + bomb[:60_000])
        with suppress(ConnectionResetError):
            # Nothing, or a close that says why.
            assert raw.recv(65_536)[:1] in (b"", b"\x88")
            assert raw.recv(65_536) == b""
