"""Sending files over HTTP and reading them: whose they are, how often, and how."""

import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgspec
import pytest
from PIL import Image

from kefu_core.desk.files import FilePaces
from kefu_core.errors import TooMany
from kefu_core.followers.files import FileSweep
from kefu_core.limits import Limits
from kefu_core.model import (
    Agent,
    Conversation,
    MessageKind,
    Person,
    Principal,
    Role,
    Site,
)
from kefu_core.node import monotonic, unix_ms
from kefu_core.records import Attachment, AttachmentStatus
from kefu_core.site import Files, SiteSettings
from kefu_core.store.memory import MemoryStore
from kefu_core.store.sql import SqlStore
from kefu_core.types import ParticipantId, Seq
from kefu_core.upkeep.erasing import erase_visitor
from kefu_server.app import KefuApp, create_app
from kefu_server.settings import Settings
from tests.server.conftest import OTHER_SITE, SITE, connect
from tests.server.history import enter

pytestmark = pytest.mark.anyio

BYTES = {"content-type": "application/octet-stream"}
HOSTILE = (
    b"<!doctype html><script>alert(1)</script>",
    b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    b"GIF89a/*<script>*/=1;alert(1)//",
    b"%PDF-1.7 <script>alert(1)</script>",
)


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


@pytest.fixture(params=["memory", "sqlite"])
async def room(
    request: pytest.FixtureRequest, tmp_path: Path, settings: Settings
) -> AsyncIterator[Room]:
    store = (
        MemoryStore(now=monotonic, now_ms=unix_ms)
        if request.param == "memory"
        else SqlStore(
            f"sqlite+aiosqlite:///{tmp_path}/kefu.db", now=monotonic, now_ms=unix_ms
        )
    )
    app = create_app(settings, store=store)
    async with app.router.lifespan_context(app):
        yield await _room_of(app)


async def _room_of(app: KefuApp) -> Room:
    store = app.state.services.store
    for site in (SITE, OTHER_SITE):
        await store.put_site(site)
    person = Person(id=ParticipantId("v1"), name="", role=Role.VISITOR)
    return Room(app, await store.open_conversation(SITE.id, person))


def picture(
    kind: str = "PNG", size: tuple[int, int] = (900, 600), **more: Any
) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(out, kind, **more)
    return out.getvalue()


ANA = Agent(id=31, login="ana31", name="Ana", password_hash="-")


async def test_a_file_comes_back_as_it_was_sent_and_is_said_once(room: Room) -> None:
    async with room.visitor() as visitor, await room.agent(ANA) as agent:
        content = bytes(range(256)) * 3_000
        sent = await room.put(visitor, content, name="报价 单.txt")
        assert sent.status_code == 200, sent.text
        again = await room.put(visitor, content, name="报价 单.txt")
        assert again.json() == sent.json() | {"duplicate": True}
        ((seq, sender, kind, body, data),) = await room.log()
        assert (seq, sender, kind, body) == (1, "v1", "file", "报价 单.txt")
        assert data == {
            "file": data["file"],
            "type": "application/octet-stream",
            "size": len(content),
        }
        (row,) = await room.store.list_records(Attachment)
        assert (row.status, row.size) == (AttachmentStatus.LINKED, len(content))
        assert len(room.stored()) == 1
        for reader in (visitor, agent):
            got = await reader.get(f"/api/files/{data['file']}")
            assert (got.status_code, got.content) == (200, content)
            assert got.headers["content-disposition"] == (
                'attachment; filename="__ _.txt"; '
                "filename*=UTF-8''%E6%8A%A5%E4%BB%B7%20%E5%8D%95.txt"
            )
            assert got.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in got.headers["content-security-policy"]
            assert got.headers["cache-control"] == "private, no-cache"


async def test_a_conversation_shows_its_file_as_its_last_line(room: Room) -> None:
    async with room.visitor() as visitor:
        await room.put(visitor, name="invoice.pdf")
    row = await room.store.find_conversation(room.row.id)
    assert row is not None
    assert (row.last_line, row.waiting_since) == ("invoice.pdf", row.last_at)


