"""What every storage of files promises, on the disk and in a bucket."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kefu_core.abc.files import FileMissing, FileStorage
from kefu_core.errors import ConfigurationError, StoreUnavailable
from kefu_core.storage.local import LocalFiles
from kefu_core.storage.s3 import BucketFiles
from tests.buckets import (
    ACCESS_KEY,
    REGION,
    SECRET_KEY,
    Bucket,
    BucketService,
    bucket,  # noqa: F401
    bucket_service,  # noqa: F401
)

pytestmark = pytest.mark.anyio

SIZES = (0, 1, 70_000, 6_000_000)
"""Nothing, a byte, some chunks, and more than one part of an upload."""


@pytest.fixture
def anyio_backend() -> str:
    """The bucket's library runs on asyncio only."""
    return "asyncio"


def files_in(place: Bucket, prefix: str = "") -> BucketFiles:
    return BucketFiles(
        place.name,
        endpoint=place.service.url,
        region=REGION,
        prefix=prefix,
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
    )


@pytest.fixture(params=["local", "bucket", "bucket below a prefix"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> FileStorage:
    if request.param == "local":
        return LocalFiles(tmp_path / "kept")
    prefix = "shop/kefu" if "prefix" in request.param else ""
    return files_in(request.getfixturevalue("bucket"), prefix)


@pytest.fixture
def source(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "arriving"
        path.write_bytes(content)
        return path

    return write


async def read(storage: FileStorage, key: str, *part: int) -> bytes:
    return b"".join([chunk async for chunk in storage.read(key, *part)])


def content_of(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_put_is_read(
    storage: FileStorage, source: Callable[[bytes], Path], size: int
) -> None:
    content = content_of(size)
    await storage.put("2026/11/a-1", source(content))
    assert await read(storage, "2026/11/a-1") == content
    assert await read(storage, "2026/11/a-1", 0, size) == content
    assert await storage.problem() == ""


async def test_parts_are_read_and_what_is_missing_is_said(
    storage: FileStorage, source: Callable[[bytes], Path]
) -> None:
    content = content_of(400_000)
    await storage.put("a", source(content))
    for part in ((0, 1), (5, 5), (3, 300_003), (399_999, 400_000), (399_990,)):
        assert (
            await read(storage, "a", *part)
            == content[slice(*part, *([None] * (2 - len(part))))]
        )
    assert await read(storage, "a", 400_000) == b""
    for part in ((0, 400_001), (399_999, 400_001)):
        with pytest.raises(FileMissing):
            await read(storage, "a", *part)
    for part in ((), (0, 1), (3, 4)):
        with pytest.raises(FileMissing):
            await read(storage, "never", *part)


async def test_what_was_deleted_is_gone_and_may_be_deleted_again(
    storage: FileStorage, source: Callable[[bytes], Path]
) -> None:
    await storage.put("a", source(b"1"))
    await storage.put("ab", source(b"2"))
    await storage.delete("a")
    await storage.delete("a")
    with pytest.raises(FileMissing):
        await read(storage, "a")
    assert await read(storage, "ab") == b"2"


async def test_all_that_is_kept_is_listed_with_its_size(
    storage: FileStorage, source: Callable[[bytes], Path]
) -> None:
    assert [found async for found in storage.listed()] == []
    await storage.put("ab/1", source(b"one"))
    await storage.put("ab/1.webp", source(b"small"))
    await storage.put("cd/2", source(b""))
    listed = {(found.key, found.size) async for found in storage.listed()}
    assert listed == {("ab/1", 3), ("ab/1.webp", 5), ("cd/2", 0)}


async def test_the_prefix_stands_before_every_key(
    bucket: Bucket,  # noqa: F811
    source: Callable[[bytes], Path],
) -> None:
    for prefix in ("shop/kefu", "shop/other/"):
        storage = files_in(bucket, prefix)
        assert await storage.problem() == ""
        await storage.put("2026/a", source(b"1"))
    assert bucket.keys() == ["shop/kefu/2026/a", "shop/other/2026/a"]


async def test_a_service_that_is_away_is_said_and_used_again_when_it_is_back(
    source: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kefu_core.storage.s3._RETRIES_S", 0.3)
    service = BucketService()
    away = Bucket(service, "away")
    storage = files_in(away)
    try:
        assert "cannot be used" in await storage.problem()
        with pytest.raises(StoreUnavailable, match="cannot be used"):
            await storage.put("a", source(b"1"))
        with pytest.raises(StoreUnavailable):
            await read(storage, "a")
        service.start()
        assert "bucket" in (await storage.problem()).lower()
        with pytest.raises(StoreUnavailable, match="no bucket 'away'"):
            await storage.put("a", source(b"1"))
        away.make()
        await storage.put("a", source(b"1"))
        assert await read(storage, "a") == b"1"
        assert await storage.problem() == ""
    finally:
        service.stop()


@pytest.mark.parametrize("prefix", ["../x", "a//b", "a\n"])
def test_a_prefix_that_no_key_can_have_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="bucket for files"):
        BucketFiles("shop", prefix=prefix)


def test_the_bucket_stands_before_the_endpoint_where_that_is_asked() -> None:
    storage = BucketFiles(
        "shop",
        endpoint="https://oss-cn-hangzhou.aliyuncs.com",
        addressing="virtual",
        access_key="a",
        secret_key="b",
    )
    assert "https://shop.oss-cn-hangzhou.aliyuncs.com" in repr(storage._store.config)
    assert "'b'" not in repr(storage)
