"""The demo: real text through the real append, a shop on its own origin."""

import random
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

import httpx
import pytest

from kefu_core.abc.archive import ConversationFilter
from kefu_core.ids import IdGenerator
from kefu_core.model import Agent, ConversationStatus, MessageKind, Site
from kefu_core.node import monotonic
from kefu_core.store.memory import MemoryStore
from kefu_server.demo.seed import DemoClock, seed
from kefu_server.demo.shop import serve_shop
from kefu_server.serve import open_listener
from tests.server.process import environment

pytest.importorskip("chatterbot_corpus")

NOW_MS = 1_800_000_000_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_the_history_is_real_ordered_and_in_the_past(agent: Agent) -> None:
    clock = DemoClock(NOW_MS)
    store = MemoryStore(now=monotonic, now_ms=clock, ids=IdGenerator(clock))
    site = Site(id=1, name="s", embed_key="k")
    await store.put_site(site)
    async with store:
        count = await seed(store, site, agent, clock, random.Random(1))
        rows = await store.find_conversations(ConversationFilter(), limit=100)
        assert count == len(rows) == 12
        assert clock.now_ms == NOW_MS
        for row in rows:
            log = await store.history(row.id)
            assert [message.seq for message in log] == list(range(1, row.last_seq + 1))
            times = [message.at for message in log]
            assert times == sorted(times)
            assert times[-1] < NOW_MS
            texts = [m.body for m in log if m.kind is MessageKind.TEXT]
            assert len(texts) >= 2
            assert all(texts)
        assert any("茶" in row.last_line or "的" in row.last_line for row in rows)
        closed = [row for row in rows if row.status is ConversationStatus.CLOSED]
        waiting = [row for row in rows if row.waiting_since is not None]
        queued = [row for row in rows if row.status is ConversationStatus.QUEUED]
        assert (len(closed), len(waiting), len(queued)) == (6, 4, 2)
        labels = {label for row in rows for label in row.labels}
        assert "support" in labels
        assert any("\u4e00" <= label[0] <= "\u9fff" for label in labels)
        days = {row.last_at // 86_400_000 for row in rows}
        assert len(days) > 8
        longest = await store.history(min(row.id for row in rows))
        assert longest[-1].at - longest[0].at > 5 * 86_400_000


def test_the_shop_embeds_the_widget_with_one_line() -> None:
    listener = open_listener("127.0.0.1", 0)
    port = listener.getsockname()[1]
    line = '<script async src="http://k/widget.js" data-site="x"></script>'
    with serve_shop(listener, line):
        html = httpx.get(f"http://127.0.0.1:{port}/").text
    assert html.count(line) == 1
    assert "{{" not in html
    assert "src=" not in html.replace(line, "")


class Demo:
    """A running `kefu demo` and what it printed."""

    def __init__(self, folder: Path, port: int) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "kefu_server", "demo"),
                *("--port", str(port), "--shop-port", str(port + 1)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment(folder),
        )
        lines: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        self.text = "".join(lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.rest, self.errors = self.process.communicate(timeout=20)
        return self.process.returncode


def test_the_demo_starts_stops_and_keeps_everything(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Demo(tmp_path, port) as first:
            assert first.stop() == 0, first.errors
        urls = re.findall(r"http://127\.0\.0\.1:(\d+)", first.text)
        assert "Stored 12 sample conversations." in first.text
        assert str(port) not in urls
        assert len(urls) == 2
    with Demo(tmp_path, port) as second:
        assert second.stop() == 0, second.errors
    assert "Stored" not in second.text
    password = re.compile(r"Password +(\S+)")
    assert password.findall(first.text) == password.findall(second.text) != []
    assert "Traceback" not in first.errors + second.errors
