"""Sites and their settings, for those who run the installation."""

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from kefu_core.desk.drafts import check_characters
from kefu_core.desk.journal import note
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.errors import ConfigurationError, Conflict, Invalid, NotFound
from kefu_core.hours import check_hours
from kefu_core.languages import normal_tag
from kefu_core.model import Principal, Role, Site
from kefu_core.origins import check_origin
from kefu_core.site import Hours, SiteSettings, Talk, Translation, Watching

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
    edit_within_s: int = 0
    """So long they may edit it."""
    agents_language: str = ""
    """What agents there read translations in, for all of them; empty: nothing is
    translated there."""


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
        return AllSites(sites=[_row(desk, site) for site in sites])
    return AllSites(
        sites=[
            SiteRow(
                id=site.id,
                name=site.name,
                recall_within_s=site.settings.talk.recall_within_s,
                edit_within_s=site.settings.talk.edit_within_s,
                agents_language=agents_language(desk, site),
            )
            for site in sites
            if principal.serves(site.id)
        ]
    )


async def _put(desk: "Desk", principal: Principal, params: PutSite) -> OneSite:
    if params.site is None:
        async with desk.settling:
            site, changed = await _make(desk, params)
    else:
        site, changed = await change_site(
            desk, params.site, lambda site: _changed(site, params)
        )
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
    return OneSite(site=_row(desk, changed))


async def _make(desk: "Desk", params: PutSite) -> tuple[Site, Site]:
    """Store a new site; return what it began as, and what it is."""
    if len(await desk.store.sites()) >= SITES_MAX:
        raise Conflict(f"There are {SITES_MAX} sites already.")
    if params.name is None:
        raise Invalid("site.put: a new site needs a name.")
    key = secrets.token_hex(8)
    site = Site(id=desk.ids.new(), name=params.name, embed_key=key)
    changed = _changed(site, params)
    await desk.store.put_site(changed)
    return site, changed


async def change_site(
    desk: "Desk", site_id: int, change: Callable[[Site], Site]
) -> tuple[Site, Site]:
    """Change a site as it is now, whoever else does; return it before and after.

    Raises `NotFound`, and what `change` raises.
    """
    before: list[Site] = []

    def note_and_change(site: Site) -> Site:
        before.append(site)
        return change(site)

    changed = await desk.store.change_site(site_id, note_and_change)
    if changed is None:
        raise NotFound
    return before[-1], changed


async def _secret(desk: "Desk", principal: Principal, params: ShowSecret) -> Secret:
    site = next((s for s in await desk.store.sites() if s.id == params.site), None)
    if site is None:
        raise NotFound
    if not site.secret:
        _, site = await change_site(desk, site.id, _with_secret)
    await note(desk, principal, "site.secret", f"site {site.id}", {})
    return Secret(site=site.id, secret=site.secret)


def _with_secret(site: Site) -> Site:
    secret = site.secret or new_secret()
    return msgspec.structs.replace(site, secret=secret)


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
        for each in value.translations:
            texts += [each.greeting, each.waiting, each.away]
        tags = [each.language for each in value.translations]
        if [*dict.fromkeys(map(normal_tag, tags))] != tags or "" in tags:
            raise Invalid("site.put: talk: a language is a tag, such as pt-BR, once.")
    if isinstance(value, Watching):
        texts = [x for rule in value.rules for x in (rule.name, rule.url, rule.text)]
    if isinstance(value, Translation) and value.language != normal_tag(value.language):
        raise Invalid("site.put: translation: a language is a tag, such as pt-BR.")
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


def _row(desk: "Desk", site: Site) -> SiteRow:
    return SiteRow(
        id=site.id,
        name=site.name,
        embed_key=site.embed_key,
        allowed_origins=site.allowed_origins,
        locale=site.locale,
        retention_days=site.retention_days,
        settings=site.settings,
        recall_within_s=site.settings.talk.recall_within_s,
        edit_within_s=site.settings.talk.edit_within_s,
        agents_language=agents_language(desk, site),
    )


def agents_language(desk: "Desk", site: Site) -> str:
    """Return what a site's agents read translations in; empty: there are none."""
    rules = site.settings.translation
    return rules.language if desk.interpreter is not None and rules.is_on else ""


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
