"""Live sockets of the real server: who may open one, and what ends it."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.server.process import LOGIN, PASSWORD, ServerProcess, kefu

FOREIGN = [
    None,
    "null",
    "http://evil.example",
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    "https://127.0.0.1:{port}",
    "http://127.0.0.1:{port}.evil.example",
    "http://user@127.0.0.1:{port}",
]


@contextmanager
def browser(server: ServerProcess) -> Iterator[httpx.Client]:
    """Yield a logged-in browser on the server's own origin."""
    headers = {"origin": server.url}
    with httpx.Client(base_url=server.url, headers=headers) as client:
        body = {"login": LOGIN, "password": PASSWORD}
        assert client.post("/api/agent/login", json=body).status_code == 200
        yield client


def log_in(server: ServerProcess) -> str:
    """Return the cookie of a new login."""
    with browser(server) as client:
        return client.cookies["kefu_session"]


@contextmanager
def live(
    server: ServerProcess, origin: str | None, cookie: str = "", token: str = ""
) -> Iterator[tuple[ClientConnection, list[dict[str, Any]]]]:
    """Open a socket and say hello; yield it with the first frames it got."""
    headers = {"cookie": f"kefu_session={cookie}"} if cookie else {}
    with connect(
        f"ws://127.0.0.1:{server.port}/kefu/ws",
        subprotocols=[Subprotocol("kefu.v1.json")],
        additional_headers=headers,
        origin=Origin(origin) if origin is not None else None,
    ) as socket:
        socket.send(json.dumps({"t": "hello", "v": 1, "token": token}))
        yield socket, frames(socket.recv(timeout=10))


def frames(text: str | bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line]


def rest(socket: ClientConnection) -> tuple[list[dict[str, Any]], int]:
    """Return every further frame and the close code."""
    received: list[dict[str, Any]] = []
    while True:
        try:
            received += frames(socket.recv(timeout=10))
        except ConnectionClosed as closed:
            return received, closed.rcvd.code if closed.rcvd else 1006


def test_an_agents_cookie_opens_a_socket_from_the_own_origin_only(
    server: ServerProcess,
) -> None:
    cookie = log_in(server)
    with live(server, server.url, cookie) as (_, first):
        assert first[0]["t"] == "welcome"
        assert first[0]["me"]["role"] == "agent"
    for origin in FOREIGN:
        filled = origin and origin.format(port=server.port)
        with live(server, filled, cookie) as (socket, first):
            later, code = rest(socket)
            kinds = {frame["t"] for frame in first + later}
            assert "welcome" not in kinds, origin
            assert code == 4001, origin


def test_a_visitors_token_opens_a_socket_and_a_garbled_one_does_not(
    server: ServerProcess,
) -> None:
    with browser(server) as client:
        assert client.post("/api/visitor/token", json={"site": "x"}).status_code == 404
    with live(server, server.url, token="a.b.c") as (socket, first):
        assert first[0]["t"] == "error"
        assert first[0]["code"] == "unauthorized"
        assert rest(socket)[1] == 4001


def test_logging_out_ends_the_live_socket(server: ServerProcess) -> None:
    with browser(server) as client:
        cookie = client.cookies["kefu_session"]
        with live(server, server.url, cookie) as (socket, first):
            assert first[0]["t"] == "welcome"
            assert client.post("/api/agent/logout", json={}).status_code == 200
            assert rest(socket)[1] == 4001
        with live(server, server.url, cookie) as (socket, first):
            assert first[0]["t"] == "error"


def test_a_new_password_given_by_command_ends_the_live_socket(
    server: ServerProcess,
) -> None:
    with live(server, server.url, log_in(server)) as (socket, first):
        assert first[0]["t"] == "welcome"
        text = "another " + PASSWORD + "\n"
        changed = kefu(server.folder, "agent", "password", LOGIN, text=text)
        assert changed.returncode == 0, changed.stderr
        assert rest(socket)[1] == 4001


def test_a_deactivated_account_is_cut_off_and_kept_out_until_it_is_activated(
    server: ServerProcess,
) -> None:
    with browser(server) as client:
        cookie = client.cookies["kefu_session"]
        with live(server, server.url, cookie) as (socket, first):
            assert first[0]["t"] == "welcome"
            gone = kefu(server.folder, "agent", "deactivate", LOGIN)
            assert gone.returncode == 0, gone.stderr
            assert rest(socket)[1] == 4001
        body = {"login": LOGIN, "password": PASSWORD}
        assert client.get("/api/agent/me").status_code == 401
        assert client.post("/api/agent/login", json=body).status_code == 401
        assert kefu(server.folder, "agent", "activate", LOGIN).returncode == 0
        assert client.get("/api/agent/me").status_code == 401, "an old login is back"
        assert client.post("/api/agent/login", json=body).status_code == 200


def test_one_login_too_many_ends_the_live_socket_of_the_oldest(
    server: ServerProcess,
) -> None:
    with live(server, server.url, log_in(server)) as (socket, first):
        assert first[0]["t"] == "welcome"
        for _ in range(10):
            newest = log_in(server)
        assert rest(socket)[1] == 4001
    with live(server, server.url, newest) as (_, first):
        assert first[0]["t"] == "welcome"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_tells_every_socket_to_come_back(
    server: ServerProcess, number: signal.Signals
) -> None:
    cookie = log_in(server)
    with live(server, server.url, cookie) as (socket, _):
        server.process.send_signal(number)
        received, code = rest(socket)
    assert "drain" in {frame["t"] for frame in received}
    assert code == 4200
    assert server.process.wait(timeout=15) == 0
