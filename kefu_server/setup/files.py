"""The files that come of choices, and writing all of them or none."""

import os
import pwd
import secrets
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from kefu_core.errors import KefuError
from kefu_server.sections import Secret
from kefu_server.settings import Settings, setting_keys
from kefu_server.setup import deploying
from kefu_server.setup.choices import Choices
from kefu_server.setup.pages import (
    environment_page,
    quoted,
    services_page,
    settings_page,
    toml,
)
from kefu_server.words import Words

T = TypeVar("T")

_PRIVATE, _OF_GROUP, _PUBLIC = 0o600, 0o640, 0o644


class PlannedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file to be written."""

    path: Path
    text: str
    mode: int
    secrets: tuple[str, ...] = ()
    """What of the text no screen shows."""
    group_of: str = ""
    """A user who may read it, where this runs as root."""

    @property
    def shown(self) -> str:
        """Return the text as a screen may show it."""
        text = self.text
        for secret in sorted(filter(None, self.secrets), key=len, reverse=True):
            for written in (quoted(secret)[1:-1], toml(secret)[1:-1]):
                text = text.replace(written, "***")
        return text


def planned(choices: Choices, settings: Settings, words: Words) -> list[PlannedFile]:
    """Return every file that these choices want, the settings first."""
    values = dict(choices.values)
    if choices.services:
        values["translation.file"] = str(choices.services_file.absolute())
    hidden = {
        key: str(values[key])
        for key, kind, _ in setting_keys()
        if kind is Secret and values.get(key)
    }
    elsewhere = frozenset(hidden) if choices.environment else frozenset[str]()
    known = tuple(hidden.values())
    settings_text = settings_page(values, words, elsewhere)
    mode = _OF_GROUP if choices.user else _PRIVATE
    found = [_file(choices, choices.config, settings_text, mode, known)]
    if choices.environment:
        text = environment_page(hidden, words)
        found.append(_file(choices, choices.environment, text, _PRIVATE, known))
    if choices.services:
        text = services_page(choices.services, words)
        keys = tuple(v for table in choices.services.values() for v in table.values())
        found.append(_file(choices, choices.services_file, text, mode, keys))
    if choices.unit:
        text = deploying.unit(choices, settings)
        found.append(_file(choices, choices.unit, text, _PUBLIC, ()))
    if choices.proxy_file and choices.proxy:
        make = deploying.nginx if choices.proxy == "nginx" else deploying.caddy
        text = make(choices, settings)
        found.append(_file(choices, choices.proxy_file, text, _PUBLIC, ()))
    return found


def _file(
    choices: Choices, path: Path, text: str, mode: int, hidden: tuple[str, ...]
) -> PlannedFile:
    group_of = choices.user if mode == _OF_GROUP else ""
    return PlannedFile(
        path=path, text=text, mode=mode, secrets=hidden, group_of=group_of
    )


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file."""

    path: Path
    backup: Path | None = None
    """Where what stood there before is kept."""
    is_same: bool = False
    """It stood there already, word for word."""


def write_all(
    files: Sequence[PlannedFile], stamp: str, between: Callable[[], T]
) -> tuple[list[Written], T]:
    """Lay every file ready beside its place, do `between`, then move them in.

    What can fail (rights, room, `between`) fails before any place is touched.

    Args:
        files: Where folders are missing they are made, for their user only.
        stamp: Becomes part of the name of a backup.
        between: What must have worked before the files may say so.

    Raises:
        KefuError: A file cannot be written; nothing was.
    """
    ready: list[tuple[PlannedFile, Path]] = []
    made: list[Path] = []
    try:
        for file in files:
            made += _make_folder(file.path.absolute().parent)
            ready.append((file, _lay(file)))
        result = between()
    except BaseException as error:
        for _, path in ready:
            path.unlink(missing_ok=True)
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            raise KefuError(
                f"{error.filename or 'A file'} cannot be written "
                f"({error.strerror}); nothing was changed."
            ) from error
        raise
    return [_move_in(file, path, stamp) for file, path in ready], result


def _make_folder(folder: Path) -> list[Path]:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    return missing[::-1]


def _lay(file: PlannedFile) -> Path:
    path = file.path.absolute()
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(file.text)
            opened.flush()
            os.fsync(opened.fileno())
        if file.group_of and os.geteuid() == 0:
            with suppress(KeyError):  # Whether there is such a user was checked before.
                os.chown(beside, 0, pwd.getpwnam(file.group_of).pw_gid)
        beside.chmod(file.mode)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return beside


def _move_in(file: PlannedFile, ready: Path, stamp: str) -> Written:
    path = file.path.absolute()
    backup = None
    if path.exists():
        if path.read_bytes() == file.text.encode():
            ready.replace(path)
            return Written(path=path, is_same=True)
        backup = path.with_name(f"{path.name}.{stamp}.bak")
        while backup.exists():
            backup = backup.with_name(f"{backup.name}.bak")
        shutil.copy2(path, backup)
    ready.replace(path)
    return Written(path=path, backup=backup)
