"""The file of a backup: a tar whose every byte is accounted for.

    settings.toml
    rows/001-site-0001.jsonl.gz      rows as JSON arrays, a batch a member
    …
    files/ab/cdef…                   bytes by their key in the storage
    manifest.json                    what there is, and the SHA-256 of each member
    manifest.sha256                  of the manifest itself, at the very end

It is written in one go, to a pipe if need be. A file that was cut off has no manifest;
one in which anything was changed does not agree with it. Both are refused before a
single row is read back.
"""

import gzip
import io
import tarfile
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, BinaryIO

import msgspec

from kefu_core.errors import Invalid

FORMAT = "kefu-backup"
VERSION = 1
MANIFEST = "manifest.json"
SEAL = "manifest.sha256"
SETTINGS = "settings.toml"
SECRET = "secret"  # noqa: S105  # a member's name
TRANSLATION = "translation.toml"
FILES = "files/"
ROWS = "rows/"

_BLOCK_BYTES = 512
_CHUNK_BYTES = 262_144
_SPOOL_BYTES = 4_194_304
_BATCH_BYTES = 4_194_304
_MANIFEST_BYTES_MAX = 1 << 30
_json = msgspec.json.Encoder()


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table of a backup."""

    columns: list[str]
    rows: int


class Member(msgspec.Struct, frozen=True):
    """One member of the file."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds."""

    format: str
    version: int
    kefu: str
    """The version of the program that wrote it."""
    revision: str
    """Of the tables."""
    engine: str
    epoch: str
    began_at: int
    """Unix ms: what was acknowledged before is in it."""
    has_secrets: bool
    has_files: bool
    tables: dict[str, Table]
    gone: list[str]
    """Keys of files that rows name and that were not there."""
    members: dict[str, Member]


class Writer:
    """Fills a backup, member by member."""

    def __init__(self, file: BinaryIO) -> None:
        """Take what to write to; a pipe will do."""
        self._file = file
        self.members: dict[str, Member] = {}
        self.tables: dict[str, Table] = {}
        self._lines: list[bytes] = []
        self._line_bytes = 0
        self._table = ""
        self._batch = 0

    def add(self, name: str, content: bytes) -> None:
        """Write a member that is in memory."""
        self._add(name, io.BytesIO(content), len(content), sha256(content).hexdigest())

    async def add_chunks(self, name: str, chunks: AsyncIterable[bytes]) -> Member:
        """Write a member whose size nobody knows; nothing if reading it fails."""
        digest, size = sha256(), 0
        with SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
            async for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                spool.write(chunk)
            spool.seek(0)
            self._add(name, spool, size, digest.hexdigest())
        return self.members[name]

    def add_rows(self, table: str, columns: list[str], rows: Any) -> None:
        """Write rows of a table, which come one table after the other."""
        if table != self._table:
            self._flush()
            self._table, self._batch = table, 0
            self.tables[table] = Table(columns=columns, rows=0)
        for row in rows:
            line = _json.encode(row)
            self._lines.append(line)
            self._line_bytes += len(line)
        known = self.tables[table]
        self.tables[table] = Table(columns=columns, rows=known.rows + len(rows))
        if self._line_bytes >= _BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._lines:
            self._batch += 1
            place = f"{len(self.tables):03}-{self._table}-{self._batch:06}"
            content = gzip.compress(b"\n".join(self._lines), 5, mtime=0)
            self.add(f"{ROWS}{place}.jsonl.gz", content)
        self._lines, self._line_bytes = [], 0

    def end_rows(self) -> None:
        """Write what is left of the rows."""
        self._flush()

    def close(self, manifest: Manifest) -> None:
        """Write the manifest: from here on the backup is whole."""
        content = _json.encode(manifest)
        self.add(MANIFEST, content)
        self.add(SEAL, sha256(content).hexdigest().encode())
        self._file.write(bytes(2 * _BLOCK_BYTES))

    def _add(self, name: str, source: IO[bytes], size: int, digest: str) -> None:
        # Not by `TarFile`: one that is given up on writes its end nevertheless.
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        self._file.write(info.tobuf(tarfile.PAX_FORMAT))
        while chunk := source.read(_CHUNK_BYTES):
            self._file.write(chunk)
        self._file.write(bytes(-size % _BLOCK_BYTES))
        self.members[name] = Member(size, digest)


def read_manifest(path: Path) -> Manifest:
    """Read a whole backup and compare every byte with its manifest.

    Raises:
        Invalid: It is none, is cut off or is damaged; says which.
    """
    seen: dict[str, Member] = {}
    manifest, seal = b"", ""
    with reading(path):
        for name, source in members(path):
            if name == MANIFEST:
                manifest = source.read(_MANIFEST_BYTES_MAX)
            elif name == SEAL:
                seal = source.read(100).decode("ascii", "replace")
            elif name in seen or manifest:
                raise _damaged(path, f"{name} is where it cannot be")
            else:
                seen[name] = _measured(source)
    if not seen and not manifest:
        raise Invalid(f"{path} is no backup of kefu.")
    if not manifest or not seal:
        raise _damaged(path, "its end is missing")
    if sha256(manifest).hexdigest() != seal:
        raise _damaged(path, "its table of contents is not what was written")
    found = _decode(path, manifest)
    for name in sorted(found.members.keys() | seen.keys()):
        if found.members.get(name) != seen.get(name):
            raise _damaged(path, f"{name} is not what was written")
    return found


def _measured(source: IO[bytes]) -> Member:
    digest, size = sha256(), 0
    while chunk := source.read(_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return Member(size, digest.hexdigest())


def _decode(path: Path, manifest: bytes) -> Manifest:
    try:
        found = msgspec.json.decode(manifest, type=Manifest)
    except msgspec.DecodeError as error:
        raise Invalid(
            f"{path} was written by another version of kefu, or by something else."
        ) from error
    if found.format != FORMAT or found.version != VERSION:
        raise Invalid(f"{path} is of format {found.format} {found.version}, not ours.")
    return found


def _damaged(path: Path, what: str) -> Invalid:
    return Invalid(f"{path} is damaged: {what}. Nothing was restored.")


def members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield every member of a backup with its bytes, in order, inside `reading`.

    Each is read before the next one is asked for.
    """
    with tarfile.open(path, "r|") as tar:
        for info in tar:
            source = tar.extractfile(info) if info.isreg() else None
            if source is None:
                raise Invalid(f"{path} is no backup of kefu: {info.name} is no file.")
            yield info.name, source


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say in one sentence why a file cannot be read as a backup: `Invalid`."""
    try:
        yield
    except (tarfile.TarError, EOFError) as error:
        if path.stat().st_size and _is_tar(path):
            raise _damaged(path, "it ends too early or is changed") from error
        raise Invalid(f"{path} is no backup of kefu.") from error
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror or error}.") from error


def _is_tar(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(512)[257:262] == b"ustar"


def rows_in(source: IO[bytes]) -> list[list[Any]]:
    """Return the rows of one member."""
    lines = gzip.decompress(source.read()).split(b"\n")
    return [msgspec.json.decode(line, type=list[Any]) for line in lines]


def table_of(name: str) -> str:
    """Return the table whose rows a member holds."""
    return name.removeprefix(ROWS)[4:].rpartition("-")[0]
