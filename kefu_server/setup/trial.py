"""Every check that choices call for, before anything is written."""

import os
from collections.abc import Sequence
from pathlib import Path

from kefu_core.abc.store import Store
from kefu_core.errors import KefuError
from kefu_core.model import Role
from kefu_server.accounts import in_store
from kefu_server.checks import Check, Verdict
from kefu_server.checks.certificates import check_certificate
from kefu_server.checks.databases import check_database
from kefu_server.checks.folders import check_files, check_folder
from kefu_server.checks.mail import check_mail
from kefu_server.checks.ports import check_port
from kefu_server.checks.translation import check_translator
from kefu_server.checks.users import check_user
from kefu_server.one_server import file_of
from kefu_server.settings import Settings
from kefu_server.setup.choices import Choices
from kefu_server.setup.files import PlannedFile
from kefu_server.translating import translators_of


async def examine(choices: Choices, settings: Settings) -> list[Check]:
    """Look at everything that was chosen, in the order of the questions."""
    found = [check_port(settings.bind), check_folder(Path(settings.data_dir))]
    found += await check_database(settings.database)
    if settings.files.bucket:
        found.append(await check_files(settings))
    if settings.mail.host:
        found.append(await check_mail(settings))
    found += await examine_services(choices.services)
    if choices.proxy == "nginx" and choices.certificate:
        paths = (choices.certificate, choices.certificate_key)
        found.append(check_certificate(*paths, choices.public_host))
    if choices.unit and os.geteuid() == 0:
        found.append(check_user(choices.user))
    return found


async def examine_services(services: dict[str, dict[str, str]]) -> list[Check]:
    """Ask each service that translates for two words."""
    return [await check_translator(each) for each in translators_of(services)]


def examine_places(files: Sequence[PlannedFile]) -> list[Check]:
    """Return what keeps files from being written where they are wanted."""
    looks = [check_folder(file.path.absolute().parent) for file in files]
    return [look for look in looks if look.is_problem]


def worst(checks: Sequence[Check], ignored: Sequence[str] = ()) -> Check | None:
    """Return the first problem that is not ignored."""
    problems = (
        each
        for each in checks
        if each.verdict is Verdict.PROBLEM and each.subject not in ignored
    )
    return next(problems, None)


def has_admin(settings: Settings) -> bool:
    """Whether somebody can log in and manage kefu; False where there are no tables."""

    async def look(store: Store) -> bool:
        return any(a.role is Role.ADMIN and a.is_active for a in await store.agents())

    path = file_of(settings.database)
    if path is not None and not path.exists():
        # Opening it would make it.
        return False
    try:
        return in_store(settings, look)
    except KefuError:
        return False
