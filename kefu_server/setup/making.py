"""What choices become: the schema, the secret, the first site and the first admin."""

import os
import pwd
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from kefu_core.abc.store import Store
from kefu_core.errors import Conflict
from kefu_server import accounts, database
from kefu_server.settings import Settings, load_secret, make_settings
from kefu_server.setup.choices import Choices
from kefu_server.setup.files import PlannedFile, Written, write_all


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What there is now."""

    schema: str
    weak: tuple[str, ...]
    """What keeps the database from holding what it acknowledges, each with a fix."""
    written: tuple[Written, ...] = ()


def settings_of(choices: Choices) -> Settings:
    """Return the settings as the server will read them. Raises `ConfigurationError`."""
    values = dict(choices.values)
    if choices.services:
        values["translation.file"] = str(choices.services_file.absolute())
    return make_settings(values)


def make_all(
    choices: Choices, settings: Settings, files: Sequence[PlannedFile], stamp: str
) -> Made:
    """Make tables and rows, and move the files in once those are there.

    Raises:
        KefuError: Something failed; no file was written, and no row.
    """
    written, made = write_all(files, stamp, lambda: _make_rows(choices, settings))
    if choices.user and os.geteuid() == 0:
        _hand_over(Path(settings.data_dir), choices.user)
    return msgspec.structs.replace(made, written=tuple(written))


def _make_rows(choices: Choices, settings: Settings) -> Made:
    version = database.upgrade(settings)
    load_secret(settings)
    accounts.in_store(settings, lambda store: put_first(store, choices))
    return Made(schema=version, weak=tuple(database.check(settings)))


async def put_first(store: Store, choices: Choices) -> None:
    """Keep the first admin and site. Raises `Conflict`: the login is taken."""
    admin, site = choices.admin, choices.site
    if admin and await store.find_agent(login=admin.login) is not None:
        raise Conflict(f"There is already an agent with the login {admin.login}.")
    if site:
        await accounts.put_site(store, site)
    if admin:
        # Last: where there is an admin, setting up is over.
        await accounts.put_agent(store, admin)


def _hand_over(folder: Path, user: str) -> None:
    """Give the data to the user that will serve it."""
    with suppress(KeyError):  # It was checked, and somebody said to go on without.
        entry = pwd.getpwnam(user)
        for path in _all_of(folder):
            os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def _all_of(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield folder
        yield from folder.rglob("*")
