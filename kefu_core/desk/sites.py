"""Sites and their settings, for those who run the installation."""

import secrets
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from kefu_core.desk.drafts import check_characters
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.errors import ConfigurationError, Conflict, Invalid, NotFound
from kefu_core.hours import check_hours
from kefu_core.model import Principal, Role, Site
from kefu_core.origins import check_origin
from kefu_core.records import AuditEntry
from kefu_core.site import Hours, SiteSettings, Talk, Watching
from kefu_core.types import UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

NAME_CHARS, ORIGINS_MAX, RETENTION_DAYS_MAX = 100, 50, 36_500
SITES_MAX = 1_000


class ListSites(Params, frozen=True, kw_only=True):
    """`sites.list`: all of them by id; agents see those they serve, and no settings."""


class PutSite(Params, frozen=True, kw_only=True):
    """`site.put`: make or change one; what is left out stays as it is."""

    site: Id | None = None
    """Which one to change; left out: a new one."""
    name: Annotated[str, msgspec.Meta(max_length=NAME_CHARS)] | None = None
    allowed_origins: (
        Annotated[list[str], msgspec.Meta(max_length=ORIGINS_MAX)] | None
    ) = None
    """Exact origins whose pages may frame the widget."""
    locale: Annotated[str, msgspec.Meta(pattern=r"^(zh-CN|en)\Z")] | None = None
    retention_days: Annotated[int, msgspec.Meta(ge=0, le=RETENTION_DAYS_MAX)] | None = (
        None
    )
    settings: dict[str, Any] | None = None
    """Parts of `SiteSettings`, each whole: `{"hours": {…}}`."""
    new_secret: bool = False
    """Make another secret; tokens that were signed with the old one end."""


class ShowSecret(Params, frozen=True, kw_only=True):
    """`site.secret`: what the host site signs its visitors' identity with."""

    site: Id


class SiteRow(msgspec.Struct, frozen=True, kw_only=True):
    """A site; everything but its name and id is for admins."""

    id: int
    name: str
    embed_key: str = ""
    allowed_origins: tuple[str, ...] = ()
    locale: str = ""
    retention_days: int = 0
    settings: SiteSettings = SiteSettings()
    recall_within_s: int = 0
    """So long agents may take back what they have sent there; for all of them."""


