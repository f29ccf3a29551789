"""What the widget asks over HTTP: its page and its token."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kefu_core.desk.automatic import GREETING, said
from kefu_core.desk.opening import asks_anything, offered
from kefu_core.desk.sites import agents_language
from kefu_core.errors import NotFound, Unauthorized
from kefu_core.ids import visitor_participant
from kefu_core.model import Site
from kefu_core.node import unix_ms
from kefu_core.records import VisitorProfile
from kefu_core.types import ParticipantId, UnixMs
from kefu_server.answers import address_of, answer, read_json
from kefu_server.auth import UNSIGNED, Authenticator
from kefu_server.identity import SignedIdentity, identify, verify
from kefu_server.pages import Pages
from kefu_server.services import Services, services_of
from kefu_server.throttle import address_key
from kefu_server.tokens import VisitorClaims


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `POST /api/visitor/token`."""

    site: str
    token: str | None = None
    """An older token, to stay the same visitor."""
    identity: SignedIdentity | None = None
    """Who the site says this is: the same visitor on every device."""


async def visitor_token(request: Request) -> Response:
    """Issue a token; for a valid older one of this site, for the same visitor.

    Stores nothing unless the site has signed who this is: a visitor exists once a
    conversation is opened.
    """
    services = services_of(request)
    # First of all: whoever asks too much costs neither a parse nor a query.
    services.auth.count_token_request(address_of(request))
    asked = await read_json(request, TokenRequest)
    site = await find_site(services, asked.site)
    visitor_id, is_identified = await _visitor_of(services, site, asked)
    visitor, address = visitor_participant(visitor_id), address_key(address_of(request))
    names: tuple[ParticipantId, ...] = (visitor,)
    if is_identified:
        names = await services.store.numbers_of(visitor)
    services.desk.bans.check_visitor(site.id, names, address)
    token, expires_at = services.auth.visitors.issue(
        visitor_id, site.id, is_identified=is_identified
    )
    translation = await _translation(services, site, visitor_id)
    chosen = translation["chosen"] if translation is not None else ""
    language = chosen or _language(request)
    return answer(
        {
            "token": token,
            "visitor": visitor,
            "expires_at": expires_at,
            "is_identified": is_identified,
            "site": {
                **await services.desk.staffing.row_of(site.id),
                "name": site.name,
                "locale": site.locale,
                "may_chat": site.settings.letters.may_chat,
                "file_bytes": _file_bytes(site),
                "asks_rating": site.settings.talk.asks_rating,
                "form": await _form(services, site),
                "shows_typing": site.settings.talk.shows_typing,
                "recall_within_s": site.settings.talk.recall_within_s,
                "edit_within_s": site.settings.talk.edit_within_s,
                "translation": translation,
                "greeting": said(
                    GREETING, site, language, UnixMs(services.desk.now_ms())
                ),
            },
        }
    )


def _language(request: Request) -> str:
    """Return the language that a browser wants first, as its scripts say it."""
    first, *_ = request.headers.get("accept-language", "").split(",")
    return first.partition(";")[0].strip()


async def _form(services: Services, site: Site) -> dict[str, Any] | None:
    """Return what is asked before the first conversation; None for nothing."""
    talk = site.settings.talk
    teams = await offered(services.store, talk)
    if not asks_anything(talk.form, teams):
        return None
    departments = [{"id": team.id, "name": team.name} for team in teams]
    return {**msgspec.to_builtins(talk.form), "departments": departments}


async def _translation(
    services: Services, site: Site, visitor_id: int
) -> dict[str, Any] | None:
    """Return what is read there, and how long messages wait; None: as written."""
    language = agents_language(services.desk, site)
    if not language:
        return None
    profile = await services.store.find_record(VisitorProfile, visitor_id)
    is_theirs = profile is not None and profile.site_id == site.id
    others = [each.language for each in site.settings.talk.translations]
    return {
        "language": language,
        "languages": [*dict.fromkeys([language, *others])],
        "agents": await services.desk.staffing.languages_of(site),
        "chosen": profile.chosen_language if profile and is_theirs else "",
        "holds_s": site.settings.translation.holds_s,
    }


def _file_bytes(site: Site) -> int:
    """Return how large a visitor's file may be; 0: none may be sent."""
    files = site.settings.files
    return files.visitor_bytes_max if files.visitors_may else 0


async def _visitor_of(
    services: Services, site: Site, asked: TokenRequest
) -> tuple[int, bool]:
    """Return which visitor this is, and whether the site has signed so.

    Raises `Unauthorized` for a bad signature, and for none where the site wants one.
    """
    shown = await _shown(services.auth, asked.token, site)
    if asked.identity is not None:
        signed = verify(asked.identity, site.secret, unix_ms())
        return await identify(services, site, signed, shown, unix_ms), True
    is_identified = shown is not None and shown.is_identified
    if site.settings.identity.is_required and not is_identified:
        raise Unauthorized(UNSIGNED)
    return (services.ids.new() if shown is None else shown.visitor_id), is_identified


async def _shown(
    auth: Authenticator, token: str | None, site: Site
) -> VisitorClaims | None:
    """Return what an older token says, where it is good for this site."""
    if not token:
        return None
    try:
        claims = auth.visitors.check(token)
    except Unauthorized:
        return None
    is_good = claims.site_id == site.id and not await auth.is_outdated(claims)
    return claims if is_good else None


async def widget_page(request: Request) -> Response:
    """Answer `/widget/{embed_key}`, the page inside the frame."""
    site = await find_site(services_of(request), request.path_params["embed_key"])
    pages: Pages = request.app.state.pages
    return pages.widget(site)


async def find_site(services: Services, embed_key: str) -> Site:
    """Return a site. Raises `NotFound`."""
    is_possible = embed_key.isascii() and embed_key.isprintable()
    site = await services.store.find_site(embed_key[:100]) if is_possible else None
    if site is None:
        raise NotFound("There is no site with this key.")
    return site
