"""Secrets go in at every place there is; no log shows one, and no line is forged."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import anyio
import httpx
import msgspec
import pytest

from kefu_core.protocol import frames as f
from tests.faults.people import TRANSPORTS, Server
from tests.security.lines import OPEN
from tests.server.process import HANDSHAKE, LOGIN, kefu

CANARY = "canary7f3a"
"""Part of every secret and of every text; in no log, whatever its level."""
FORGED = "\r\n2026-01-01T00:00:00.000Z INFO kefu.auth login agent=1\x1b[31m\u2028\u202e"
LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z (DEBUG|INFO|WARNING|ERROR) [\w.]+ \S")
HEADERS = (
    "Accept",
    "Accept-Language",
    "Authorization",
    "Content-Type",
    "Cookie",
    "If-None-Match",
    "Kefu-Session",
    "Origin",
    "Proxy-Authorization",
    "Range",
    "Referer",
    "Sec-Fetch-Site",
    "Sec-WebSocket-Protocol",
    "User-Agent",
    "X-Api-Key",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Real-Ip",
)
PATHS = (
    "/healthz",
    "/console",
    "/kefu/poll",
    "/kefu/ws",
    "/api/agent/me",
    "/api/agent/login",
    "/api/agent/logout",
    "/api/visitor/token",
    "/api/history/search",
    "/api/v1/conversations",
    "/api/v1/conversations/1/messages",
    "/none%0d%0aforged%1b[31m%e2%80%a8",
)


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose secrets are canaries, and which says all it can."""
    environ = {"KEFU_SECRET": f"{CANARY}-" * 5, "KEFU_LOG_LEVEL": "debug"}
    folder = tmp_path_factory.mktemp("server")
    # Where a request is refused whole, its poll session stays until its time-out.
    limits = {"visitor_connections_max": 500}
    with Server(folder, proxies="127.0.0.1", environ=environ, **limits) as server:
        yield server


def requests_with_canaries(server: Server, secrets: dict[str, str]) -> None:
    """Ask for everything, with a canary in each header, query and body in turn."""
    values = [CANARY, " ".join(secrets.values())]
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        for path in PATHS:
            for header in HEADERS:
                for value in values:
                    headers = {"Origin": server.url} | {header: value}
                    http.get(path, params={"token": value, "q": value}, headers=headers)
            headers = {"Origin": server.url}
            for text in (CANARY, CANARY + FORGED, CANARY * 500, f"{CANARY}\ud800"):
                for body in (
                    {"login": text, "password": text},
                    {"login": LOGIN, "password": text},
                    {"site": text, "token": text},
                    {"site": server.site.embed_key, "token": text},
                    {"poll": text, "hello": text},
                    {"poll": 1, "hello": {"t": "hello", "token": text}},
                    {text: text},
                    text,
                ):
                    data = json.dumps(body).encode()
                    kind = {"content-type": "application/json"}
                    http.post(path, content=data, headers=headers | kind)


def frames_with_canaries() -> Iterator[dict[str, Any]]:
    """Yield every frame a server receives, with canaries in all of its texts."""
    for kind in get_args(f.ClientFrame):
        name = str(kind.__struct_config__.tag)
        fields = {field.name for field in msgspec.structs.fields(kind)}
        for text in (CANARY + FORGED, f"{CANARY}\ud800", {CANARY: CANARY}):
            frame: dict[str, Any] = dict.fromkeys(fields, text)
            numbers = {"conversation": 1, "seq": 1, "n": 1, "v": 1, "limit": 1}
            yield {"t": name, **frame}
            yield {"t": name, **frame, **{k: numbers[k] for k in fields & set(numbers)}}
            if name == "call":
                params = {CANARY: text}
                yield {"t": name, "id": "1", "method": "people.get", "params": params}
    yield {"t": CANARY + FORGED}


async def talk_with_canaries(server: Server, transport: str, token: str) -> None:
    """Write texts that are stored, and say everything else that can be said."""
    way = OPEN[transport]
    async with way(server, token) as line:
        assert line.is_welcome
        await line.say({"t": "call", "id": "o", "method": "conversation.open"})
        opened = await line.until("reply")
        conversation = opened["result"]["conversation"]["id"]
        send = {"t": "send", "conversation": conversation, "n": 1, "key": CANARY}
        body = CANARY + FORGED
        await line.say({**send, "body": body})
        await line.until("sent")
        await line.say({"t": "follow", "conversation": conversation})
        await line.say({"t": "typing", "conversation": conversation, "text": CANARY})
        await line.say({"t": "auth", "token": CANARY})
        await line.say({"t": "fetch", "id": CANARY, "conversation": conversation})
        page = await line.until("page")
        assert page["messages"][0]["body"] == body, line.codes
    for frame in frames_with_canaries():
        async with way(server, token) as line:
            await line.say(frame, {"t": "ping"})
            # Over long poll the request itself is answered.
            if frame["t"] != "bye" and transport != "longpoll":
                await line.until("pong")
    for wrong in (CANARY, f"{CANARY}.{CANARY}.{CANARY}", CANARY + FORGED):
        async with way(server, wrong) as line:
            assert not line.is_welcome


def test_no_log_shows_a_secret_and_no_line_of_it_is_forged(server: Server) -> None:
    token = server.visitor()
    secrets = {"visitor": token, "agent": server.agent_token}
    requests_with_canaries(server, secrets)
    for transport in TRANSPORTS:
        anyio.run(talk_with_canaries, server, transport, token)
    server.exchange(HANDSHAKE + f"Cookie: {CANARY}=\x01;;{CANARY}\r\n\r\n".encode())
    assert server.stop() == 0
    log = server.log
    lines = log.splitlines()
    assert lines == log.split("\n")[:-1], "something else than our end ends a line"
    for said in ("status=401", "status=404", "login_refused", "hello_refused"):
        assert said in log, said
    for secret in (CANARY, *secrets.values()):
        assert secret not in log, log[log.index(secret) - 300 :][:600]
    assert [line for line in lines if not LINE.match(line)] == []
    # Of every line about a connection one can say which it was, on all transports.
    ends = [line for line in lines if " disconnected with " in line]
    assert len(ends) > 20
    assert [line for line in ends if " connection=" not in line] == []
    assert [line for line in lines if not line.isprintable()] == []
    assert "fault of ours" not in log
    assert "traceback" not in log.lower()


@pytest.mark.parametrize(
    ("name", "value", "command"),
    [
        ("KEFU_SECRET", CANARY, ("serve",)),
        ("KEFU_DATABASE_URL", CANARY, ("agent", "list")),
        ("KEFU_DATABASE_URL", f"mysql://u:{CANARY}@[", ("agent", "list")),
        (
            "KEFU_DATABASE_URL",
            f"postgresql+asyncpg://u:{CANARY}@127.0.0.1:1/x",
            ("agent", "list"),
        ),
    ],
)
def test_a_secret_that_will_not_do_is_not_repeated(
    tmp_path: Path, name: str, value: str, command: tuple[str, ...]
) -> None:
    done = kefu(tmp_path, *command, **{name: value})
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert "Traceback" not in told
    assert CANARY not in told
