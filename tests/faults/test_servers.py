"""What matters most, on each ASGI server that `kefu serve` can run on.

On the default one every other test runs; with `KEFU_TESTS_SERVER=uvicorn` they run on
that. On granian the tests fail that look for what it lacks: its name in answers, its
own refusals in the counts, h2c refused (it answers over HTTP/1.1 instead).
"""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

import anyio
import pytest
from rich.progress import Progress

from benchmarks.crash import CrashOptions, run_crash
from kefu_core.errors import ConfigurationError
from kefu_core.protocol.codec import JSON
from kefu_core.protocol.frames import Follow, Frame, Hello, Ping
from kefu_core.types import ConversationId, Seq
from kefu_server import servers
from kefu_server.checks import Verdict
from kefu_server.checks.versions import check_program
from kefu_server.servers import SERVERS, find_server
from kefu_server.settings import Settings, setting_keys
from tests.faults.people import TRANSPORTS, Server, Story, Way, ports_of, running
from tests.faults.stopping import problems_of
from tests.security.wire import batch
from tests.server.process import HANDSHAKE, kefu

pytestmark = pytest.mark.timeout(90)
LONG = "茶" * 1_500


@pytest.fixture(scope="module", params=SERVERS[1:])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp(name)
    environ = {"KEFU_SERVER": name}
    with Server(folder, environ=environ, write_timeout_s=1.0) as server:
        yield server


def said(*frames: Frame) -> bytes:
    """Return a masked text message, whose mask changes nothing."""
    data = batch(JSON, *frames)
    size = len(data)
    length = b"\xfe" + size.to_bytes(2, "big") if size > 125 else bytes([128 + size])
    return b"\x81" + length + b"\0\0\0\0" + data


def opened(server: Server, *, reads_bytes: int = 0) -> socket.socket:
    """Return a bare WebSocket."""
    raw = socket.socket()
    raw.settimeout(15)
    if reads_bytes:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, reads_bytes)
    raw.connect(("127.0.0.1", server.port))
    raw.sendall(HANDSHAKE + b"\r\n")
    head = raw.recv(65_536)
    assert head.startswith(b"HTTP/1.1 101"), head
    assert b"kefu.v1.json" in head
    return raw


def heard(raw: socket.socket, word: bytes) -> bytes:
    """Read until a word, or to the end."""
    data = b""
    with suppress(ConnectionResetError):
        while word not in data and (more := raw.recv(65_536)):
            data += more
    return data


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_conversation_is_whole_over_each_transport(
    server: Server, transport: str
) -> None:
    async def talk() -> None:
        story = Story(server, time.monotonic)
        way = Way(ports_of(server), transport)
        visitor = story.person("v", server.visitor(), way)
        agent = story.person("a", server.agent_token, way)
        with anyio.fail_after(60):
            async with running(story):
                await story.begin(visitor, agent)
                for one in (visitor, agent) * 10:
                    await one.talk(5, per_s=200)
                await story.until_complete()
        verdict = await story.end()
        assert verdict.passed, (verdict.faults, verdict.life)
        assert verdict.counts.acknowledged == verdict.counts.sent == 100
        assert (visitor.down_count, agent.down_count) == (0, 0)

    anyio.run(talk)
    assert "Traceback" not in server.log


@pytest.mark.alone
@pytest.mark.parametrize("transport", ["websocket", "longpoll"])
def test_a_stop_under_load_tells_everybody_and_answers_every_send(
    name: str, transport: str
) -> None:
    options = CrashOptions(
        kills=1,
        clients=25,
        rate=50.0,
        signal="term",
        transport=transport,
        server=name,
        waits_for_all=True,
    )
    with Progress(disable=True) as progress:
        outcome = run_crash(options, progress)
    assert problems_of(outcome, options) == []
    assert outcome.verdict.counts.acknowledged > 50


def test_a_message_that_is_too_large_is_told_and_the_next_is_served(
    server: Server,
) -> None:
    with opened(server) as raw:
        raw.sendall(b"\x81\xff" + (200_000).to_bytes(8, "big") + b"\0\0\0\0")
        raw.sendall(b"x" * 200_000 + said(Ping()))
        data = heard(raw, b"pong")
        assert data.count(b"too_large") == 1
        assert b"pong" in data


def test_a_peer_that_does_not_read_is_cut_off_and_nobody_waits_for_it(
    server: Server,
) -> None:
    async def talk() -> None:
        story = Story(server, time.monotonic)
        visitor = story.person("v", server.visitor(), "websocket")
        agent = story.person("a", server.agent_token, "websocket")
        cut = "accepted nothing"
        with opened(server, reads_bytes=4_096) as deaf:
            with anyio.fail_after(60):
                async with running(story):
                    await story.begin(visitor, agent)
                    there = ConversationId(story.conversation)
                    deaf.sendall(said(Hello(token=server.agent_token)))
                    assert b"welcome" in heard(deaf, b"welcome")
                    deaf.sendall(said(Follow(conversation=there, after=Seq(0))))
                    before = server.log.count(cut)
                    while server.log.count(cut) == before:
                        await visitor.talk(20, per_s=200, size=len(LONG))
                    await story.until_complete()
        verdict = await story.end()
        assert verdict.passed, (verdict.faults, verdict.life)
        assert (visitor.down_count, agent.down_count) == (0, 0)

    anyio.run(talk)


def test_nothing_is_compressed_and_nothing_leaves_http_1(server: Server) -> None:
    offer = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    answer = server.exchange(HANDSHAKE + offer)
    assert answer.startswith(b"HTTP/1.1 101"), answer
    assert b"permessage-deflate" not in answer.lower()
    upgrade = b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
    for request in (
        upgrade + b"Upgrade: h2c\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
    ):
        answer = server.exchange(request)
        # Refused or, as if nothing had been asked for, answered.
        assert answer[:9] in (b"", b"HTTP/1.1 "), answer
        assert answer[9:12] != b"101", answer


def test_whoever_says_no_request_is_let_go(server: Server) -> None:
    # Only the end of the connection satisfies this.
    assert server.exchange(b"GET /healthz HTTP/1.1\r\nX", b"the end")[:10] in (
        b"",
        b"HTTP/1.1 4",
    )


def test_a_server_that_is_not_installed_is_named_in_one_sentence(
    name: Literal["uvicorn", "granian"], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"kefu_server.servers.with_{name}"
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.delattr(servers, f"with_{name}", raising=False)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigurationError) as raised:
        find_server(name)
    assert str(raised.value).endswith(f"pip install 'kefu[{name}]'")
    assert name in str(raised.value).partition("which is not installed")[0]
    (found, *_) = check_program(Settings(server=name))
    assert (found.verdict, found.facts["extra"]) == (Verdict.PROBLEM, name)


def test_the_command_line_chooses_too(tmp_path: Path) -> None:
    done = kefu(tmp_path, "serve", "--server", "wsgiref")
    assert done.returncode == 2
    assert "uvicorn" in done.stderr


def test_every_name_of_the_setting_is_a_server() -> None:
    (kind,) = (kind for key, kind, _ in setting_keys() if key == "server")
    assert get_args(kind) == SERVERS
    for name in SERVERS:
        assert find_server(name).__name__.lower() == f"{name}server"
