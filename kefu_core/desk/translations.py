"""What translating comes to, for admins, and a translation on trial, for agents."""

from typing import TYPE_CHECKING, Annotated

import msgspec

from kefu_core.abc.translator import KEPT, TranslationFailed, Trouble
from kefu_core.desk.drafts import check_characters
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.errors import Conflict, Invalid, NotFound
from kefu_core.hours import day_number, zone_of
from kefu_core.languages import TAG_MAX, normal_tag
from kefu_core.model import Principal, Site
from kefu_core.records import TranslationUsage
from kefu_core.types import UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

TEXT_CHARS, TEXTS_MAX = 4_000, 10
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_CHARS)]
Tag = Annotated[str, msgspec.Meta(max_length=TAG_MAX)]


class GetFigures(Params, frozen=True, kw_only=True):
    """`translation.figures`: what services do on this server, and sites use today."""


class PreviewTranslation(Params, frozen=True, kw_only=True):
    """`translation.preview`: what texts read like in another language; none is sent."""

    site: Id
    """Whose kept translations hold, and whose characters of the day are used."""
    texts: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1, max_length=TEXTS_MAX)]
    source: Tag = ""
    """The language of the texts; left out: the service finds it out."""
    target: Annotated[str, msgspec.Meta(min_length=1, max_length=TAG_MAX)]


class ServiceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One service, since this server was started."""

    provider: str
    calls: int
    texts: int
    chars: int
    failures: dict[str, int]
    """By why it did not translate."""
    seconds: float
    """All its calls took together."""
    seconds_max: float
    hits: int
    """Texts that were paid for before."""
    paused_s: float
    """So long it is left alone from now on; 0: it is asked."""
    last_failure: str


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a site has used on its day, by whatever server."""

    site: int
    name: str
    day: int
    chars: int
    calls: int
    hits: int
    """Texts that needed no service."""
    chars_per_day: int
    """What it may use; 0: any number."""
    is_near: bool
    """It has come to the share at which is warned."""
    is_spent: bool
    """Nothing more, or at least no text of a usual length, is translated today."""


class TranslationFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of this server, and of the sites that translate."""

    services: list[ServiceRow]
    """In the order in which they are asked; empty: the server has none."""
    kept: int
    """Texts that an agent's translation was kept for."""
    joined: int
    """Texts that somebody else was asking for at the same moment."""
    refusals: int
    """Calls that a site's characters of the day did not suffice for."""
    store_failures: int
    sites: list[UsageRow]


class PreviewedText(msgspec.Struct, frozen=True, kw_only=True):
    """One text in the other language."""

    text: str
    source: str
    """The language that the service found, if it was to find one."""
    provider: str
    """Empty: there was nothing to translate."""


class Previewed(msgspec.Struct, frozen=True, kw_only=True):
    """All of them in their order, or why not."""

    texts: list[PreviewedText]
    trouble: Trouble | None = None
    """Why there are none: `later`, `account`, `language`, `text` or `budget`."""


async def _figures(
    desk: "Desk", principal: Principal, params: GetFigures
) -> TranslationFigures:
    sites = [
        site
        for site in await desk.store.sites()
        if site.settings.translation.is_on and principal.serves(site.id)
    ]
    if desk.translations is None:
        usage = [await _usage(desk, site, {}) for site in sites]
        return TranslationFigures(
            services=[], kept=0, joined=0, refusals=0, store_failures=0, sites=usage
        )
    figures = desk.translations.figures
    services = [
        ServiceRow(
            provider=each.provider,
            calls=each.calls,
            texts=each.texts,
            chars=each.chars,
            failures=each.failures,
            seconds=round(each.seconds, 3),
            seconds_max=round(each.seconds_max, 3),
            hits=figures.hits.get(each.provider, 0),
            paused_s=round(max(0.0, each.paused_until - figures.now), 1),
            last_failure=each.last_failure,
        )
        for each in figures.services
    ]
    return TranslationFigures(
        services=services,
        kept=figures.hits.get(KEPT, 0),
        joined=figures.joined,
        refusals=figures.refusals,
        store_failures=figures.store_failures,
        sites=[await _usage(desk, site, figures.stopped) for site in sites],
    )


async def _usage(desk: "Desk", site: Site, stopped: dict[int, int]) -> UsageRow:
    day = day_number(UnixMs(desk.now_ms()), zone_of(site.settings.hours))
    rows = await desk.store.list_records(
        TranslationUsage, where={"site_id": site.id, "day": day}, limit=1
    )
    used = rows[0] if rows else TranslationUsage(id=0, site_id=site.id, day=day)
    rules = site.settings.translation
    most = rules.chars_per_day
    return UsageRow(
        site=site.id,
        name=site.name,
        day=day,
        chars=used.chars,
        calls=used.calls,
        hits=used.hits,
        chars_per_day=most,
        is_near=bool(most) and used.chars >= rules.warn_at * most,
        is_spent=bool(most) and (used.chars >= most or stopped.get(site.id) == day),
    )


async def _preview(
    desk: "Desk", principal: Principal, params: PreviewTranslation
) -> Previewed:
    sites = {site.id: site for site in await desk.store.sites()}
    site = sites.get(params.site)
    if site is None or not principal.serves(site.id):
        raise NotFound
    source, target = normal_tag(params.source), normal_tag(params.target)
    if not target or (params.source and not source):
        raise Invalid("translation.preview: a language is a tag, such as pt-BR.")
    for text in params.texts:
        check_characters(text, "The text")
    if desk.translations is None:
        return Previewed(texts=[], trouble=Trouble.ACCOUNT)
    if not site.settings.translation.is_on:
        raise Conflict("This site does not translate.")
    try:
        found = await desk.translations.translate(
            site, params.texts, source=source, target=target
        )
    except TranslationFailed as error:
        return Previewed(texts=[], trouble=error.trouble)
    return Previewed(
        texts=[
            PreviewedText(text=each.text, source=each.source, provider=each.provider)
            for each in found
        ]
    )


METHODS: Methods = {
    "translation.figures": Method(
        params=GetFigures,
        run=_figures,
        result=TranslationFigures,
        http="GET /translation/figures",
        scope="settings:read",
    ),
    "translation.preview": Method(
        params=PreviewTranslation,
        run=_preview,
        result=Previewed,
        http="POST /translation/preview",
        scope="settings:write",
    ),
}
