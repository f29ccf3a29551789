"""Sending files over HTTP and reading them: whose they are, and how."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image

from kefu_core.model import Agent, MessageKind, Site
from kefu_core.records import Attachment, AttachmentStatus
from kefu_core.site import SiteSettings
from kefu_server.settings import Settings
from tests.server.conftest import OTHER_SITE, SITE, connect
from tests.server.rooms import ANA, Room, opened, picture, settle

pytestmark = pytest.mark.anyio

HOSTILE = (
    b"<!doctype html><script>alert(1)</script>",
    b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    b"GIF89a/*<script>*/=1;alert(1)//",
    b"%PDF-1.7 <script>alert(1)</script>",
)


@pytest.fixture(params=["memory", "sqlite"])
async def room(
    request: pytest.FixtureRequest, tmp_path: Path, settings: Settings
) -> AsyncIterator[Room]:
    async with opened(request.param, tmp_path, settings) as room:
        yield room


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


async def test_a_site_says_what_may_be_sent(room: Room) -> None:
    async with room.visitor() as visitor, await room.agent(ANA) as agent:
        await settle(room, visitor_bytes_max=4, endings=("txt",))
        assert (await room.put(visitor, b"12345")).status_code == 413
        assert (await room.put(visitor, b"1234", name="a.pdf")).status_code == 403
        assert (await room.put(visitor, b"1234", key="key-2")).status_code == 200
        assert (await room.put(agent, b"12345", key="key-3")).status_code == 200
        await settle(room, visitors_may=False)
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
