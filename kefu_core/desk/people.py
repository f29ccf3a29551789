"""What others are called.

A visitor learns the names of the agents whom its own conversations show: who wrote
there or had them in hand. Whether there is any other agent, no answer tells. Who is
shown stands in the log only, which grows only: each part of it is read once.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import msgspec

from kefu_core.abc.store import Store
from kefu_core.desk.methods import Method, Methods, Params
from kefu_core.desk.rows import visitor_name
from kefu_core.folding import is_visitor, may_read
from kefu_core.ids import visitor_participant
from kefu_core.model import Conversation, Message, Person, Principal, Role
from kefu_core.records import VisitorProfile
from kefu_core.types import ConversationId, ParticipantId, Seq

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

PEOPLE_MAX = 100
_KEPT_MAX = 5_000
"""Conversations of which a node remembers who is in them."""
_PAGE = 500
_NAMED = ("assignee", "agent")
"""Where the `data` of a line names an agent besides its sender."""


class GetPeople(Params, frozen=True, kw_only=True):
    """`people.get`: names of participants; unknown ones are left out."""

    ids: Annotated[
        list[Annotated[str, msgspec.Meta(pattern=r"^[avs](0|[1-9][0-9]{0,15})$")]],
        msgspec.Meta(max_length=PEOPLE_MAX),
    ]


class People(msgspec.Struct, frozen=True, kw_only=True):
    """Those who are known."""

    people: list[Person]


class Met:
    """Which agents the log of a conversation shows to its visitor."""

    def __init__(self, store: Store) -> None:
        """Take the store."""
        self._store = store
        self._known: dict[ConversationId, tuple[Seq, frozenset[ParticipantId]]] = {}
        """Those up to a seq."""

    async def agents(self, row: Conversation) -> frozenset[ParticipantId]:
        """Return all of a conversation. Raises `StoreError`."""
        upto, agents = self._known.pop(row.id, (Seq(0), frozenset()))
        while upto < row.last_seq:
            page = await self._store.history(row.id, after=upto, limit=_PAGE)
            if not page:
                break
            agents |= {who for message in page for who in _shown(message)}
            upto = page[-1].seq
        self._known[row.id] = upto, agents
        while len(self._known) > _KEPT_MAX:
            del self._known[next(iter(self._known))]
        return agents


def _shown(message: Message) -> Iterator[ParticipantId]:
    """Yield the agents whom a visitor sees a message name."""
    if not may_read(message, as_visitor=True):
        return
    named = [(message.data or {}).get(name) for name in _NAMED]
    for who in (message.sender, *named):
        if isinstance(who, str) and who.startswith("a"):
            yield ParticipantId(who)


async def _people(desk: "Desk", principal: Principal, params: GetPeople) -> People:
    wanted = [ParticipantId(who) for who in dict.fromkeys(params.ids)]
    if not principal.is_agent:
        met = {
            each
            for row in await desk.conversations(principal)
            for each in await desk.met.agents(row)
        }
        wanted = [who for who in wanted if who in met or principal.owns(who)]
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
