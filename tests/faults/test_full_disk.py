"""The disk is full: nothing acknowledged is lost, reads go on, and it heals itself."""

import os
import sqlite3
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from kefu_core.limits import Limits
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import CODECS, server_frame_decoder
from kefu_core.types import ConversationId
from tests.faults.people import LOOK_S, Server, Story, running
from tests.security.wire import batch

pytestmark = pytest.mark.anyio
SIZE = 24 * 1024 * 1024
HEALED_S = 15.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, so small that a test can fill it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no tmpfs can be mounted here ({error}); no full disk was tried")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def server(small_disk: Path) -> Iterator[Server]:
    """A server that keeps everything there."""
    with Server(small_disk) as server:
        yield server


def fill(disk: Path) -> Path:
    """Leave no room at all; returns the file that took it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return ballast


def readiness(server: Server) -> int:
    """Return the status of `/readyz`."""
    try:
        with urllib.request.urlopen(f"{server.url}/readyz", timeout=15) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


async def refusal_of_one_send(server: Server, conversation: int) -> f.ErrorFrame:
    """Send as an agent who does not try again, and return the refusal."""
    codec = CODECS["json"]
    decoder = server_frame_decoder(codec, Limits())
    async with connect(
        f"{server.url.replace('http', 'ws')}/kefu/ws",
        subprotocols=[Subprotocol("kefu.v1.json")],
        compression=None,
        proxy=None,
    ) as peer:
        send = f.Send(
            key="raw", conversation=ConversationId(conversation), body="满了", n=1
        )
        hello = f.Hello(token=server.agent_token)
        await peer.send(batch(codec, hello), text=True)
        while True:
            for frame in decoder.decode(await peer.recv(decode=False)):
                if isinstance(frame, f.Welcome):
                    await peer.send(batch(codec, send), text=True)
                if isinstance(frame, f.ErrorFrame):
                    return frame


@pytest.mark.timeout(120)
async def test_a_full_disk_refuses_loses_nothing_and_heals_without_a_restart(
    small_disk: Path, server: Server
) -> None:
    story = Story(server, anyio.current_time)
    visitor = story.person("visitor", server.visitor(), "websocket")
    agent = story.person("agent", server.agent_token, "longpoll")
    with anyio.fail_after(100):
        async with running(story):
            await story.begin(visitor, agent)
            await visitor.talk(20, per_s=100)
            await story.until_complete()
            ballast = await anyio.to_thread.run_sync(fill, small_disk)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(visitor.talk, 60, 100.0, 2_000)
                tasks.start_soon(agent.talk, 60, 100.0, 2_000)
            refused = await refusal_of_one_send(server, story.conversation)
            assert (refused.code, refused.retry) == ("storage_full", "same")
            assert visitor.waiting
            assert agent.waiting
            # What is there can be read, by whoever comes now.
            page = await agent.client.fetch(story.conversation, after=0, limit=20)
            assert [m.seq for m in page.messages] == list(range(1, 21))
            assert await anyio.to_thread.run_sync(readiness, server) == 503
            assert {person.down_count for person in story.people} == {0}
            os.truncate(ballast, 0)
            with anyio.fail_after(HEALED_S):
                await story.until_complete()
                while await anyio.to_thread.run_sync(readiness, server) != 200:
                    await anyio.sleep(LOOK_S)
            assert server.process.poll() is None
        verdict = await story.end()
    assert verdict.passed, verdict.problems
    database = sqlite3.connect(small_disk / "data" / "kefu.db")
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
