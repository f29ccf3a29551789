"""What a site does while nobody is there: set by admins, site by site."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from kefu_core.desk.journal import note
from kefu_core.desk.letters import NO_MAIL_SERVER
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.desk.offline import check_email
from kefu_core.desk.sites import change_site
from kefu_core.model import Principal, Site
from kefu_core.site import Letters

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

RECIPIENTS_MAX = 5


class ListAbsence(Params, frozen=True, kw_only=True):
    """`absence.list`: what every site does while nobody is there."""


class PutAbsence(Params, frozen=True, kw_only=True):
    """`absence.put`: this is what a site does from now on."""

    site: Id
    may_chat: bool
    notices_to: Annotated[list[str], msgspec.Meta(max_length=RECIPIENTS_MAX)]


class AbsenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One site's way."""

    site: int
    name: str
    may_chat: bool
    notices_to: tuple[str, ...]


class OneAbsence(msgspec.Struct, frozen=True, kw_only=True):
    """One site."""

    row: AbsenceRow


class AllAbsence(msgspec.Struct, frozen=True, kw_only=True):
    """All sites."""

    rows: list[AbsenceRow]
    mail_problem: str


def _row(site: Site) -> AbsenceRow:
    letters = site.settings.letters
    return AbsenceRow(
        site=site.id,
        name=site.name,
        may_chat=letters.may_chat,
        notices_to=letters.notices_to,
    )


async def _list(desk: "Desk", principal: Principal, params: Any) -> AllAbsence:
    return AllAbsence(
        rows=[_row(site) for site in await desk.store.sites()],
        mail_problem="" if desk.mail.sender else NO_MAIL_SERVER,
    )


async def _put(desk: "Desk", principal: Principal, params: PutAbsence) -> OneAbsence:
    addresses = [check_email(each.strip()) for each in params.notices_to]
    letters = Letters(
        may_chat=params.may_chat, notices_to=tuple(dict.fromkeys(addresses))
    )

    def change(site: Site) -> Site:
        settings = msgspec.structs.replace(site.settings, letters=letters)
        return msgspec.structs.replace(site, settings=settings)

    _, site = await change_site(desk, params.site, change)
    told = {"may_chat": letters.may_chat, "notices_to": list(letters.notices_to)}
    await note(desk, principal, "absence.put", f"site {site.id}", told)
    return OneAbsence(row=_row(site))


METHODS: Methods = {
    "absence.list": Method(
        params=ListAbsence,
        run=_list,
        result=AllAbsence,
        http="GET /absence",
        scope="settings:read",
    ),
    "absence.put": Method(
        params=PutAbsence,
        run=_put,
        result=OneAbsence,
        http="PUT /absence/{site}",
        scope="settings:write",
    ),
}
