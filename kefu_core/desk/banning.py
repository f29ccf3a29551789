"""Banning visitors, addresses and networks, for a time or for good; written down."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import msgspec

from kefu_core.desk.bans import is_on, parse_place
from kefu_core.desk.journal import note
from kefu_core.desk.methods import Id, Limit, Method, Methods, Params
from kefu_core.desk.offline import check_line
from kefu_core.desk.profiles import load_profile
from kefu_core.desk.rows import visitor_name
from kefu_core.errors import Conflict, Invalid, NotAllowed, NotFound
from kefu_core.ids import ID_MAX, visitor_participant
from kefu_core.model import Principal, Role
from kefu_core.records import Ban, BanKind, VisitorProfile
from kefu_core.types import ParticipantId, UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

BANS_MAX, REASON_CHARS, PLACE_CHARS = 1_000, 200, 64
ADDRESSES_MAX = 5
"""Of one visitor, who may be on several devices."""


class ListBans(Params, frozen=True, kw_only=True):
    """`bans.list`: who is banned, the newest first; of the sites that one serves."""

    before: Id | None = None
    """The last id of the page before."""
    limit: Limit = 50


class PutBan(Params, frozen=True, kw_only=True):
    """`ban.put`: ban a visitor or an address; banned again, it has the new end.

    Agents ban on the sites that they serve; networks, and on all sites at once, admins.
    """

    visitor: Id | None = None
    """The number in `v12`; it is banned on its site."""
    with_address: bool = False
    """Ban the addresses from which the visitor is connected as well."""
    address: Annotated[str, msgspec.Meta(max_length=PLACE_CHARS)] | None = None
    """An address, or a network such as 203.0.113.0/24; of IPv6 at least a /64."""
    site: Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)] = 0
    """Where an address is banned; 0: on every site."""
    reason: Annotated[str, msgspec.Meta(max_length=REASON_CHARS)] = ""
    """For agents."""
    expires_at: Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)] = 0
    """Unix milliseconds; 0: never."""


class LiftBan(Params, frozen=True, kw_only=True):
    """`ban.lift`: let them come back."""

    ban: Id


class BanRow(TypedDict):
    """A ban as agents see it."""

    id: int
    kind: str
    value: str
    visitor_name: str
    site_id: int
    reason: str
    agent: ParticipantId
    created_at: UnixMs
    expires_at: UnixMs
    is_on: bool


class SomeBans(msgspec.Struct, frozen=True, kw_only=True):
    """Some of them."""

    rows: list[BanRow]


class Lifted(msgspec.Struct, frozen=True, kw_only=True):
    """It is gone."""

    ban: int


async def rows_of(desk: "Desk", bans: list[Ban]) -> list[BanRow]:
    """Return what agents see; fields are named one by one on purpose."""
    visitors = [ParticipantId(b.value) for b in bans if b.kind is BanKind.VISITOR]
    names = {p.id: p.name for p in await desk.store.people(visitors)}
    return [
        {
            "id": ban.id,
            "kind": ban.kind.value,
            "value": ban.value,
            "visitor_name": visitor_name(
                ParticipantId(ban.value), names.get(ParticipantId(ban.value), "")
            )
            if ban.kind is BanKind.VISITOR
            else "",
            "site_id": ban.site_id,
            "reason": ban.reason,
            "agent": ParticipantId(f"a{ban.agent_id}"),
            "created_at": ban.created_at,
            "expires_at": ban.expires_at,
            "is_on": is_on(ban, desk.now_ms()),
        }
        for ban in bans
    ]


async def _list(desk: "Desk", principal: Principal, params: ListBans) -> SomeBans:
    where: dict[str, Any] = {}
    if principal.sites is not None:
        where["site_id"] = sorted(principal.sites)
    found = await desk.store.list_records(
        Ban, where=where, before=params.before, limit=params.limit
    )
    return SomeBans(rows=await rows_of(desk, found))


async def _put(desk: "Desk", principal: Principal, params: PutBan) -> SomeBans:
    reason = check_line(params.reason, "The reason")
    if 0 < params.expires_at <= desk.now_ms():
        raise Invalid("ban.put: it would have ended already.")
    wanted = await _wanted(desk, principal, params)
    async with desk.settling:
        bans = []
        for kind, value, site_id in wanted:
            known = await _find(desk, kind, value, site_id)
            bans.append(
                Ban(
                    id=known.id if known else desk.ids.new(),
                    kind=kind,
                    value=value,
                    site_id=site_id,
                    reason=reason,
                    agent_id=int(principal.participant[1:]),
                    created_at=UnixMs(desk.now_ms()),
                    expires_at=UnixMs(params.expires_at),
                )
            )
        await _check_room(desk, len(bans))
        await desk.store.put_records(*bans)
        await desk.bans.load()
    await _tell(desk, bans)
    for ban in bans:
        told = {
            "kind": ban.kind.value,
            "value": ban.value,
            "site": ban.site_id,
            "reason": ban.reason,
            "expires_at": ban.expires_at,
        }
        await note(desk, principal, "ban.put", f"ban {ban.id}", told)
    return SomeBans(rows=await rows_of(desk, bans))


async def _wanted(
    desk: "Desk", principal: Principal, params: PutBan
) -> list[tuple[BanKind, str, int]]:
    """Return what is to be banned where. Raises `NotFound`, `NotAllowed`, `Invalid`."""
    if (params.visitor is None) == (params.address is None):
        raise Invalid("ban.put: either a visitor or an address is banned.")
    if params.visitor is not None:
        site_id = await _site_of(desk, principal, params.visitor)
        visitor = visitor_participant(params.visitor)
        names = await desk.store.numbers_of(visitor)
        places = _places_of(desk, names, site_id) if params.with_address else []
        return [
            (BanKind.VISITOR, visitor, site_id),
            *((kind, value, site_id) for kind, value in places),
        ]
    kind, value = parse_place(params.address or "")
    if not _may(principal, kind, params.site):
        if params.site and not principal.serves(params.site):
            raise NotFound
        raise NotAllowed("Only admins ban networks, and on every site at once.")
    if params.site and all(s.id != params.site for s in await desk.store.sites()):
        raise NotFound("There is no such site.")
    return [(kind, value, params.site)]


async def _site_of(desk: "Desk", principal: Principal, visitor: int) -> int:
    """Return whose visitor it is, also of one who only looks. Raises `NotFound`."""
    visit = desk.visits.find(visitor)
    is_known = await desk.store.find_record(VisitorProfile, visitor) is not None
    if not is_known and visit is not None and principal.serves(visit.site_id):
        return visit.site_id
    return (await load_profile(desk, principal, visitor)).site_id


def _places_of(
    desk: "Desk", names: Sequence[ParticipantId], site_id: int
) -> list[tuple[BanKind, str]]:
    """Return from where a visitor is connected here, or looks at the site's pages."""
    principals = [connection.principal for connection in desk.hub.connections()]
    addresses = {
        p.address
        for p in principals
        if p is not None and p.participant in names and p.site_id == site_id
    }
    visits = [desk.visits.find(int(name[1:])) for name in names]
    addresses |= {v.address for v in visits if v and v.site_id == site_id and v.address}
    places = []
    for address in sorted(addresses)[:ADDRESSES_MAX]:
        # Where nobody knows the address there is nothing to ban.
        with suppress(Invalid):
            places.append(parse_place(address))
    return places


