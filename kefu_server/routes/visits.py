"""What the widget tells of a visit, over plain HTTP: nothing of it is stored."""

from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kefu_core.desk.visiting import Report, origin_of
from kefu_core.desk.visits import Visit
from kefu_core.errors import NotAllowed, StoreError, Unauthorized
from kefu_core.ids import visitor_participant
from kefu_core.model import Site
from kefu_core.types import ParticipantId
from kefu_server.answers import address_of, answer, read_json
from kefu_server.pages import Pages
from kefu_server.routes.visitors import find_site
from kefu_server.services import Services, services_of
from kefu_server.throttle import address_key

_SOONEST_S = 1.0
_SITES_S = 2.0
"""For so long a site is remembered: a thousand pages ask the store for it once."""


class VisitRequest(Report, frozen=True, kw_only=True):
    """Body of `POST /api/visit`."""

    site: str
    token: str | None = None
    """The visitor's token, where there is one; a first report is answered with it."""


class VisitRoutes:
    """The two ways in, and what they remember of sites."""

    def __init__(self, now: Callable[[], float], now_ms: Callable[[], int]) -> None:
        """Take clocks (monotonic s, Unix ms)."""
        self._now = now
        self._now_ms = now_ms
        self._sites: dict[str, tuple[Site, float]] = {}
        """Those there are, by embed key, and until when they are taken as they are."""

    async def report(self, request: Request) -> Response:
        """Answer `POST /api/visit`: how often to report, and a token where needed.

        A visitor becomes a row of the database once it opens a conversation.
        """
        services = services_of(request)
        visits = services.desk.visits
        address = address_key(address_of(request))
        # First of all: whoever asks too much costs neither a parse nor a query.
        visits.count_request(address)
        asked = await read_json(request, VisitRequest)
        site = await self._site(services, asked.site)
        if not site.settings.watching.is_on:
            return answer({"every_s": 0})
        if origin_of(asked.url) not in site.allowed_origins:
            raise NotAllowed("This page is none of the site's.")
        visitor, token, is_identified = self._visitor_of(
            services, site, asked.token, address
        )
        who = visitor_participant(visitor)
        names = await _names(services, visitor, is_identified=is_identified)
        services.desk.bans.check_visitor(site.id, names, address)
        user_agent = request.headers.get("user-agent", "")
        visit = visits.report(
            site.id, visitor, asked, address=address, user_agent=user_agent
        )
        visits.named(visitor, names)
        due_s = await self._look_at_rules(services, site, visit)
        told: dict[str, Any] = {
            "every_s": min(visits.every_s, due_s),
            "visitor": who,
        }
        if token:
            told["token"] = token
        invitation = visits.invitation_for(visit) if visit is not None else None
        if visit is not None and invitation is not None:
            told["invitation"] = {
                "id": invitation.id,
                "text": invitation.text,
                "name": invitation.name,
            }
            if word := visit.quoted(invitation):
                told["invitation"]["token"] = services.auth.invitations.issue(word)
        return answer(told)

    async def _look_at_rules(
        self, services: Services, site: Site, visit: Visit | None
    ) -> float:
        """Invite whom the site's rules name; returns when to look again."""
        watching = site.settings.watching
        if visit is None or not watching.rules or visit.is_leaving:
            return inf
        if watching.only_staffed:
            try:
                if not await services.desk.staffing.is_staffed(site.id):
                    return inf
            except StoreError:
                # Nobody knows; a report is taken all the same.
                return inf
        due_s = services.desk.visits.look_at_rules(visit, site)
        return inf if due_s is None else max(_SOONEST_S, due_s)

    async def page(self, request: Request) -> Response:
        """Answer `/widget/{embed_key}/visit`: it reports the page that frames it."""
        site = await find_site(services_of(request), request.path_params["embed_key"])
        pages: Pages = request.app.state.pages
        return pages.visit(site)

    async def _site(self, services: Services, key: str) -> Site:
        site, until = self._sites.get(key, (None, 0.0))
        if site is None or until < self._now():
            self._sites.pop(key, None)
            site = await find_site(services, key)
            self._sites[key] = site, self._now() + _SITES_S
        return site

    def _visitor_of(
        self, services: Services, site: Site, shown: str | None, address: str
    ) -> tuple[int, str, bool]:
        """Return who reports, a token where one is needed, whether it is signed."""
        tokens, visitor, is_identified = services.auth.visitors, None, False
        with suppress(Unauthorized):
            claims = tokens.check(shown or "")
            if claims.site_id == site.id:
                visitor, is_identified = claims.visitor_id, claims.is_identified
                if claims.expires_at - self._now_ms() > tokens.ttl_s * 500:
                    return visitor, "", is_identified
        services.auth.count_token_request(address)
        visitor = services.ids.new() if visitor is None else visitor
        token, _ = tokens.issue(visitor, site.id, is_identified=is_identified)
        return visitor, token, is_identified


async def _names(
    services: Services, visitor: int, *, is_identified: bool
) -> tuple[ParticipantId, ...]:
    """Return a visitor's numbers: asked for once in a visit of who may have more."""
    visit = services.desk.visits.find(visitor)
    if visit is not None or not is_identified:
        return visit.names if visit is not None else (visitor_participant(visitor),)
    return await services.store.numbers_of(visitor_participant(visitor))
