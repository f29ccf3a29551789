"""Files on this machine's disk, and the folder in which they arrive."""

import errno
import hashlib
import logging
import os
import secrets
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO

import anyio
import anyio.to_thread

from kefu_core.abc.files import FileMissing, FileStorage, StoredFile
from kefu_core.errors import StorageFull, StoreUnavailable, TooLarge

logger = logging.getLogger(__name__)

CHUNK_BYTES = 262_144
ARRIVING = "arriving"
"""The folder, beside those of what is kept, in which files arrive."""
SWEEP_S = 3_600.0
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def _refused(error: OSError) -> StoreUnavailable:
    if error.errno in _FULL:
        return StorageFull("The disk for files is full.")
    return StoreUnavailable(f"Files cannot be kept: {error.strerror or error}.")


def _sync_folder(folder: Path) -> None:
    """Make names in a folder outlive a loss of power."""
    with suppress(PermissionError):  # Windows opens no folders.
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class LocalFiles(FileStorage):
    """Keeps each file under its key below one folder, which nothing else serves."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made when it is first needed."""
        self._folder = folder

    async def put(self, key: str, source: Path) -> None:
        try:
            await anyio.to_thread.run_sync(self._put, self._path(key), source)
        except OSError as error:
            raise _refused(error) from error

    def _put(self, target: Path, source: Path) -> None:
        above = (target.parent, *target.parent.parents)
        missing = [folder for folder in above if not folder.exists()]
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with source.open("rb") as opened:
            os.fsync(opened.fileno())
        source.replace(target)
        for folder in (target.parent, *[each.parent for each in missing]):
            _sync_folder(folder)

    async def read(
        self, key: str, start: int = 0, stop: int | None = None
    ) -> AsyncGenerator[bytes]:
        try:
            opened = await anyio.open_file(self._path(key), "rb")
        except FileNotFoundError as error:
            raise FileMissing("This file is gone.") from error
        except OSError as error:
            raise _refused(error) from error
        async with opened:
            await opened.seek(start)
            left = CHUNK_BYTES if stop is None else stop - start
            while left > 0:
                chunk = await opened.read(min(CHUNK_BYTES, left))
                if not chunk:
                    if stop is None:
                        return
                    raise FileMissing("A part of this file is gone.")
                left -= 0 if stop is None else len(chunk)
                yield chunk

    async def delete(self, key: str) -> None:
        try:
            await anyio.to_thread.run_sync(self._delete, self._path(key))
        except OSError as error:
            raise _refused(error) from error

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    async def listed(self) -> AsyncGenerator[StoredFile]:
        try:
            folders = await anyio.to_thread.run_sync(self._folders)
            for folder in folders:
                for found in await anyio.to_thread.run_sync(self._listed, folder):
                    yield found
        except OSError as error:
            raise _refused(error) from error

    def _folders(self) -> list[Path]:
        """Return the folder itself and those right below it that keys begin with."""
        below = self._folder.iterdir() if self._folder.is_dir() else ()
        folders = (path for path in below if path.is_dir() and path.name != ARRIVING)
        return [self._folder, *sorted(folders)]

    def _listed(self, folder: Path) -> list[StoredFile]:
        below = folder.glob("*") if folder == self._folder else folder.rglob("*")
        found = []
        for path in below:
            with suppress(FileNotFoundError):
                state = path.stat()
                if stat.S_ISREG(state.st_mode):
                    key = path.relative_to(self._folder).as_posix()
                    found.append(StoredFile(key, state.st_size))
        return found

    def _path(self, key: str) -> Path:
        path = self._folder / key
        # Keys are made by us; a slip there must not reach other files.
        assert path.is_relative_to(self._folder), key
        assert ".." not in path.parts, key
        return path


class Incoming:
    """A file on its way in: counted, bounded and hashed while it is written."""

    def __init__(self, path: Path, opened: IO[bytes], bytes_max: int) -> None:
        self.path = path
        self.size = 0
        self.head = b""
        """The first bytes, for `filetypes.sniff`."""
        self._opened = opened
        self._bytes_max = bytes_max
        self._hash = hashlib.sha256()
        self._waiting = bytearray()

    @property
    def sha256(self) -> str:
        """Of all that was written, in hex."""
        return self._hash.hexdigest()

    async def write(self, chunk: bytes) -> None:
        """Take bytes. Raises `TooLarge` before more than allowed are on the disk."""
        self.size += len(chunk)
        if self.size > self._bytes_max:
            raise TooLarge(f"The file is larger than {self._bytes_max:,} bytes.")
        if len(self.head) < 64:
            self.head += chunk[: 64 - len(self.head)]
        self._waiting += chunk
        if len(self._waiting) >= CHUNK_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Hand what waits to the disk. Raises `StorageFull`."""
        block, self._waiting = bytes(self._waiting), bytearray()
        try:
            await anyio.to_thread.run_sync(self._write, block)
        except OSError as error:
            raise _refused(error) from error

    def _write(self, block: bytes) -> None:
        self._hash.update(block)
        self._opened.write(block)
        self._opened.flush()


class Spool:
    """The folder in which files arrive; what a killed process left there is swept."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, on the same disk as `LocalFiles`."""
        self._folder = folder

    @asynccontextmanager
    async def incoming(self, bytes_max: int) -> AsyncIterator[Incoming]:
        """Open a file to write into; gone at the end, unless it was moved away."""
        path = self.new_path()
        try:
            opened = await anyio.to_thread.run_sync(self._open, path)
        except OSError as error:
            raise _refused(error) from error
        try:
            yield Incoming(path, opened, bytes_max)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._close, path, opened)

    def new_path(self) -> Path:
        """Return a name that nothing has."""
        return self._folder / secrets.token_hex(16)

    def _open(self, path: Path) -> IO[bytes]:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path.open("xb")

    def _close(self, path: Path, opened: IO[bytes]) -> None:
        opened.close()
        path.unlink(missing_ok=True)

    async def run(self, now_ms: Callable[[], int]) -> None:
        """Sweep at once and every hour, until cancelled; no upload takes so long."""
        while True:
            try:
                before_s = now_ms() / 1000 - SWEEP_S
                await anyio.to_thread.run_sync(self.sweep, before_s)
            except OSError as error:
                logger.warning("what was left of uploads is not deleted: %s", error)
            await anyio.sleep(SWEEP_S)

    def sweep(self, before_s: float) -> int:
        """Delete what nobody has written to since then (Unix seconds); count it."""
        count = 0
        for path in self._folder.glob("*") if self._folder.is_dir() else ():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before_s:
                    path.unlink()
                    count += 1
        return count