async def test_parts_of_a_file_are_served(room: Room) -> None:
    async with room.visitor() as visitor:
        await room.put(visitor, b"0123456789")
        (row,) = await room.store.list_records(Attachment)
        path = f"/api/files/{row.id}"
        whole = await visitor.get(path)
        tag = whole.headers["etag"]
        for wanted, status, content in (
            ("bytes=2-4", 206, b"234"),
            ("bytes=7-", 206, b"789"),
            ("bytes=-3", 206, b"789"),
            ("bytes=5-999999999999999999", 206, b"56789"),
            ("bytes=10-", 416, b""),
            ("bytes=-0", 416, b""),
            ("bytes=4-2", 200, b"0123456789"),
            ("bytes=0-1,4-5", 200, b"0123456789"),
            ("bytes=" + "9" * 400 + "-", 200, b"0123456789"),
            ("lines=1-2", 200, b"0123456789"),
        ):
            got = await visitor.get(path, headers={"range": wanted})
            assert (got.status_code, got.content) == (status, content), wanted
        part = {"range": "bytes=2-4", "if-range": tag}
        assert (await visitor.get(path, headers=part)).status_code == 206
        part["if-range"] = '"other"'
        assert (await visitor.get(path, headers=part)).status_code == 200
        same = await visitor.get(path, headers={"if-none-match": tag})
        assert (same.status_code, same.content) == (304, b"")
        head = await visitor.head(path)
        assert (head.headers["content-length"], head.content) == ("10", b"")


async def test_nobody_reads_or_writes_what_is_not_theirs(room: Room) -> None:
    elsewhere = Agent(
        id=32, login="o", name="O", password_hash="-", sites=(OTHER_SITE.id,)
    )
    async with (
        room.visitor() as visitor,
        room.visitor(2) as other,
        room.visitor(1, OTHER_SITE.id) as same_number,
        connect(room.app) as nobody,
        await room.agent(elsewhere) as agent,
    ):
        await room.put(visitor, picture())
        (row,) = await room.store.list_records(Attachment)
        for client, status in (
            (other, 404),
            (same_number, 404),
            (agent, 404),
            (nobody, 401),
        ):
            for path in (f"/api/files/{row.id}", f"/api/files/{row.id}/thumbnail"):
                assert (await client.get(path)).status_code == status
                absent = path.replace(str(row.id), str(row.id + 1))
                assert (await client.get(absent)).status_code == status
            assert (await room.put(client, key="key-2")).status_code == status
        assert len(await room.log()) == 1
        assert len(room.stored()) == 2


