"""The real server process: what it refuses on the wire, and how it stops."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kefu_core.errors import ConfigurationError
from kefu_core.transports.sockets import BACKLOG, SEND_BUFFER_BYTES, USER_TIMEOUT_MS
from kefu_server.serve import open_listener
from tests.server.process import HANDSHAKE, PASSWORD, ServerProcess, environment, kefu


def test_a_body_over_the_limit_is_refused_unread(server: ServerProcess) -> None:
    head = (
        "POST /api/agent/login HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n"
        f"Origin: {server.url}\r\nContent-Type: application/json\r\n\r\n"
    )
    answer = server.exchange(head.encode() + b"x" * 70_000)
    assert answer.startswith(b"HTTP/1.1 413"), answer


def test_the_server_does_not_say_what_it_is_made_of(server: ServerProcess) -> None:
    answer = server.exchange(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").lower()
    assert b"hypercorn" not in answer
    assert b"\r\nserver:" not in answer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_with_status_0(server: ServerProcess, number: int) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as idle:
        idle.sendall(HANDSHAKE + b"\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 101")
        assert server.stop(number) == 0
    assert "stopped" in server.log
    assert "Traceback" not in server.log
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_a_port_that_is_taken_gives_one_sentence_and_status_2(
    server: ServerProcess,
) -> None:
    bind = f"127.0.0.1:{server.port}"
    done = kefu(server.folder, "serve", KEFU_BIND=bind)
    assert done.returncode == 2
    assert bind in done.stderr
    assert "choose another" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_log_shows_no_secret(server: ServerProcess) -> None:
    body = f'{{"login":"ana","password":"{PASSWORD}-canary"}}'
    head = (
        "POST /api/agent/login?canary=1 HTTP/1.1\r\nHost: h\r\n"
        f"Origin: {server.url}\r\nContent-Type: application/json\r\n"
        f"Cookie: kefu_session=canary\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    assert server.exchange((head + body).encode()).startswith(b"HTTP/1.1 401")
    assert server.exchange(
        b"GET /x%0d%0aforged%1b[31m HTTP/1.1\r\nHost: h\r\n\r\n"
    ).startswith(b"HTTP/1.1 404")
    assert server.stop() == 0
    assert "path=/api/agent/login status=401" in server.log
    assert "canary" not in server.log
    assert "\\u000d\\u000aforged\\u001b[31m" in server.log
    assert "\x1b" not in server.log


def test_accepted_connections_inherit_time_out_and_buffer() -> None:
    with open_listener("127.0.0.1", 0) as listener:
        listener.setblocking(True)
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                timeout = accepted.getsockopt(
                    socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT
                )
                keepalive = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                buffer = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    assert timeout == USER_TIMEOUT_MS
    assert keepalive == 1
    # Linux doubles the value it is given.
    assert buffer <= 2 * SEND_BUFFER_BYTES
    assert BACKLOG == 4096


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(ConfigurationError, match="choose another address"):
        open_listener("192.0.2.1", 8080)


HANGS = """
import sys, time
from kefu_server.serve import run
from kefu_server.settings import load_settings

async def hang(settings):
    sys.stdout.write("hangs\\n")
    sys.stdout.flush()
    time.sleep(60)

run(load_settings(), on_ready=hang)
"""


def test_a_stop_that_hangs_ends_at_the_deadline(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HANGS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment(tmp_path, KEFU_LIMITS_STOP_S="0.5"),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "hangs\n"
    process.send_signal(signal.SIGTERM)
    # The 20 s are far below the minute for which the loop hangs.
    process.communicate(timeout=20)
    assert process.returncode == 1


POLL = (
    b"POST /kefu/poll HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n"
    b"Content-Type: application/json\r\n\r\n%b"
)
REFUSALS = [
    (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 70_000, b"431", "http:431=1"),
    (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400", "http:400=1"),
    (
        HANDSHAKE.replace(b"Protocol: kefu.v1.json", b"Protocol: chat") + b"\r\n",
        b"400",
        "websocket:400=1",
    ),
    (POLL % (10, b'{"poll":1}'), b"410", "longpoll:410=1"),
    (POLL % (99_999, b""), b"413", "longpoll:413=1"),
]


def test_what_was_refused_is_answered_and_said_at_the_stop(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        for said, status, _ in REFUSALS:
            answer = server.exchange(said)
            assert answer.startswith(b"HTTP/1.1 " + status), answer
        assert server.stop() == 0
    (line,) = [line for line in server.log.splitlines() if " counted " in line]
    for _, _, counted in REFUSALS:
        assert counted in line
