"""An agent's cookie counts from the console's own origin only, on every transport."""

import json
from collections.abc import Iterator

import anyio
import httpx
import pytest

from tests.faults.people import TRANSPORTS, Server
from tests.security.lines import COOKIE, OPEN

NOT_OURS = b"KEFU\x01\0\0\0"
"""What TCP answers to a beginning that is not its own: no codec is chosen."""
ORIGINS = {
    "none": None,
    "null": "null",
    "empty": "",
    "a page of somebody else": "https://evil.example",
    "our name as a part": "http://127.0.0.1:{port}.evil.example",
    "our name at the end": "http://evil127.0.0.1:{port}",
    "another port": "http://127.0.0.1:{other}",
    "no port": "http://127.0.0.1",
    "another scheme": "https://127.0.0.1:{port}",
    "capitals": "HTTP://127.0.0.1:{port}",
    "user information": "http://127.0.0.1:{port}@evil.example",
    "a user of ours": "http://user@127.0.0.1:{port}",
    "a dot at the end": "http://127.0.0.1.:{port}",
    "a path": "http://127.0.0.1:{port}/",
    "punycode": "http://xn--127-0-0-1-4ld:{port}",
    "twice": "http://127.0.0.1:{port}, http://127.0.0.1:{port}",
    "a file": "file://",
    "an extension": "chrome-extension://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


def filled(server: Server, origin: str | None) -> str | None:
    return origin and origin.format(port=server.port, other=server.port + 1)


@pytest.mark.parametrize("transport", ["websocket", "longpoll"])
def test_a_cookie_opens_a_connection_from_the_own_origin_alone(
    server: Server, transport: str
) -> None:
    let_in = []

    async def dial(name: str, origin: str | None) -> None:
        async with OPEN[transport](
            server, cookie=server.agent_token, origin=origin
        ) as line:
            if line.is_welcome:
                let_in.append(name)
            else:
                await line.until_ended()
                assert line.codes == ["unauthorized"], name

    async def dial_all() -> None:
        for name, origin in {**ORIGINS, "own": server.url}.items():
            await dial(name, filled(server, origin))

    anyio.run(dial_all)
    assert let_in == ["own"]


def test_a_browser_that_is_sent_to_the_tcp_port_says_nothing_with_its_cookie(
    server: Server,
) -> None:
    """Any page can make a browser send a request, cookie and all, to any port."""
    hello = json.dumps({"t": "hello", "v": 1, "token": ""})

    async def ask(origin: str, request: str) -> bytes:
        head = (
            f"{request} HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: {origin}\r\n"
            f"Cookie: {COOKIE}={server.agent_token}\r\n"
        )
        body = f"Content-Length: {len(hello)}\r\n\r\n{hello}"
        upgrade = (
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        answer = b""
        for rest in (body, upgrade):
            stream = await anyio.connect_tcp("127.0.0.1", server.tcp_port)
            async with stream:
                await stream.send((head + rest).encode())
                with anyio.fail_after(10):
                    try:
                        while True:
                            answer += await stream.receive()
                    except (anyio.EndOfStream, anyio.BrokenResourceError):
                        pass
        return answer

    async def ask_all() -> None:
        for origin in {**ORIGINS, "own": server.url}.values():
            for request in ("POST /kefu/poll", "GET /kefu/ws"):
                answer = await ask(filled(server, origin) or "", request)
                assert answer == 2 * NOT_OURS

    anyio.run(ask_all)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_token_needs_no_origin_and_a_visitors_is_none_as_cookie(
    server: Server, transport: str
) -> None:
    async def dial() -> None:
        token = server.visitor()
        async with OPEN[transport](server, token=token, origin=None) as line:
            assert line.is_welcome
        async with OPEN[transport](server, cookie=token, origin=server.url) as line:
            assert not line.is_welcome

    anyio.run(dial)


def test_a_request_with_the_cookie_counts_from_the_own_origin_alone(
    server: Server,
) -> None:
    cookie = server.log_in()
    for name, origin in ORIGINS.items():
        headers = {"cookie": f"{COOKIE}={cookie}"}
        if origin is not None:
            headers["origin"] = str(filled(server, origin))
        refused = httpx.post(
            f"{server.url}/api/agent/logout", json={}, headers=headers, trust_env=False
        )
        assert refused.status_code == 403, name
        assert "access-control-allow-origin" not in refused.headers, name
    headers = {"cookie": f"{COOKIE}={cookie}"}
    me = httpx.get(f"{server.url}/api/agent/me", headers=headers, trust_env=False)
    assert me.status_code == 200
