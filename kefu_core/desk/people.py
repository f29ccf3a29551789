"""What others are called."""

from typing import TYPE_CHECKING, Annotated

import msgspec

from kefu_core.desk.methods import Method, Methods, Params
from kefu_core.desk.rows import visitor_name
from kefu_core.folding import is_visitor
from kefu_core.ids import visitor_participant
from kefu_core.model import Person, Principal, Role
from kefu_core.records import VisitorProfile
from kefu_core.types import ParticipantId

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

PEOPLE_MAX = 100


class GetPeople(Params, frozen=True, kw_only=True):
    """`people.get`: names of participants; unknown ones are left out."""

    ids: Annotated[
        list[Annotated[str, msgspec.Meta(pattern=r"^[avs](0|[1-9][0-9]{0,15})$")]],
        msgspec.Meta(max_length=PEOPLE_MAX),
    ]


class People(msgspec.Struct, frozen=True, kw_only=True):
    """Those who are known."""

    people: list[Person]


async def _people(desk: "Desk", principal: Principal, params: GetPeople) -> People:
    wanted = [ParticipantId(who) for who in dict.fromkeys(params.ids)]
    if not principal.is_agent:
        me = principal.participant
        wanted = [who for who in wanted if who.startswith("a") or who == me]
    if principal.sites is not None:
        wanted = await _met(desk, principal.sites, wanted)
    people = await desk.store.people(wanted) if wanted else []
    return People(people=[_person(person, principal) for person in people])


async def _met(
    desk: "Desk", sites: frozenset[int], wanted: list[ParticipantId]
) -> list[ParticipantId]:
    """Return those whom an agent of these sites may know: no visitors of others."""
    visitors = [int(who[1:]) for who in wanted if is_visitor(who)]
    if not visitors:
        return wanted
    profiles = await desk.store.list_records(
        VisitorProfile, where={"id": visitors, "site_id": sorted(sites)}, after=0
    )
    known = {visitor_participant(profile.id) for profile in profiles}
    return [who for who in wanted if not is_visitor(who) or who in known]


def _person(person: Person, reader: Principal) -> Person:
    # Who runs the shop's desk is nobody else's business: to visitors all are agents.
    hidden = person.role is Role.ADMIN and not reader.is_agent
    name = (
        visitor_name(person.id, person.name) if is_visitor(person.id) else person.name
    )
    role = Role.AGENT if hidden else person.role
    return Person(id=person.id, name=name, role=role)


METHODS: Methods = {
    "people.get": Method(
        params=GetPeople,
        run=_people,
        result=People,
        http="POST /people/get",
        scope="conversations:read",
    ),
}
