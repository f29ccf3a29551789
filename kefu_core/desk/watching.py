"""What agents ask of those who are on the sites now."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypedDict

import msgspec

from kefu_core.desk.drafts import check_characters
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.desk.trails import load_pages, load_visits
from kefu_core.desk.visiting import INVITATION_CHARS
from kefu_core.desk.visits import SeenPage, Visit
from kefu_core.errors import NotFound
from kefu_core.ids import visitor_participant
from kefu_core.model import Principal
from kefu_core.records import Visit as KeptVisit
from kefu_core.types import ConversationId, ParticipantId, UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk


class ListVisitors(Params, frozen=True, kw_only=True):
    """`visitors.list`: who is on the sites now, those who came first in front."""

    site: Id | None = None


class GetVisit(Params, frozen=True, kw_only=True):
    """`visit.get`: the pages of this visit; of who has left, if it talked, the last."""

    visitor: Id
    visit: Id | None = None
    """One of the earlier visits instead."""


class Invite(Params, frozen=True, kw_only=True):
    """`visit.invite`: ask a visitor who is here into the chat."""

    visitor: Id
    text: Annotated[str, msgspec.Meta(max_length=INVITATION_CHARS)] = ""
    """Empty: what the widget says by itself, in the visitor's language."""


class VisitRow(TypedDict):
    """A row of the list `visitors`."""

    id: int
    site_id: int
    visitor: ParticipantId
    name: str
    url: str
    title: str
    at: UnixMs
    since: UnixMs
    pages: int
    source: str
    browser: str
    language: str
    screen: str
    is_hidden: bool
    is_returning: bool
    conversation: ConversationId | None
    status: str
    assignee: ParticipantId | None
    place: int | None
    invitation: str
    invited_by: str
    has_refused: bool


class AllVisitors(msgspec.Struct, frozen=True, kw_only=True):
    """Those on the sites that you serve."""

    rows: list[VisitRow]


class PageRow(TypedDict):
    """One page of a visit."""

    url: str
    title: str
    at: UnixMs
    seconds: int


class VisitSummary(TypedDict):
    """One visit without its pages."""

    id: int
    """0 while it is not stored."""
    site_id: int
    since: UnixMs
    until: UnixMs
    """When it was seen last."""
    page_count: int
    source: str
    browser: str
    language: str
    screen: str


class OneVisit(msgspec.Struct, frozen=True, kw_only=True):
    """One visitor's pages: of who is here the last 30."""

    visitor: int
    is_here: bool
    """This visit is going on."""
    visit: VisitSummary
    pages: list[PageRow]
    earlier: list[VisitSummary]
    """Other visits that are stored, the newest first."""


async def _list(
    desk: "Desk", principal: Principal, params: ListVisitors
) -> AllVisitors:
    rows = [
        msgspec.convert(row, VisitRow)
        for row in desk.visits.rows()
        if principal.serves(row["site_id"]) and params.site in (None, row["site_id"])
    ]
    return AllVisitors(rows=rows)


def _here(
    desk: "Desk", principal: Principal, names: Sequence[ParticipantId]
) -> Visit | None:
    """Return who is here, by any of its numbers; nobody on another's site."""
    found = (desk.visits.find(int(name[1:])) for name in names)
    return next((v for v in found if v and principal.serves(v.site_id)), None)


async def _get(desk: "Desk", principal: Principal, params: GetVisit) -> OneVisit:
    names = await desk.store.numbers_of(visitor_participant(params.visitor))
    here = _here(desk, principal, names)
    kept = await load_visits(desk.store, names, principal.serves)
    # What goes on is told as it is now, not as it was written down.
    if here is not None and params.visit in (None, here.kept_id):
        shown = _of_now(here, UnixMs(desk.now_ms()))
        pages = desk.visits.trail(here)
    else:
        found = next((v for v in kept if params.visit in (None, v.id)), None)
        if found is None:
            raise NotFound
        shown, here = _of_kept(found), None
        pages = await load_pages(desk.store, found)
    return OneVisit(
        visitor=params.visitor,
        is_here=here is not None,
        visit=shown,
        pages=[*map(_page_row, pages)],
        earlier=[_of_kept(visit) for visit in kept if visit.id != shown["id"]],
    )


def _of_now(visit: Visit, now: UnixMs) -> VisitSummary:
    return {
        "id": visit.kept_id,
        "site_id": visit.site_id,
        "since": visit.since,
        "until": now,
        "page_count": visit.pages,
        "source": visit.source,
        "browser": visit.browser,
        "language": visit.language,
        "screen": visit.screen,
    }


def _of_kept(visit: KeptVisit) -> VisitSummary:
    return {
        "id": visit.id,
        "site_id": visit.site_id,
        "since": visit.started_at,
        "until": visit.last_seen_at,
        "page_count": visit.pages,
        "source": visit.referrer,
        "browser": visit.user_agent,
        "language": visit.language,
        "screen": visit.screen,
    }


def _page_row(page: SeenPage) -> PageRow:
    return {
        "url": page.url,
        "title": page.title,
        "at": page.at,
        "seconds": page.seconds,
    }


class Invited(msgspec.Struct, frozen=True, kw_only=True):
    """It was sent; the list `visitors` shows what becomes of it."""

    visitor: int
    invitation: int


async def _invite(desk: "Desk", principal: Principal, params: Invite) -> Invited:
    names = await desk.store.numbers_of(visitor_participant(params.visitor))
    visit = _here(desk, principal, names)
    if visit is None:
        raise NotFound
    check_characters(params.text, "visit.invite: the text")
    name, by = principal.name, principal.participant
    text = params.text.strip()
    sent = desk.visits.invite(visit, text, name=name, by=by, agent=by)
    return Invited(visitor=visit.visitor, invitation=sent.id)


METHODS: Methods = {
    "visitors.list": Method(
        params=ListVisitors,
        run=_list,
        result=AllVisitors,
        http="GET /visits",
        scope="visitors:read",
    ),
    "visit.get": Method(
        params=GetVisit,
        run=_get,
        result=OneVisit,
        http="GET /visits/{visitor}",
        scope="visitors:read",
    ),
    "visit.invite": Method(
        params=Invite,
        run=_invite,
        result=Invited,
        http="POST /visits/{visitor}/invitation",
        scope="visitors:write",
    ),
}
