"""Rooms in which files are sent: an application, a conversation and who is in it."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from PIL import Image

from kefu_core.model import Agent, Conversation, Person, Role
from kefu_core.node import monotonic, unix_ms
from kefu_core.site import Files, SiteSettings
from kefu_core.store.memory import MemoryStore
from kefu_core.store.sql import SqlStore
from kefu_core.types import ParticipantId, Seq
from kefu_server.app import KefuApp, create_app
from kefu_server.settings import Settings
from tests.server.conftest import OTHER_SITE, SITE, connect
from tests.server.history import enter

BYTES = {"content-type": "application/octet-stream"}
ANA = Agent(id=31, login="ana31", name="Ana", password_hash="-")


class Room:
    """An application, a conversation of `v1` in it, and whoever sends files."""

    def __init__(self, app: KefuApp, row: Conversation) -> None:
        self.app = app
        self.row = row
        self.store = app.state.services.store

    def visitor(self, number: int = 1, site: int = SITE.id) -> httpx.AsyncClient:
        """Return a visitor's widget."""
        token, _ = self.app.state.services.auth.visitors.issue(number, site)
        client = connect(self.app)
        client.headers["authorization"] = f"Bearer {token}"
        return client

    async def agent(self, agent: Agent) -> httpx.AsyncClient:
        """Return an agent's browser."""
        client = connect(self.app)
        await self.store.put_agent(agent)
        await enter(self.app, client, agent)
        return client

    async def put(
        self,
        client: httpx.AsyncClient,
        content: Any = b"hello",
        key: str = "key-1",
        name: str = "a.txt",
        **headers: str,
    ) -> httpx.Response:
        return await client.put(
            f"/api/conversations/{self.row.id}/files/{key}",
            params={"name": name},
            content=content,
            headers=BYTES | headers,
        )

    async def log(self) -> list[Any]:
        return [
            (m.seq, m.sender, m.kind.value, m.body, m.data)
            for m in await self.store.history(self.row.id, after=Seq(0))
        ]

    def stored(self) -> list[Path]:
        """Return every file on the disk."""
        folder = Path(self.app.settings.data_dir) / "files"
        return sorted(path for path in folder.rglob("*") if path.is_file())


@asynccontextmanager
async def opened(kind: str, folder: Path, settings: Settings) -> AsyncIterator[Room]:
    """Open a room over one kind of store."""
    store = (
        MemoryStore(now=monotonic, now_ms=unix_ms)
        if kind == "memory"
        else SqlStore(
            f"sqlite+aiosqlite:///{folder}/kefu.db", now=monotonic, now_ms=unix_ms
        )
    )
    app = create_app(settings, store=store)
    async with app.router.lifespan_context(app):
        yield await room_of(app)


async def room_of(app: KefuApp) -> Room:
    store = app.state.services.store
    for site in (SITE, OTHER_SITE):
        await store.put_site(site)
    person = Person(id=ParticipantId("v1"), name="", role=Role.VISITOR)
    return Room(app, await store.open_conversation(SITE.id, person))


async def settle(room: Room, **files: Any) -> None:
    settings = SiteSettings(files=Files(**files))
    await room.store.put_site(msgspec.structs.replace(SITE, settings=settings))


def picture(
    kind: str = "PNG", size: tuple[int, int] = (900, 600), **more: Any
) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(out, kind, **more)
    return out.getvalue()