def _may(principal: Principal, kind: BanKind, site_id: int) -> bool:
    """Whether somebody may make or lift such a ban."""
    if principal.role is Role.ADMIN:
        return True
    is_wide = kind is BanKind.NETWORK or not site_id
    return not is_wide and principal.serves(site_id)


async def _find(desk: "Desk", kind: BanKind, value: str, site_id: int) -> Ban | None:
    where = {"kind": kind.value, "value": value, "site_id": site_id}
    found = await desk.store.list_records(Ban, where=where, limit=1)
    return found[0] if found else None


async def _check_room(desk: "Desk", more: int) -> None:
    count, before = more, None
    while page := await desk.store.list_records(Ban, before=before, limit=500):
        count += len(page)
        before = page[-1].id
    if count > BANS_MAX:
        raise Conflict(f"There are {count - more} bans; lift some first.")


async def _lift(desk: "Desk", principal: Principal, params: LiftBan) -> Lifted:
    ban = await desk.store.find_record(Ban, params.ban)
    # A limited agent sees nothing of other sites, nor of what holds on all of them.
    if ban is None or not principal.serves(ban.site_id):
        raise NotFound
    if not _may(principal, ban.kind, ban.site_id):
        raise NotAllowed("Only admins lift what holds for a network or on every site.")
    await desk.store.delete_records(Ban, [ban.id])
    await desk.bans.load()
    await _tell(desk, [ban])
    told = {"kind": ban.kind.value, "value": ban.value, "site": ban.site_id}
    await note(desk, principal, "ban.lift", f"ban {ban.id}", told)
    return Lifted(ban=ban.id)


async def _tell(desk: "Desk", bans: list[Ban]) -> None:
    """Let consoles that show these visitors look again."""
    banned = [ParticipantId(b.value) for b in bans if b.kind is BanKind.VISITOR]
    ids = [int((await desk.store.numbers_of(name))[0][1:]) for name in banned]
    for profile in await desk.store.list_records(VisitorProfile, where={"id": ids}):
        desk.profiles.changed(profile)


METHODS: Methods = {
    "bans.list": Method(
        params=ListBans,
        run=_list,
        result=SomeBans,
        http="GET /bans",
        scope="bans:read",
    ),
    "ban.put": Method(
        params=PutBan,
        run=_put,
        result=SomeBans,
        http="POST /bans",
        scope="bans:write",
    ),
    "ban.lift": Method(
        params=LiftBan,
        run=_lift,
        result=Lifted,
        http="DELETE /bans/{ban}",
        scope="bans:write",
    ),
}
