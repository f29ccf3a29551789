"""What keeps the bytes of files, and what makes small pictures of them."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec

from kefu_core.errors import ErrorCode, KefuError


class FileMissing(KefuError):
    """The storage does not have these bytes, though somebody expected them."""

    code = ErrorCode.NOT_FOUND


class StoredFile(msgspec.Struct, frozen=True):
    """What a storage tells of one file without reading it."""

    key: str
    size: int
    """Bytes."""


class FileStorage(ABC):
    """Bytes by key. A key is made by us: at most 100 characters of `a-z0-9/.-`.

    What is stored under a key never changes. All raise `StoreUnavailable`, and
    `StorageFull` where they write.
    """

    @abstractmethod
    async def put(self, key: str, source: Path) -> None:
        """Keep a local file's bytes; `source` may be gone afterwards.

        When this returns, they survive the death of this process and of its machine.
        """

    @abstractmethod
    def read(
        self, key: str, start: int = 0, stop: int | None = None
    ) -> AsyncGenerator[bytes]:
        """Yield the bytes from `start` up to, not including, `stop`; None: the end.

        Raises:
            FileMissing: Nothing is stored under this key, or less than this.
        """

    @abstractmethod
    async def delete(self, key: str) -> None:
        """Forget a key; harmless when there is nothing."""

    @abstractmethod
    def listed(self) -> AsyncGenerator[StoredFile]:
        """Yield all that is kept, in no order; for upkeep, since it reads folders.

        What is put or deleted meanwhile may be among it or not.
        """

    async def problem(self) -> str:
        """Return what keeps files from being kept at present; empty: nothing does."""
        return ""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """What was learnt of a picture by decoding it."""

    width: int
    """Pixels, as people see it: turned the way its camera was held."""
    height: int
    media_type: str
    """What it was decoded as."""


class Thumbnailer(ABC):
    """Makes small pictures of untrusted ones."""

    @abstractmethod
    async def shrink(self, source: Path, target: Path) -> Picture | None:
        """Write a small WebP of `source` to `target`, without its metadata.

        Bounded in time and memory. Returns None, and may leave a part of `target`,
        for what cannot or may not be decoded.
        """
