"""Files that are made to harm: who opens them, who decodes them, who names a path."""

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgspec
import pytest
from PIL import Image

from kefu_core.filetypes import PICTURES
from kefu_core.model import Person, Role
from kefu_core.node import monotonic, unix_ms
from kefu_core.records import Attachment
from kefu_core.storage.pictures import AT_ONCE, PillowThumbnailer
from kefu_core.storage.thumbnail import SIDE_MAX
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ParticipantId
from kefu_server.app import KefuApp, create_app
from kefu_server.settings import Settings
from tests.server.conftest import SITE, connect, settings

__all__ = ["settings"]

pytestmark = pytest.mark.anyio

SCRIPT = b"<script>alert(1)</script>"
CONTENTS = (
    b"<!doctype html>" + SCRIPT,
    b"\xef\xbb\xbf<html>" + SCRIPT,
    "<html>".encode("utf-16") + SCRIPT,
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    b'<?xml-stylesheet href="data:text/xsl,x"?><a/>',
    b"GIF89a/*" + SCRIPT + b"*/=1;alert(1)//",
    b"\xff\xd8\xff\xe0" + SCRIPT,
    b"RIFF\x00\x00\x00\x00WEBP" + SCRIPT,
    b"\x89PNG\r\n\x1a\n" + SCRIPT,
    b"%PDF-1.7 /OpenAction << /S /JavaScript /JS (app.alert(1)) >>",
    b"PK\x03\x04mimetypeapplication/epub+zip" + SCRIPT,
    b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
    b"{\\rtf1{\\object\\objdata 01}}",
    b"[InternetShortcut]\nURL=javascript:alert(1)",
    b"=cmd|'/c calc'!A0,x",
    b"alert(1)//",
)
NAMES = (
    "page.html", "image.png", "a.svg", "a.xhtml", "../../etc/passwd", "..\\..\\a.png",
    "/etc/passwd", "C:\\a.png", "a.png\x00.html", "\u202egnp.lmth", "CON", "nul.txt",
    "." * 40, "a" * 255 + ".png", "a.png.html", "a.html;.png", 'a".html',
    "a\r\nX: 1.png", "%2e%2e%2fa", "~/.ssh/id", "$(id).png", "`id`.png", "|id", "-rf",
    "＜script＞.png", "😀.png", "a\u200b.png", "a.png ", " ", "a.png:$DATA",
    "desktop.ini", ".htaccess",
)  # fmt: skip


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[KefuApp]:
    limits = msgspec.structs.replace(
        settings.limits,
        visitor_files_per_h=10_000,
        address_files_per_h=10_000,
        frames_burst=10_000,
    )
    store = MemoryStore(now=monotonic, now_ms=unix_ms)
    app = create_app(msgspec.structs.replace(settings, limits=limits), store=store)
    async with app.router.lifespan_context(app):
        await store.put_site(SITE)
        yield app


def _files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


async def _send(
    client: httpx.AsyncClient, number: int, key: str, content: bytes, name: str
) -> httpx.Response:
    return await client.put(
        f"/api/conversations/{number}/files/{key}",
        params={"name": name},
        content=content,
        headers={"content-type": "application/octet-stream"},
    )


async def test_no_file_runs_and_none_leaves_its_folder(
    app: KefuApp, tmp_path: Path
) -> None:
    services = app.state.services
    person = Person(id=ParticipantId("v1"), name="", role=Role.VISITOR)
    row = await services.store.open_conversation(SITE.id, person)
    token, _ = services.auth.visitors.issue(1, SITE.id)
    pairs = [(content, "page.html") for content in CONTENTS]
    pairs += [(b"text", name) for name in NAMES]
    async with connect(app) as client:
        client.headers["authorization"] = f"Bearer {token}"
        for number, (content, name) in enumerate(pairs):
            sent = await _send(client, row.id, f"k{number}", content, name)
            assert sent.status_code in (200, 400, 403), (name, sent.text)
            assert SCRIPT.decode() not in sent.text
        files = await services.store.list_records(Attachment, after=0)
        assert len(files) > 40
        for file in files:
            got = await client.get(f"/api/files/{file.id}")
            headers = got.headers
            assert headers["content-disposition"].startswith("attachment; filename=")
            assert "\n" not in headers["content-disposition"]
            assert headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in headers["content-security-policy"]
            assert headers["cross-origin-resource-policy"] == "same-origin"
            kinds = PICTURES | {"application/octet-stream", "application/pdf"}
            assert headers["content-type"] in kinds
            assert (
                await client.get(f"/api/files/{file.id}/thumbnail")
            ).status_code == (404)
            assert not {"/", "\\", "\0", "\r", "\n"} & set(file.name)
            assert file.name.strip(". ") == file.name != ""
    folder = Path(app.settings.data_dir) / "files"
    stored = _files_in(tmp_path)
    assert {path for path in stored if folder not in path.parents} == set()
    # Names on the disk are ours: nothing that was sent is in them.
    assert all(path.name.isalnum() for path in stored)
    assert len(stored) == len(files)


