"""A server is killed while files come in: each is sent once, nothing is left over."""

import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.abc
import httpx
import pytest

from benchmarks.ports import HOST
from benchmarks.target import ADDRESSES, Kefu
from kefu_core.followers.files import PENDING_MS, FileSweep
from kefu_core.model import Message, MessageKind
from kefu_core.node import monotonic, unix_ms
from kefu_core.records import Attachment, AttachmentStatus
from kefu_core.storage.local import LocalFiles, Spool
from kefu_core.store.sql import SqlStore
from kefu_core.types import ConversationId, Seq
from tests.depth import times
from tests.server.rooms import picture

pytestmark = pytest.mark.anyio
SENDERS = 6
AHEAD_MS = PENDING_MS + 60_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Sender:
    """A visitor's widget that sends one file after another, each until it is said."""

    def __init__(self, number: int, server: Kefu) -> None:
        self.token = server.visitor_token()
        self.conversation = server.open_conversation(self.token)
        self.sent: dict[str, tuple[int, bytes]] = {}
        """Where each key's message stands, and what was sent."""
        self.repeats = 0
        self._number = number
        self._url = f"http://{HOST}:{server.port}"
        self._address = f"{HOST[:-1]}{2 + number % ADDRESSES}"

    async def send(self, is_over: anyio.Event) -> None:
        while not is_over.is_set() and len(self.sent) < 18:
            key = f"key-{len(self.sent)}"
            content = picture(size=(300, 200)) if len(self.sent) % 5 == 0 else b""
            content += random.Random(f"{self._number} {key}").randbytes(40_000)
            self.sent[key] = (await self._until_said(key, content), content)

    async def _until_said(self, key: str, content: bytes) -> int:
        while True:
            transport = httpx.AsyncHTTPTransport(local_address=self._address)
            try:
                async with httpx.AsyncClient(transport=transport, timeout=10) as client:
                    answer = await client.put(
                        f"{self._url}/api/conversations/{self.conversation}/files/{key}",
                        params={"name": f"{key}.bin"},
                        content=content,
                        headers={
                            "authorization": f"Bearer {self.token}",
                            "content-type": "application/octet-stream",
                            "origin": self._url,
                        },
                    )
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 200:
                return int(answer.json()["seq"])
            assert answer is None or answer.status_code == 503, answer.text
            self.repeats += 1
            await anyio.sleep(0.02)


async def messages_of(store: SqlStore, conversation: int) -> list[Message]:
    return await store.history(ConversationId(conversation), after=Seq(0), limit=100)


def stored(folder: Path) -> set[str]:
    """Return the keys under which there are bytes, and what is on its way."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix() for path in files}


def kill_once_stored(server: Kefu, folder: Path) -> None:
    """Kill as soon as one file more is kept: its message is not written yet."""
    before = stored(folder)
    while all(key.startswith("arriving/") for key in stored(folder) - before):
        time.sleep(0.0005)
    server.kill()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Kefu]:
    server = await anyio.to_thread.run_sync(Kefu, tmp_path)
    await anyio.to_thread.run_sync(server.start)
    yield server
    await anyio.to_thread.run_sync(server.stop)


@pytest.mark.timeout(times(110, 300))
async def test_a_server_killed_while_files_come_in_sends_each_once_and_leaves_nothing(
    server: Kefu, tmp_path: Path
) -> None:
    kills = times(3, 24)
    folder = Path(server.settings.data_dir) / "files"
    senders = [
        await anyio.to_thread.run_sync(Sender, number, server)
        for number in range(SENDERS)
    ]
    moments = random.Random(time.monotonic_ns())
    is_over = anyio.Event()
    with anyio.fail_after(times(100, 280)):
        async with anyio.create_task_group() as tasks:
            for sender in senders:
                tasks.start_soon(sender.send, is_over)
            for number in range(kills):
                if number % 2:
                    await anyio.sleep(moments.uniform(0.05, 0.5))
                    server.kill()
                else:
                    await anyio.to_thread.run_sync(kill_once_stored, server, folder)
                await anyio.to_thread.run_sync(server.start)
            is_over.set()
    await anyio.to_thread.run_sync(server.stop)
    assert sum(sender.repeats for sender in senders) >= kills

    storage = LocalFiles(folder)
    Spool(folder / "arriving").sweep((unix_ms() + AHEAD_MS) / 1000)
    store = SqlStore(server.settings.database, now=monotonic, now_ms=unix_ms)
    async with store:
        await FileSweep(store, storage, now_ms=lambda: unix_ms() + AHEAD_MS).sweep()
        rows = await store.list_records(Attachment, after=0, limit=1_000)
        by_id = {row.id: row for row in rows}
        named: list[int] = []
        for sender in senders:
            messages = await messages_of(store, sender.conversation)
            assert {m.kind for m in messages} <= {MessageKind.FILE}
            assert [(m.key, m.seq) for m in messages] == [
                (key, seq) for key, (seq, _) in sender.sent.items()
            ]
            for message in messages:
                assert message.data is not None
                row = by_id[message.data["file"]]
                named.append(row.id)
                assert row.status is AttachmentStatus.LINKED
                content = [
                    chunk async for chunk in storage.read(row.storage_key, 0, row.size)
                ]
                assert b"".join(content) == sender.sent[message.key][1]
        assert sorted(named) == sorted(by_id)
        keys = {key for row in rows for key in (row.storage_key, row.thumbnail_key)}
        assert stored(folder) == keys - {""}
