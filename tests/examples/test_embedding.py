"""kefu inside other applications, and a program beside the server, run for real."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from kefu_core.client import Client, Rejected
from kefu_core.errors import ConnectionClosed
from kefu_core.protocol.frames import MessageFrame
from tests.examples.applications import ROOT, served
from tests.server.process import LOGIN, PASSWORD, ServerProcess, kefu

TRANSPORTS = pytest.mark.parametrize("transport", ["websocket", "longpoll"])


def shop(folder: Path) -> AbstractContextManager[str]:
    """Serve the FastAPI application."""
    pytest.importorskip("fastapi", reason="fastapi is missing: its example was not run")
    return served(
        "examples.fastapi_app:app",
        folder,
        SHOP_DATABASE=f"sqlite+aiosqlite:///{folder}/shop.db",
        SHOP_PASSWORD=PASSWORD,
    )


def log_in(url: str, **person: str) -> str:
    answer = httpx.post(f"{url}/token", json=person).raise_for_status()
    return str(answer.json()["token"])


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


@TRANSPORTS
def test_a_visitor_and_an_agent_talk_inside_starlette(
    tmp_path: Path, transport: str
) -> None:
    with served("examples.starlette_app:app", tmp_path) as url:
        anyio.run(talk, url, "v1", "a1", transport)


@TRANSPORTS
def test_a_visitor_and_an_agent_talk_inside_fastapi(
    tmp_path: Path, transport: str
) -> None:
    with shop(tmp_path) as url:
        ann, bo = log_in(url, name="Ann"), log_in(url, name="Bo", password=PASSWORD)
        anyio.run(talk, url, ann, bo, transport)


async def intrude(url: str, visitor: str, other: str) -> None:
    async with Client(url, token=visitor) as asks, Client(url, token=other) as eve:
        with anyio.fail_after(20):
            conversation = await asks.open_conversation()
            with pytest.raises(Rejected):
                await eve.send(conversation, "let me in")
            with pytest.raises(Rejected):
                await eve.call("conversation.take", {"conversation": conversation})
    async with Client(url, token="forged") as stranger:
        with anyio.fail_after(20), pytest.raises(ConnectionClosed, match="4001"):
            await stranger.open_conversation()


def test_the_fastapi_application_keeps_strangers_out(tmp_path: Path) -> None:
    with shop(tmp_path) as url:
        with pytest.raises(httpx.HTTPStatusError, match="403"):
            log_in(url, name="Bo", password="guessed")
        anyio.run(intrude, url, log_in(url, name="Ann"), log_in(url, name="Eve"))


@contextmanager
def bot(tcp_url: str, secret: str) -> Iterator[None]:
    """Run the bot until the end of the block, and kill it there."""
    command = [sys.executable, str(ROOT / "examples" / "tcp_bot.py"), tcp_url]
    with subprocess.Popen(
        command, env=os.environ | {"KEFU_BOT_TOKEN": secret}
    ) as process:
        try:
            yield
        finally:
            process.kill()


async def ask_a_mortal_bot(url: str, token: str, tcp_url: str, secret: str) -> None:
    async with Client(url, token=token) as visitor:
        conversation = await visitor.open_conversation()
        await visitor.follow(conversation)
        answers: list[str] = []

        async def answered(count: int) -> None:
            async for event in visitor.events():
                is_answer = isinstance(event, MessageFrame) and event.sender[0] == "a"
                if is_answer and event.body:
                    answers.append(event.body[:5])
                if len(answers) == count:
                    return

        with anyio.fail_after(40):
            await visitor.send(conversation, "什么时候发货？")
            with bot(tcp_url, secret):
                await answered(1)
            await visitor.send(conversation, "hello")
            with bot(tcp_url, secret):
                await answered(2)
                await visitor.send(conversation, "do you ship?")
                await answered(3)
        assert answers == ["今天下单，", "Someb", "Order"]


def test_a_bot_over_tcp_that_is_killed_answers_each_question_once(
    tmp_path: Path,
) -> None:
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
        token = asked.json()["token"]
        anyio.run(ask_a_mortal_bot, server.url, token, tcp[1], secret)
