"""Reads a backup back: all of it, or nothing that a server would open.

The whole file is read and checked before anything is touched. Then the database is
marked, rows and files go in, and only the last step unmarks it, with a new epoch: a
restore that was killed is run again. What `replaces` puts away is moved aside where it
is a file of this machine, so that a wrong restore can be undone.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from kefu_core.abc.files import FileStorage
from kefu_core.errors import Conflict, Invalid, KefuError
from kefu_core.node import unix_ms
from kefu_core.records import AttachmentStatus
from kefu_core.storage.local import ARRIVING, Spool
from kefu_core.store.dumping import Restore, open_restore, require_revision
from kefu_server.backups.archive import (
    FILES,
    ROWS,
    SECRET,
    SETTINGS,
    TRANSLATION,
    Manifest,
    members,
    read_manifest,
    reading,
    rows_in,
    table_of,
)
from kefu_server.backups.writing import ATTACHMENT, KEPT, OnDone
from kefu_server.database import prepared
from kefu_server.one_server import file_of, only_server
from kefu_server.outfiles import write_private
from kefu_server.settings import Settings
from kefu_server.storing import open_files

_KEY_PART = re.compile(r"[a-z0-9.-]+")
_CHUNK_BYTES = 262_144


class RestoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was read back."""

    manifest: Manifest
    files: int
    put_away: list[str]
    """Where what was there before is now."""
    notes: list[str]
    """Files that were written for the operator to look at."""
    has_secret: bool
    """Whether visitors keep their names: the secret came back, or was there."""


async def restore_backup(
    settings: Settings,
    path: Path,
    *,
    replaces: bool,
    on_checked: Callable[[Manifest], None] | None = None,
    on_done: OnDone | None = None,
) -> RestoreReport:
    """Check a backup and read it into the database and the files of the settings.

    Raises:
        Invalid: The file is no whole backup; nothing was changed.
        ConfigurationError: It is of another version, or a server runs on it.
        Conflict: The database or the files are not empty, and `replaces` is not set.
    """
    manifest = read_manifest(path)
    require_revision(manifest.revision)
    if on_checked is not None:
        on_checked(manifest)
    url = prepared(settings)
    with only_server(url):
        run = _Run(settings, path, manifest, on_done)
        put_away = run.put_away(url) if replaces else []
        async with open_restore(url) as target:
            await run.begin(target, replaces=replaces)
            await run.read(target)
            await target.finish()
    return RestoreReport(
        manifest=manifest,
        files=run.files,
        put_away=[str(each) for each in put_away],
        notes=run.notes,
        has_secret=run.has_secret,
    )


class _Run:
    """One restore."""

    def __init__(
        self, settings: Settings, path: Path, manifest: Manifest, on_done: OnDone | None
    ) -> None:
        self._settings = settings
        self._path = path
        self._manifest = manifest
        self._on_done = on_done
        self._gone = set(manifest.gone)
        self._storage: FileStorage = open_files(settings)
        self._folder = Path(settings.data_dir)
        self._spool = Spool(self._folder / "files" / ARRIVING)
        self._done = 0
        self.files = 0
        self.notes: list[str] = []
        self.has_secret = bool(settings.secret) or self._secret_path.exists()

    @property
    def _secret_path(self) -> Path:
        return Path(self._settings.secret_file or self._folder / "secret")

    # -- what was there ----------------------------------------------------------------

    def put_away(self, url: str) -> list[Path]:
        """Move the files of this machine aside; returns where they are now."""
        mark = f"{datetime.fromtimestamp(unix_ms() / 1000, UTC):%Y%m%d-%H%M%S}"
        moved: list[Path] = []
        old: list[Path] = []
        if (database := file_of(url)) is not None:
            old += [Path(f"{database}{end}") for end in ("", "-wal", "-shm")]
        if self._manifest.has_files and not self._settings.files.bucket:
            old.append(self._folder / "files")
        for each in old:
            if each.exists():
                target = each.with_name(f"{each.name}.before-{mark}")
                try:
                    each.rename(target)
                except OSError as error:
                    raise KefuError(
                        f"{each} cannot be put away: {error.strerror}."
                    ) from error
                moved.append(target)
        return moved

    async def begin(self, target: Restore, *, replaces: bool) -> None:
        """Refuse what is not empty; mark and empty the database."""
        is_begun = await target.is_begun()
        if self._manifest.has_files and not (is_begun or replaces):
            async for found in self._storage.listed():
                raise Conflict(
                    f"There are files already, such as {found.key}; name an empty "
                    "data_dir or bucket, or say --replace."
                )
        await target.prepare(replaces=replaces)

    # -- reading -----------------------------------------------------------------------

    async def read(self, target: Restore) -> None:
        """Read rows, files and the rest."""
        # With a database elsewhere nobody has made it yet.
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise KefuError(
                f"{self._folder} cannot be made: {error.strerror}."
            ) from error
        with reading(self._path):
            for name, source in members(self._path):
                if name.startswith(ROWS):
                    await self._rows(target, table_of(name), source)
                elif name.startswith(FILES):
                    await self._file(name.removeprefix(FILES), source)
                elif name == SECRET:
                    self._secret(source.read())
                elif name in (SETTINGS, TRANSLATION):
                    note = self._folder / f"restored-{name}"
                    write_private(note, source.read())
                    self.notes.append(str(note))

    async def _rows(self, target: Restore, name: str, source: IO[bytes]) -> None:
        table = self._manifest.tables.get(name)
        if table is None:
            raise Invalid(f"The backup has no table {name!r} in its manifest.")
        rows: Sequence[Sequence[Any]] = rows_in(source)
        if name == ATTACHMENT:
            rows = [self._attachment(table.columns, row) for row in rows]
        await target.insert(name, table.columns, rows)
        self._tell(len(rows))

    def _attachment(self, columns: list[str], values: Sequence[Any]) -> list[Any]:
        """Return a file's row, given up where its bytes were not there."""
        row = dict(zip(columns, values, strict=True))
        if row["storage_key"] in self._gone and row["status"] in KEPT:
            row["status"] = AttachmentStatus.DROPPED.value
        if row["thumbnail_key"] in self._gone:
            row["thumbnail_key"] = ""
        return list(row.values())

    async def _file(self, key: str, source: IO[bytes]) -> None:
        if ".." in key or not all(map(_KEY_PART.fullmatch, key.split("/"))):
            raise Invalid(f"The backup has a file of an impossible name: {key!r}.")
        size = self._manifest.members[FILES + key].size
        async with self._spool.incoming(size) as incoming:
            while chunk := source.read(_CHUNK_BYTES):
                await incoming.write(chunk)
            await incoming.flush()
            await self._storage.put(key, incoming.path)
        self.files += 1
        self._tell(1)

    def _secret(self, content: bytes) -> None:
        """Keep the secret that signs visitors' tokens, unless there is one."""
        if self.has_secret:
            return
        with suppress(FileExistsError):
            write_private(self._secret_path, content + b"\n", is_new=True)
        self.has_secret = True

    def _tell(self, count: int) -> None:
        self._done += count
        if self._on_done is not None:
            self._on_done(self._done)
