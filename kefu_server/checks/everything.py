"""All checks of an installation, in the order in which a person would look."""

from collections.abc import Callable
from pathlib import Path

import anyio
import msgspec

from kefu_core.errors import KefuError
from kefu_core.node import unix_ms
from kefu_server.checks import Check, ok, problem
from kefu_server.checks.databases import check_database
from kefu_server.checks.folders import check_files
from kefu_server.checks.installation import Content, check_installation
from kefu_server.checks.keeping import check_data, check_keys, check_secret
from kefu_server.checks.machine import (
    check_clock,
    check_descriptors,
    check_disk,
    clock_state,
    descriptors_of,
    room_at,
)
from kefu_server.checks.mail import check_mail
from kefu_server.checks.processes import check_server, find_server
from kefu_server.checks.proxies import check_public
from kefu_server.checks.translation import check_translation
from kefu_server.checks.versions import check_program
from kefu_server.one_server import file_of
from kefu_server.settings import Settings, load_secret, load_settings


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How far to look."""

    is_offline: bool = False
    """Nothing beyond this machine and its database."""
    poll_wait_s: float = 0.0
    """Have an answer wait so long at `public_url`; 0: none."""


OnCheck = Callable[[Check], None]


def check_settings(path: Path | None) -> tuple[Check, Settings | None]:
    """Read the settings as the server would."""
    try:
        settings = load_settings(path)
    except KefuError as error:
        return problem("settings", "refused", why=str(error)), None
    return ok("settings", "read", file=str(path or "kefu.toml")), settings


async def examine(
    settings: Settings, options: Options, on_check: OnCheck
) -> list[Check]:
    """Look at everything; each finding is told as soon as it is there."""
    checks: list[Check] = []

    def found(*some: Check) -> None:
        for each in some:
            checks.append(each)
            on_check(each)

    found(*check_program(settings))
    folder = Path(settings.data_dir)
    found(check_data(folder), *_disks(settings))
    database = await check_database(settings.database, tries_rights=False)
    found(*database)
    content = Content(checks=[])
    if database[0].finding == "current":
        content = await check_installation(settings)
        found(*content.checks)
    found(check_secret(settings, has_visitors=content.has_visitors))
    running = await find_server(settings)
    found(check_server(settings, running))
    found(check_descriptors(descriptors_of(running.pid), settings.limits))
    found(check_clock(clock_state(), unix_ms(), content.newest_ms))
    keys = check_keys(settings)
    found(*([] if keys is None else [keys]))
    if not options.is_offline:
        if keys is None or not keys.is_problem:
            found(*await check_translation(settings))
        if settings.files.bucket:
            found(await check_files(settings))
        found(await check_mail(settings))
        secret = await anyio.to_thread.run_sync(_secret_of, settings)
        wait_s = options.poll_wait_s
        found(*await check_public(settings, secret, poll_wait_s=wait_s))
    return checks


def _disks(settings: Settings) -> list[Check]:
    """Look at each disk once."""
    places = [Path(settings.data_dir)]
    path = file_of(settings.database)
    if path is not None:
        places.append(path.parent)
    found: dict[int, Check] = {}
    for place in places:
        there = place.absolute()
        while not there.exists():
            there = there.parent
        found.setdefault(there.stat().st_dev, check_disk(place, room_at(there)))
    return list(found.values())


def _secret_of(settings: Settings) -> bytes | None:
    """Return the secret without making one."""
    path = Path(settings.secret_file or Path(settings.data_dir) / "secret")
    if not settings.secret and not path.exists():
        return None
    try:
        return load_secret(settings)
    except KefuError:
        return None