class AllSites(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    sites: list[SiteRow]


class OneSite(msgspec.Struct, frozen=True, kw_only=True):
    """One site."""

    site: SiteRow


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """A site's secret."""

    site: int
    secret: str


async def _list(desk: "Desk", principal: Principal, params: ListSites) -> AllSites:
    sites = await desk.store.sites()
    if principal.role is Role.ADMIN:
        return AllSites(sites=[_row(site) for site in sites])
    return AllSites(
        sites=[
            SiteRow(
                id=site.id,
                name=site.name,
                recall_within_s=site.settings.talk.recall_within_s,
            )
            for site in sites
            if principal.serves(site.id)
        ]
    )


async def _put(desk: "Desk", principal: Principal, params: PutSite) -> OneSite:
    # One at a time: each change writes the whole row.
    async with desk.settling:
        return await _put_one(desk, principal, params)


async def _put_one(desk: "Desk", principal: Principal, params: PutSite) -> OneSite:
    sites = await desk.store.sites()
    site = next((each for each in sites if each.id == params.site), None)
    if site is None:
        if params.site is not None:
            raise NotFound
        if len(sites) >= SITES_MAX:
            raise Conflict(f"There are {SITES_MAX} sites already.")
        if params.name is None:
            raise Invalid("site.put: a new site needs a name.")
        key = secrets.token_hex(8)
        site = Site(id=desk.ids.new(), name=params.name, embed_key=key)
    changed = _changed(site, params)
    await desk.store.put_site(changed)
    told = sorted(
        field
        for field in ("name", "allowed_origins", "locale", "retention_days", "settings")
        if getattr(changed, field) != getattr(site, field)
    )
    told += ["secret"] if changed.secret != site.secret else []
    await note(
        desk, principal, "site.put", f"site {site.id}", {"changed": told or ["made"]}
    )
    desk.previews.changed(changed)
    # Routing may have become possible.
    desk.router.wake()
    return OneSite(site=_row(changed))


async def _secret(desk: "Desk", principal: Principal, params: ShowSecret) -> Secret:
    site = next((s for s in await desk.store.sites() if s.id == params.site), None)
    if site is None:
        raise NotFound
    if not site.secret:
        site = msgspec.structs.replace(site, secret=new_secret())
        await desk.store.put_site(site)
    await note(desk, principal, "site.secret", f"site {site.id}", {})
    return Secret(site=site.id, secret=site.secret)


def new_secret() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(32)


def _changed(site: Site, params: PutSite) -> Site:
    changes: dict[str, Any] = {}
    if params.name is not None:
        check_characters(params.name, "site.put: the name")
        if not params.name.strip() or not params.name.isprintable():
            raise Invalid("site.put: a name has printable characters.")
        changes["name"] = params.name.strip()
    if params.allowed_origins is not None:
        changes["allowed_origins"] = _origins(params.allowed_origins)
    if params.locale is not None:
        changes["locale"] = params.locale
    if params.retention_days is not None:
        changes["retention_days"] = params.retention_days
    if params.settings is not None:
        changes["settings"] = _merged(site.settings, params.settings)
    if params.new_secret:
        changes["secret"] = new_secret()
    return msgspec.structs.replace(site, **changes)


def _origins(texts: list[str]) -> tuple[str, ...]:
    try:
        for text in texts:
            check_origin(text, "allowed_origins", "https://shop.example")
    except ConfigurationError as error:
        raise Invalid(f"site.put: {error}") from error
    return tuple(dict.fromkeys(texts))


def _merged(settings: SiteSettings, parts: dict[str, Any]) -> SiteSettings:
    """Return settings with whole parts replaced. Raises `Invalid` for what is not."""
    changes: dict[str, Any] = {}
    fields = {field.name: field.type for field in msgspec.structs.fields(SiteSettings)}
    for name, given in parts.items():
        if name not in fields:
            raise Invalid(f"site.put: there are no settings {name[:40]!r}.")
        try:
            value = msgspec.convert(given, fields[name])
        except msgspec.ValidationError as error:
            raise Invalid(f"site.put: {name}: {str(error)[:200]}.") from None
        unknown = _unknown(given, msgspec.to_builtins(value))
        if unknown:
            raise Invalid(f"site.put: {name} has no {unknown[:40]!r}.")
        _check(name, value)
        changes[name] = value
    return msgspec.structs.replace(settings, **changes)


def _check(name: str, value: Any) -> None:
    """Refuse what its type does not. Raises `Invalid`."""
    texts: list[str] = []
    if isinstance(value, Hours):
        check_hours(value)
    if isinstance(value, Talk):
        texts = [value.greeting, value.waiting, value.away]
    if isinstance(value, Watching):
        texts = [x for rule in value.rules for x in (rule.name, rule.url, rule.text)]
    for text in texts:
        check_characters(text, f"site.put: {name}: a text")


def _unknown(given: Any, taken: Any) -> str:
    """Return a name that was given and not taken; settings ignore what is new."""
    if isinstance(given, dict) and isinstance(taken, dict):
        for name, value in given.items():
            if name not in taken:
                return str(name)
            found = _unknown(value, taken[name])
            if found:
                return found
    if isinstance(given, list) and isinstance(taken, list | tuple):
        for one, other in zip(given, taken, strict=False):
            found = _unknown(one, other)
            if found:
                return found
    return ""


def _row(site: Site) -> SiteRow:
    return SiteRow(
        id=site.id,
        name=site.name,
        embed_key=site.embed_key,
        allowed_origins=site.allowed_origins,
        locale=site.locale,
        retention_days=site.retention_days,
        settings=site.settings,
        recall_within_s=site.settings.talk.recall_within_s,
    )


async def note(
    desk: "Desk", who: Principal, action: str, target: str, data: dict[str, Any]
) -> None:
    """Write down who changed what; never secrets."""
    await desk.store.put_records(
        AuditEntry(
            id=desk.ids.new(),
            at=UnixMs(desk.now_ms()),
            who=who.participant,
            action=action,
            target=target,
            data=data,
        )
    )


METHODS: Methods = {
    "site.put": Method(
        params=PutSite,
        run=_put,
        result=OneSite,
        http="POST /sites",
        scope="settings:write",
    ),
    "site.secret": Method(
        params=ShowSecret,
        run=_secret,
        result=Secret,
        http="POST /sites/{site}/secret",
    ),
    "sites.list": Method(
        params=ListSites,
        run=_list,
        result=AllSites,
        http="GET /sites",
        scope="settings:read",
    ),
}
