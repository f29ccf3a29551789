"""What docs/howto says of transports and embedding, done as it is written there."""

import re
import tomllib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

from kefu_core.abc.transports import DialOptions
from kefu_core.client import Client
from kefu_core.client.dialing import dialers
from kefu_core.errors import ConnectionClosed
from kefu_core.limits import Limits
from kefu_core.node import Node, monotonic, unix_ms
from kefu_core.protocol import chooser
from kefu_core.protocol.frames import MessageFrame
from kefu_core.store.memory import MemoryStore
from kefu_core.testing.serving import OpenHandler
from kefu_core.transports.registry import GROUP
from kefu_server.settings import load_settings
from tests.examples.applications import served

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
TRANSPORTS = (HOWTO / "transports.md").read_text("utf-8")
README = (HOWTO.parents[1] / "README.md").read_text("utf-8")
EMBEDDING = (HOWTO / "embedding.md").read_text("utf-8")
WAIT_S = 20.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def application(folder: Path) -> AbstractContextManager[str]:
    """Serve the page's application as the page's command does."""
    (folder / "chat.py").write_text(blocks(EMBEDDING, "python")[0], "utf-8")
    hypercorn, app, *_ = blocks(EMBEDDING, "sh")[1].split()
    assert hypercorn == "hypercorn"
    return served(app, folder)


def run_the_readmes_client(url: str) -> None:
    code = blocks(README, "python")[0]
    for shown, real in (("http://127.0.0.1:8080", url), ("…", "token of a customer")):
        assert shown in code
        code = code.replace(shown, real)
    exec(code, {})


@pytest.mark.anyio
async def test_the_pages_application_stores_what_the_pages_client_sends(
    tmp_path: Path,
) -> None:
    with application(tmp_path) as url, anyio.fail_after(WAIT_S):
        scope: dict[str, Any] = {}
        code = blocks(EMBEDDING, "python")[1]
        exec(code.replace("http://127.0.0.1:8000", url), scope)
        assert await scope["ask"]() == 1
        await anyio.to_thread.run_sync(run_the_readmes_client, url)
        for transport in ("websocket", "longpoll"):
            async with (
                Client(url, token="token of a customer", transport=transport) as asks,
                Client(url, token="token of an agent", transport=transport) as answers,
            ):
                number = await asks.open_conversation()
                await answers.follow(number)
                said = await asks.send(number, f"over {transport}")
                async for event in answers.events():
                    if isinstance(event, MessageFrame) and event.seq == said.seq:
                        assert event.body == f"over {transport}"
                        break
        async with Client(url, token="token of nobody") as stranger:
            with pytest.raises(ConnectionClosed, match="4001"):
                await stranger.open_conversation()


@pytest.mark.anyio
async def test_the_pages_lines_serve_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    from kefu_core.transports import sockets

    opened, listeners = anyio.create_memory_object_stream[Any](1)
    open_listener = sockets.open_listener

    async def open_free(host: str, port: int) -> Any:
        listener = await open_listener(host, 0)
        await opened.send(listener)
        return listener

    monkeypatch.setattr(sockets, "open_listener", open_free)
    scope: dict[str, Any] = {}
    exec(blocks(EMBEDDING, "python")[2], scope)
    store = MemoryStore(now=monotonic, now_ms=unix_ms)
    with opened, listeners, anyio.fail_after(WAIT_S):
        async with (
            Node(store, OpenHandler(store), Limits()) as node,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(scope["serve_tcp"], node)
            listener = await listeners.receive()
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            async with Client(f"tcp://127.0.0.1:{port}", token="v1") as client:
                await client.wait_live()
                assert client.transport == "tcp"
            tasks.cancel_scope.cancel()


def test_the_settings_on_the_page_are_settings(tmp_path: Path) -> None:
    lower, tcp, entry_point = blocks(TRANSPORTS, "toml")
    for text in (lower, tcp):
        (tmp_path / "kefu.toml").write_text(text, "utf-8")
        settings = load_settings(tmp_path / "kefu.toml", environ={})
        for section, values in tomllib.loads(text).items():
            for name, value in values.items():
                assert getattr(getattr(settings, section), name) == value
    assert list(tomllib.loads(entry_point)["project"]["entry-points"]) == [GROUP]


def test_the_defaults_and_numbers_on_the_page_are_those_of_the_code() -> None:
    limits = Limits()
    rows = re.findall(r"^\| `limits\.(\w+)` \| (\d+) \|", TRANSPORTS, re.MULTILINE)
    assert len(rows) == 6
    for name, value in rows:
        assert getattr(limits, name) == float(value), name
    silence_s = limits.heartbeat_s * limits.silent_intervals
    for sentence in (
        f"`welcome` within {chooser.WELCOME_TIMEOUT_S:.0f} s",
        f"two heartbeats ({silence_s:.0f} s)",
        f"each time within {chooser.YOUNG_S:.0f} s",
        f"lives for {limits.poll_session_s:.0f} s",
    ):
        assert sentence in TRANSPORTS, sentence
    assert (chooser.YOUNG_DEATHS_MAX, chooser.PROBE_FIRST_S) == (2, 60.0)
    assert chooser.PROBE_MAX_S == 1_800.0


def test_each_line_of_the_page_dials_what_it_says() -> None:
    lines = blocks(TRANSPORTS, "python")[0].splitlines()

    def client(url: str, transport: str = "auto") -> list[str]:
        return list(dialers(url, transport, DialOptions()))

    dialled = [eval(line, {"Client": client}) for line in lines]
    assert dialled == [["websocket", "longpoll"], ["longpoll"], ["tcp"]]