def _chunk(kind: bytes, data: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + crc


def _png(width: int, height: int, *chunks: bytes, data: bytes = b"") -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = _chunk(b"IDAT", zlib.compress(data))
    end = _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + end


def _jpeg(**more: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(out, "JPEG", **more)
    return out.getvalue()


def _many_scans() -> bytes:
    whole = _jpeg(progressive=True)
    at = whole.rindex(b"\xff\xda")
    return whole[:at] + whole[at:-2] * 2_000 + b"\xff\xd9"


def _huge_jpeg() -> bytes:
    whole = bytearray(_jpeg())
    at = whole.index(b"\xff\xc0")
    whole[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    return bytes(whole)


def _frames() -> bytes:
    out = io.BytesIO()
    frames = [Image.new("P", (8, 8), n % 256) for n in range(500)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    return out.getvalue()


def _strip() -> bytes:
    out = io.BytesIO()
    Image.new("1", (30_000_000, 1)).save(out, "PNG")
    return out.getvalue()


def _tiff() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "TIFF")
    return out.getvalue()


NOTHING = zlib.compress(bytes(50_000_000))
BOMBS: dict[str, Callable[[], bytes]] = {
    "as large as can be said": lambda: _png(2**31 - 1, 2**31 - 1),
    "one pixel too many": lambda: _png(40_000_001, 1),
    "no pixels": lambda: _png(0, 0),
    "more data than pixels": lambda: _png(8, 8, data=bytes(20_000_000)),
    "a text of 50 MB": lambda: _png(8, 8, _chunk(b"zTXt", b"a\0\0" + NOTHING)),
    "a profile of 50 MB": lambda: _png(8, 8, _chunk(b"iCCP", b"a\0\0" + NOTHING)),
    "ten thousand chunks": lambda: _png(8, 8, *[_chunk(b"tEXt", b"a\0b")] * 10_000),
    "a huge GIF": lambda: b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b",",
    "five hundred frames": _frames,
    "a huge WebP": lambda: (
        b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0\xff\xff\xff\xff\xff\xff" + bytes(4)
    ),
    "a huge JPEG": _huge_jpeg,
    "two thousand scans": _many_scans,
    "a strip": _strip,
    "another format": _tiff,
    "a broken EXIF": lambda: _jpeg(
        exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x87" * 99
    ),
    "a half": lambda: _jpeg()[:200],
}


async def test_no_picture_costs_more_than_it_may(tmp_path: Path) -> None:
    thumbnailer = PillowThumbnailer()
    small: dict[str, Any] = {}

    async def shrink(name: str, number: int) -> None:
        source, target = tmp_path / f"{number}", tmp_path / f"{number}.webp"
        source.write_bytes(BOMBS[name]())
        small[name] = await thumbnailer.shrink(source, target)
        if small[name] is not None:
            with Image.open(target) as made:
                assert max(made.size) <= SIDE_MAX
                assert made.format == "WEBP"

    async with anyio.create_task_group() as tasks:
        for number, name in enumerate(BOMBS):
            tasks.start_soon(shrink, name, number)
    # What is a picture after all is one; nothing else is, and everything was answered.
    made = {name for name, picture in small.items() if picture is not None}
    may_be = {"five hundred frames", "a strip", "a broken EXIF", "two thousand scans"}
    assert made - may_be - {"more data than pixels", "ten thousand chunks"} == set()
    assert {"five hundred frames", "a strip"} <= made
    assert len(small) == len(BOMBS)
    assert AT_ONCE <= 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_who_decodes_a_picture_gets_so_much_memory_and_time_and_no_more() -> None:
    begin = "import kefu_core.storage.thumbnail as t; t.limit_self(); "
    greed = begin + "bytearray(2 * t.MEMORY_BYTES_MAX)"
    done = subprocess.run(
        [sys.executable, "-c", greed], capture_output=True, check=False
    )
    assert b"MemoryError" in done.stderr
    told = "import resource as r; print(r.getrlimit(r.RLIMIT_CPU)[0] <= t.CPU_S_MAX)"
    done = subprocess.run(
        [sys.executable, "-c", begin + told], capture_output=True, check=True
    )
    assert done.stdout.strip() == b"True"