@pytest.mark.parametrize("content", HOSTILE)
async def test_what_browsers_would_run_is_only_downloaded(
    room: Room, content: bytes
) -> None:
    async with room.visitor() as visitor:
        await room.put(visitor, content, name="page.html")
        (row,) = await room.store.list_records(Attachment)
        assert (row.thumbnail_key, row.width) == ("", 0)
        got = await visitor.get(f"/api/files/{row.id}")
        assert got.headers["content-disposition"].startswith("attachment;")
        assert "html" not in got.headers["content-type"]
        assert "svg" not in got.headers["content-type"]
        shown = await visitor.get(f"/api/files/{row.id}/thumbnail")
        assert shown.status_code == 404


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
async def test_a_picture_gets_a_small_one_without_what_stood_beside_it(
    room: Room, kind: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # held upright
    exif[0x010E] = "taken at 30.0N 120.0E"
    more = {"exif": exif} if kind != "GIF" else {"comment": b"taken at 30.0N 120.0E"}
    content = picture(kind, (900, 600), **more)
    async with room.visitor() as visitor:
        await room.put(visitor, content + b"<script>alert(1)</script>", name="a.png")
        (row,) = await room.store.list_records(Attachment)
        sides = (900, 600) if kind == "GIF" else (600, 900)
        assert (row.width, row.height) == sides
        got = await visitor.get(f"/api/files/{row.id}/thumbnail")
        assert got.headers["content-type"] == "image/webp"
        assert b"120.0E" not in got.content
        assert b"script" not in got.content
        small = Image.open(io.BytesIO(got.content))
        assert small.size == ((640, 427) if kind == "GIF" else (427, 640))
        assert not small.getexif()
        (entry,) = await room.log()
        assert entry[4]["thumbnail"] is True


async def test_pictures_that_cannot_be_decoded_are_files(room: Room) -> None:
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")
    broken = picture()[:200]
    async with room.visitor() as visitor:
        for number, content in enumerate((bomb.getvalue(), broken)):
            sent = await room.put(visitor, content, key=f"key-{number}", name="a.png")
            assert sent.status_code == 200
        rows = await room.store.list_records(Attachment)
        assert [row.thumbnail_key for row in rows] == ["", ""]


async def _settle(room: Room, **files: Any) -> None:
    settings = SiteSettings(files=Files(**files))
    await room.store.put_site(msgspec.structs.replace(SITE, settings=settings))


async def test_a_site_says_what_may_be_sent(room: Room) -> None:
    async with room.visitor() as visitor, await room.agent(ANA) as agent:
        await _settle(room, visitor_bytes_max=4, endings=("txt",))
        assert (await room.put(visitor, b"12345")).status_code == 413
        assert (await room.put(visitor, b"1234", name="a.pdf")).status_code == 403
        assert (await room.put(visitor, b"1234", key="key-2")).status_code == 200
        assert (await room.put(agent, b"12345", key="key-3")).status_code == 200
        await _settle(room, visitors_may=False)
        assert (await room.put(visitor, b"1", key="key-4")).status_code == 403
        assert (await room.put(agent, b"1", key="key-4")).status_code == 200
        assert len(room.stored()) == 3


async def test_a_size_that_was_not_announced_is_counted(room: Room) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b"x" * 65_536

    async with room.visitor() as visitor:
        refused = await room.put(visitor, endless())
        assert (refused.status_code, refused.json()["error"]["code"]) == (
            413,
            "too_large",
        )
        assert room.stored() == []
        assert await room.log() == []


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"MZ\x90\x00", "a.txt"),
        (b"\x7fELF\x02", "a"),
        (b"#!/bin/sh", "a"),
        (b"x", "a.exe"),
        (b"x", "a.jpg\u200b.eXe"),
        (b"x", "\u202egpj.scr"),
    ],
)
async def test_programs_are_refused(room: Room, content: bytes, name: str) -> None:
    async with room.visitor() as visitor:
        refused = await room.put(visitor, content, name=name)
        assert refused.status_code == 403
        assert room.stored() == []


async def test_an_empty_file_and_a_wrong_key_are_refused(room: Room) -> None:
    async with room.visitor() as visitor:
        assert (await room.put(visitor, b"")).status_code == 400
        assert (await room.put(visitor, key="k" * 65)).status_code == 400
        assert (await room.put(visitor, key="a%00b")).status_code == 400
        assert (await room.put(visitor)).status_code == 200
        assert (await room.put(visitor, b"another")).status_code == 409
        assert len(await room.log()) == 1


async def test_a_key_of_a_text_is_a_conflict(room: Room) -> None:
    async with room.visitor() as visitor:
        said = await visitor.post(
            f"/api/v1/conversations/{room.row.id}/messages",
            json={"key": "key-1", "body": "hello"},
        )
        assert said.status_code == 200
        assert (await room.put(visitor)).status_code == 409
        assert [entry[2] for entry in await room.log()] == ["text"]


async def test_a_part_of_a_file_is_no_file(room: Room) -> None:
    async with room.visitor() as visitor:
        cut = {"content-length": "10"}
        assert (await room.put(visitor, b"12345", **cut)).status_code == 400
        assert (room.stored(), await room.log()) == ([], [])


