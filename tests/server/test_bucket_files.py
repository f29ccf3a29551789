"""A server that keeps its files in a bucket."""

from pathlib import Path

import msgspec
import pytest

from kefu_core.errors import ConfigurationError
from kefu_core.followers.files import FileSweep
from kefu_core.node import monotonic, unix_ms
from kefu_core.records import Attachment
from kefu_core.store.memory import MemoryStore
from kefu_core.upkeep.erasing import erase_visitor
from kefu_server.app import create_app
from kefu_server.sections import FileSettings, Secret
from kefu_server.settings import Settings
from kefu_server.storing import open_files
from tests.buckets import (
    ACCESS_KEY,
    SECRET_KEY,
    Bucket,
    bucket,  # noqa: F401
    bucket_service,  # noqa: F401
)
from tests.server.rooms import Room, picture, room_of

pytestmark = pytest.mark.anyio


def settings_of(settings: Settings, place: Bucket, secret: str = "") -> Settings:
    files = FileSettings(
        bucket=place.name,
        endpoint=place.service.url,
        prefix="kefu",
        access_key=ACCESS_KEY,
        secret_key=Secret(secret or SECRET_KEY),
    )
    return msgspec.structs.replace(settings, files=files)


async def test_files_go_to_the_bucket_and_come_back_and_are_cleared_away(
    settings: Settings,
    bucket: Bucket,  # noqa: F811
) -> None:
    store = MemoryStore(now=monotonic, now_ms=unix_ms)
    app = create_app(settings_of(settings, bucket), store=store)
    async with app.router.lifespan_context(app):
        room: Room = await room_of(app)
        async with room.visitor() as visitor:
            content = picture()
            sent = await room.put(visitor, content, name="a.png")
            assert sent.status_code == 200, sent.text
            assert (await room.put(visitor, content, name="a.png")).json()["duplicate"]
            (row,) = await store.list_records(Attachment)
            keys = [f"kefu/{row.storage_key}", f"kefu/{row.thumbnail_key}"]
            assert bucket.keys() == sorted(keys)
            assert room.stored() == []
            path = f"/api/files/{row.id}"
            assert (await visitor.get(path)).content == content
            part = await visitor.get(path, headers={"range": "bytes=7-99"})
            assert (part.status_code, part.content) == (206, content[7:100])
            small = await visitor.get(f"{path}/thumbnail")
            assert small.headers["content-type"] == "image/webp"
        await erase_visitor(store, room.row.visitor)
        sweep = FileSweep(store, open_files(app.settings), now_ms=unix_ms)
        assert await sweep.sweep() == 1
        assert bucket.keys() == []


async def test_without_its_bucket_the_chat_goes_on_and_no_file_is_said(
    settings: Settings,
    bucket: Bucket,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryStore(now=monotonic, now_ms=unix_ms)
    away = Bucket(bucket.service, "never-made")
    app = create_app(settings_of(settings, away), store=store)
    async with app.router.lifespan_context(app):
        room = await room_of(app)
        assert "no_files" in caplog.text
        assert SECRET_KEY not in caplog.text
        async with room.visitor() as visitor:
            refused = await room.put(visitor)
            assert refused.status_code == 503
            assert await room.log() == []
            away.make()
            assert (await room.put(visitor)).status_code == 200
            assert len(await room.log()) == 1


def test_a_bucket_without_its_library_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "kefu_core.storage.s3", None)
    files = FileSettings(bucket="shop")
    with pytest.raises(ConfigurationError, match=r"kefu\[s3\]"):
        open_files(msgspec.structs.replace(settings, files=files))


def test_files_are_on_the_disk_unless_a_bucket_is_named(tmp_path: Path) -> None:
    storage = open_files(Settings(data_dir=str(tmp_path)))
    assert type(storage).__name__ == "LocalFiles"
