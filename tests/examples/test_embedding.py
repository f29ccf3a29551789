"""kefu inside other applications, and a program beside the server, run for real."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from kefu_core.client import Client
from kefu_core.protocol.frames import MessageFrame
from tests.server.process import LOGIN, PASSWORD, ServerProcess, kefu

ROOT = Path(__file__).parents[2]


@contextmanager
def served(app: str, folder: Path) -> Iterator[str]:
    """Serve an application of `examples` by hypercorn, as its first lines say."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "hypercorn", f"examples.{app}:app"]
    command += ["--bind", f"127.0.0.1:{port}"]
    environ = {
        "PYTHONPATH": str(ROOT),
        "SHOP_DATABASE": f"sqlite+aiosqlite:///{folder}/shop.db",
    }
    with subprocess.Popen(
        command, cwd=folder, env=environ, stderr=subprocess.PIPE
    ) as process:
        try:
            _wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.communicate(timeout=20)
    assert process.returncode == 0


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        assert process.poll() is None, process.communicate()[1].decode()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the application does not listen")


async def talk(url: str, visitor: str, agent: str, transport: str) -> None:
    """Let the two talk, the visitor over one transport."""
    async with (
        Client(url, token=visitor, transport=transport) as asks,
        Client(url, token=agent) as answers,
    ):
        with anyio.fail_after(20):
            conversation = await asks.open_conversation()
            await answers.follow(conversation)
            await asks.follow(conversation)
            assert asks.transport == transport
            first = await asks.send(conversation, "发货了吗？")
            await answers.send(conversation, "发了。")
            seen = []
            async for event in asks.events():
                if isinstance(event, MessageFrame) and event.seq >= first.seq:
                    seen.append(event.body)
                if len(seen) == 2:
                    break
            assert seen == ["发货了吗？", "发了。"]


TRANSPORTS = pytest.mark.parametrize("transport", ["websocket", "longpoll"])


@TRANSPORTS
def test_a_visitor_and_an_agent_talk_inside_starlette(
    tmp_path: Path, transport: str
) -> None:
    with served("starlette_app", tmp_path) as url:
        anyio.run(talk, url, "v1", "a1", transport)


@TRANSPORTS
def test_a_visitor_and_an_agent_talk_inside_fastapi(
    tmp_path: Path, transport: str
) -> None:
    pytest.importorskip("fastapi", reason="fastapi is missing: its example was not run")
    with served("fastapi_app", tmp_path) as url:
        people = ({"name": "Ann"}, {"name": "Bo", "is_agent": True})
        answers = [httpx.post(f"{url}/token", json=person) for person in people]
        tokens = [answer.json()["token"] for answer in answers]
        anyio.run(talk, url, *tokens, transport)


async def ask(url: str, token: str) -> str:
    """Ask as a visitor; return the answer."""
    async with Client(url, token=token) as visitor:
        with anyio.fail_after(20):
            conversation = await visitor.open_conversation()
            await visitor.follow(conversation)
            await visitor.send(conversation, "什么时候发货？")
            async for event in visitor.events():
                if not isinstance(event, MessageFrame) or not event.body:
                    continue
                if event.sender.startswith("a"):
                    return event.body
    raise AssertionError("the events ended")


def test_the_bot_answers_over_tcp(tmp_path: Path) -> None:
    added = kefu(tmp_path, "site", "add", "Tea", "--origin", "http://shop.example")
    site = re.search(r'data-site="([^"]+)"', added.stdout)
    assert site, added
    with ServerProcess(tmp_path, KEFU_TCP_BIND="127.0.0.1:0") as server:
        headers = {"origin": server.url}
        with httpx.Client(base_url=server.url, headers=headers) as http:
            body = {"login": LOGIN, "password": PASSWORD}
            assert http.post("/api/agent/login", json=body).status_code == 200
            secret = http.cookies["kefu_session"]
            asked = http.post("/api/visitor/token", json={"site": site[1]})
        tcp = re.search(r"tcp=(tcp://\S+)", server.log)
        assert tcp, server.log
        command = [sys.executable, str(ROOT / "examples" / "tcp_bot.py"), tcp[1]]
        environ = {"KEFU_BOT_TOKEN": secret}
        with subprocess.Popen(command, env=environ) as bot:
            try:
                answer = anyio.run(ask, server.url, asked.json()["token"])
            finally:
                bot.kill()
    assert answer == "今天下单，明天发货。"