async def test_a_connection_that_is_cut_leaves_nothing(room: Room) -> None:
    token, _ = room.app.state.services.auth.visitors.issue(1, SITE.id)
    events = [
        {"type": "http.request", "body": b"x" * 300_000, "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return events.pop(0)

    async def send(message: Any) -> None:
        pass

    headers = {
        "authorization": f"Bearer {token}",
        "content-type": "application/octet-stream",
        "origin": room.app.settings.origins[0],
    }
    scope = {
        "type": "http",
        "method": "PUT",
        "path": f"/api/conversations/{room.row.id}/files/key-1",
        "query_string": b"name=a.txt",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        "client": ("192.0.2.1", 1),
    }
    await room.app(scope, receive, send)
    assert (room.stored(), await room.log()) == ([], [])


async def test_the_same_file_that_comes_twice_at_once_is_said_once(room: Room) -> None:
    async with room.visitor() as one, room.visitor() as two:
        answers: list[httpx.Response] = []

        async def put(client: httpx.AsyncClient) -> None:
            answers.append(await room.put(client, b"x" * 400_000))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(put, one)
            tasks.start_soon(put, two)
        assert [answer.status_code for answer in answers] == [200, 200]
        assert {answer.json()["seq"] for answer in answers} == {1}
        assert len(await room.log()) == len(room.stored()) == 1


async def test_a_file_whose_server_died_before_its_message_is_said_later(
    room: Room,
) -> None:
    async with room.visitor() as visitor:
        hub, append = room.app.state.services.hub, room.app.state.services.hub.append

        async def die(draft: Any) -> Any:
            raise ConnectionResetError

        hub.append = die
        assert (await room.put(visitor)).status_code == 500
        (row,) = await room.store.list_records(Attachment)
        assert row.status is AttachmentStatus.PENDING
        hub.append = append
        sent = await room.put(visitor)
        assert (sent.status_code, sent.json()["seq"]) == (200, 1)
        (row,) = await room.store.list_records(Attachment)
        assert row.status is AttachmentStatus.LINKED
        assert len(room.stored()) == 1


async def test_bytes_of_a_day_are_limited_and_a_restart_forgets_none(
    tmp_path: Path, settings: Settings
) -> None:
    def start() -> KefuApp:
        url = f"sqlite+aiosqlite:///{tmp_path}/kefu.db"
        return create_app(settings, store=SqlStore(url, now=monotonic, now_ms=unix_ms))

    async def unannounced() -> AsyncIterator[bytes]:
        yield b"12345"

    app = start()
    async with app.router.lifespan_context(app):
        room = await _room_of(app)
        await _settle(room, visitor_day_bytes_max=10, site_day_bytes_max=14)
        async with room.visitor() as visitor:
            assert (await room.put(visitor, b"12345")).status_code == 200
            assert (await room.put(visitor, b"1234", key="key-2")).status_code == 200
    app = start()
    async with app.router.lifespan_context(app):
        room.app, room.store = app, app.state.services.store
        async with room.visitor() as visitor, await room.agent(ANA) as agent:
            for content in (b"12", unannounced()):
                refused = await room.put(visitor, content, key="key-3")
                assert refused.status_code == 429
                wait_s = refused.json()["error"]["retry_after_s"]
                assert 86_000 < wait_s <= 86_401
            # What is known costs nothing, and what fits in no day is too large.
            assert (await room.put(visitor, b"12345")).json()["duplicate"]
            assert (await room.put(visitor, b"x" * 11, key="k")).status_code == 413
            assert len(room.stored()) == 2
            # An agent may go on, and then the site has no room for visitors.
            assert (await room.put(agent, b"12345", key="key-4")).status_code == 200
            assert (await room.put(visitor, b"1", key="key-5")).status_code == 429


@pytest.mark.parametrize("is_before", [True, False])
async def test_what_a_server_that_died_while_storing_left_is_used_or_swept(
    room: Room, is_before: bool
) -> None:
    """Bytes are never without a row that says where they are."""
    async with room.visitor() as visitor:
        storage = room.app.state.services.desk.files.storage
        put = storage.put

        async def die(key: str, source: Path) -> None:
            if not is_before:
                await put(key, source)
            raise ConnectionResetError

        storage.put = die
        for key in ("key-1", "key-2"):
            sent = await room.put(visitor, picture(), key=key, name="a.png")
            assert sent.status_code == 500
        rows = await room.store.list_records(Attachment)
        assert {row.status for row in rows} == {AttachmentStatus.ARRIVING}
        assert (await visitor.get(f"/api/files/{rows[0].id}")).status_code == 404
        storage.put = put
        assert (await room.put(visitor, b"another")).status_code == 409
        sent = await room.put(visitor, picture(), name="a.png")
        assert (sent.status_code, sent.json()["seq"]) == (200, 1)
        assert await _sweep(room, 1.1).sweep() == 1
        (row,) = await room.store.list_records(Attachment)
        assert (row.key, row.status) == ("key-1", AttachmentStatus.LINKED)
        assert len(room.stored()) == 2


async def test_too_many_files_are_told_to_wait(room: Room) -> None:
    async with room.visitor() as visitor:
        for number in range(20):
            assert (await room.put(visitor, key=f"k{number}")).status_code == 200
        refused = await room.put(visitor, key="one-more")
        assert refused.status_code == 429
        assert refused.json()["error"]["retry_after_s"] > 0
        # What is known already costs nothing.
        assert (await room.put(visitor, key="k3")).status_code == 200


def test_each_sender_and_each_address_has_a_pace_of_files() -> None:
    limits = Limits(visitor_files_per_h=2, address_files_per_h=3, agent_files_per_h=4)
    now = 0.0
    paces = FilePaces(limits, lambda: now)

    def count(who: str, role: Role) -> int:
        """Return how many pass until one is refused."""
        sender = Principal(
            participant=ParticipantId(who), role=role, site_id=1, address="192.0.2.1"
        )
        for passed in range(10):
            try:
                paces.take(sender)
            except TooMany:
                return passed
        return 10

    assert count("v1", Role.VISITOR) == 2
    assert count("v2", Role.VISITOR) == 1
    assert count("a1", Role.AGENT) == 4
    now = 3_600.0
    assert count("v1", Role.VISITOR) == 2


async def test_only_so_many_files_come_in_at_once(room: Room) -> None:
    files = room.app.state.services.desk.files
    async with AsyncExitStack() as stack, room.visitor() as visitor:
        for _ in range(Limits().uploads_max):
            await stack.enter_async_context(files.place())
        refused = await room.put(visitor)
        assert (refused.status_code, room.stored()) == (503, [])
    async with room.visitor() as visitor:
        assert (await room.put(visitor)).status_code == 200


@pytest.mark.parametrize("limit", ["upload_stall_s", "upload_s"])
async def test_an_upload_that_stands_still_or_takes_for_ever_ends(
    tmp_path: Path, settings: Settings, limit: str
) -> None:
    limits = msgspec.structs.replace(Limits(), **{limit: 0.05})
    app = create_app(
        msgspec.structs.replace(settings, limits=limits),
        store=MemoryStore(now=monotonic, now_ms=unix_ms),
    )
    async with app.router.lifespan_context(app):
        room = await _room_of(app)
        cut_off = anyio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield b"x"
            await cut_off.wait()

        async with room.visitor() as visitor:
            with anyio.move_on_after(10) as scope:
                refused = await room.put(visitor, endless())
                assert refused.status_code == 400
                assert "slowly" in refused.text
            assert not scope.cancelled_caught
        assert (room.stored(), await room.log()) == ([], [])


def _sweep(room: Room, hours: float = 0) -> FileSweep:
    """Return a sweep whose clock is so many hours ahead."""
    storage = room.app.state.services.desk.files.storage
    ahead = int(hours * 3_600_000)
    return FileSweep(room.store, storage, now_ms=lambda: unix_ms() + ahead)


async def test_files_without_a_message_are_swept_after_an_hour(room: Room) -> None:
    async with room.visitor() as visitor:
        hub, append = room.app.state.services.hub, room.app.state.services.hub.append

        async def die(draft: Any) -> Any:
            raise ConnectionResetError

        await room.put(visitor, b"named")
        hub.append = die
        await room.put(visitor, picture(), key="key-2", name="a.png")
        hub.append = append
        assert len(room.stored()) == 3
        assert await _sweep(room).sweep() == 0
        assert await _sweep(room, 0.9).sweep() == 0
        assert await _sweep(room, 1.1).sweep() == 1
        assert len(room.stored()) == 1
        (row,) = await room.store.list_records(Attachment)
        assert row.key == "key-1"
        # The key is free again.
        assert (await room.put(visitor, picture(), key="key-2")).status_code == 200


async def test_a_message_that_came_before_the_row_said_so_keeps_its_file(
    room: Room,
) -> None:
    async with room.visitor() as visitor:
        await room.put(visitor)
        (row,) = await room.store.list_records(Attachment)
        await room.store.put_records(
            msgspec.structs.replace(row, status=AttachmentStatus.PENDING)
        )
        assert await _sweep(room, 2).sweep() == 0
        (row,) = await room.store.list_records(Attachment)
        assert row.status is AttachmentStatus.LINKED


async def test_a_late_link_and_a_sweep_never_both_have_a_file(room: Room) -> None:
    async with room.visitor() as visitor:
        await room.put(visitor)
        (row,) = await room.store.list_records(Attachment)
        old = msgspec.structs.replace(
            row, status=AttachmentStatus.PENDING, created_at=row.created_at - 9 * 10**6
        )
        sweep = _sweep(room)
        # The sweep has read the row; then the upload comes again and claims it.
        await room.store.put_records(old)
        claimed = await room.put(visitor)
        assert claimed.status_code == 200
        await sweep._change(old, AttachmentStatus.DROPPED)
        assert await sweep.sweep() == 0
        assert (await visitor.get(f"/api/files/{row.id}")).status_code == 200
        # The other way round: who comes too late is told to come again.
        await room.store.put_records(old)
        await sweep._change(old, AttachmentStatus.DROPPED)
        assert (await room.put(visitor)).status_code == 503
        assert (await visitor.get(f"/api/files/{row.id}")).status_code == 404
        assert await sweep.sweep() == 1
        assert room.stored() == []


async def test_what_a_site_keeps_no_longer_goes_with_its_texts(room: Room) -> None:
    async with room.visitor() as visitor:
        await room.put(visitor)
    await room.store.put_site(msgspec.structs.replace(SITE, retention_days=30))
    assert await _sweep(room, 29 * 24).sweep() == 0
    assert await _sweep(room, 31 * 24).sweep() == 1
    assert (room.stored(), await room.store.list_records(Attachment)) == ([], [])


async def test_erasing_a_visitor_takes_its_files_along(room: Room) -> None:
    async with room.visitor() as visitor:
        await room.put(visitor, picture(), name="my passport.png")
        (row,) = await room.store.list_records(Attachment)
        await erase_visitor(room.store, ParticipantId("v1"))
        assert (await visitor.get(f"/api/files/{row.id}")).status_code == 404
        (entry,) = await room.log()
        assert entry[2:] == ("erased", "", {"was": "file"})
        conversation = await room.store.find_conversation(room.row.id)
        assert conversation is not None
        assert conversation.last_line == ""
        assert await _sweep(room).sweep() == 1
        assert room.stored() == []


async def test_no_send_makes_a_message_of_a_file(room: Room) -> None:
    async with room.visitor() as visitor:
        forged = await visitor.post(
            f"/api/v1/conversations/{room.row.id}/messages",
            json={"key": "k", "kind": "file", "body": "a", "data": {"file": 1}},
        )
        assert forged.status_code == 403


def test_a_site_of_before_has_limits() -> None:
    old = msgspec.json.decode(b'{"files":{}}', type=SiteSettings)
    assert old == SiteSettings()
    assert Site(id=1, name="", embed_key="k").settings.files.visitors_may


def test_the_kind_is_on_the_wire_as_it_is_documented() -> None:
    assert MessageKind("file") is MessageKind.FILE
