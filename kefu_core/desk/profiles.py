"""Who a visitor is, as agents know it: looked at and changed, never overwritten unseen.

A profile counts its changes. Whoever changes it names the count that it has seen, so of
two agents who write at once one is refused and looks at what is there now. The watched
list `profiles` names whose profile was changed lately and how often, nothing of what is
in it: consoles ask again for the one they show.
"""

import re
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import msgspec

from kefu_core.desk.access import may_read
from kefu_core.desk.conversations import rows_of
from kefu_core.desk.drafts import check_characters
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.desk.numbers import conversations_of
from kefu_core.desk.offline import check_email, check_line
from kefu_core.desk.rows import AgentsRow
from kefu_core.errors import Conflict, Invalid, NotFound
from kefu_core.hub.lists import WatchedList
from kefu_core.ids import ID_MAX, visitor_participant
from kefu_core.model import Principal
from kefu_core.records import Ban, VisitorProfile
from kefu_core.types import ParticipantId, UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

TOPIC = "profiles"
TOLD_MAX = 200
"""So many profiles that were changed last are in the list."""
NAME_CHARS, EMAIL_CHARS, PHONE_CHARS, NOTES_CHARS = 100, 254, 40, 5_000
CONVERSATIONS_MAX = 50
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{3,38}")
_FIELDS = ("name", "email", "phone", "notes")


class GetVisitor(Params, frozen=True, kw_only=True):
    """`visitor.get`: who a visitor is, and its conversations, the newest first."""

    visitor: Id
    """The number of the participant: 12 for `v12`; of several any."""


class PutVisitor(Params, frozen=True, kw_only=True):
    """`visitor.put`: change what is known of a visitor; what is left out stays."""

    visitor: Id
    revision: Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)]
    """That of the profile as it was looked at; `conflict` if it has changed since."""
    name: Annotated[str, msgspec.Meta(max_length=NAME_CHARS)] | None = None
    email: Annotated[str, msgspec.Meta(max_length=EMAIL_CHARS)] | None = None
    phone: Annotated[str, msgspec.Meta(max_length=PHONE_CHARS)] | None = None
    notes: Annotated[str, msgspec.Meta(max_length=NOTES_CHARS)] | None = None


class VisitorRow(TypedDict):
    """A visitor as agents see it; no visitor ever does."""

    id: int
    participant: ParticipantId
    site_id: int
    name: str
    email: str
    phone: str
    notes: str
    attributes: dict[str, Any]
    language: str
    """What its browser says."""
    chosen_language: str
    """What it has chosen to read and write; empty: nothing."""
    is_verified: bool
    created_at: UnixMs
    revision: int


class OneVisitor(msgspec.Struct, frozen=True, kw_only=True):
    """A visitor."""

    visitor: VisitorRow


class Away(msgspec.Struct, frozen=True, kw_only=True):
    """That a visitor is banned, and until when."""

    id: int
    reason: str
    agent: ParticipantId
    expires_at: UnixMs
    """0: for good."""


class KnownVisitor(msgspec.Struct, frozen=True, kw_only=True):
    """A visitor, and what was talked about."""

    visitor: VisitorRow
    conversations: list[AgentsRow]
    ban: Away | None = None


class Profiles:
    """Tells agents whose profile has changed."""

    def __init__(self) -> None:
        self._topic = WatchedList(TOPIC)
        self._told = 0

    def attach(self, topic: WatchedList) -> None:
        """Take the list that agents watch."""
        self._topic = topic

    def changed(self, profile: VisitorProfile) -> None:
        """Tell of a change, also of a ban, and forget what was told the longest ago."""
        self._told += 1
        # Dropped first, so that rows stand in the order of their changes.
        self._topic.drop(profile.id)
        self._topic.put(
            {
                "id": profile.id,
                "site_id": profile.site_id,
                "revision": profile.revision,
                "told": self._told,
            }
        )
        while len(self._topic.rows) > TOLD_MAX:
            self._topic.drop(next(iter(self._topic.rows)))


def visitor_row(profile: VisitorProfile) -> VisitorRow:
    """Return what agents see; fields are named one by one on purpose."""
    return {
        "id": profile.id,
        "participant": visitor_participant(profile.id),
        "site_id": profile.site_id,
        "name": profile.name,
        "email": profile.email,
        "phone": profile.phone,
        "notes": profile.notes,
        "attributes": profile.attributes,
        "language": profile.language,
        "chosen_language": profile.chosen_language,
        "is_verified": profile.is_verified,
        "created_at": profile.created_at,
        "revision": profile.revision,
    }


async def load_profile(
    desk: "Desk", principal: Principal, number: int
) -> VisitorProfile:
    """Return a visitor of a site that an agent serves, by any of its numbers.

    Raises `NotFound`.
    """
    known, *_ = await desk.store.numbers_of(visitor_participant(number))
    profile = await desk.store.find_record(VisitorProfile, int(known[1:]))
    if profile is None or not principal.serves(profile.site_id):
        raise NotFound("There is no such visitor.")
    return profile


async def _get(desk: "Desk", principal: Principal, params: GetVisitor) -> KnownVisitor:
    profile = await load_profile(desk, principal, params.visitor)
    names = await desk.store.numbers_of(visitor_participant(profile.id))
    found = await conversations_of(desk.store, names)
    mine = [row for row in found if may_read(principal, row)]
    mine.sort(key=lambda row: (row.last_at, row.id), reverse=True)
    ban = desk.bans.find(profile.site_id, names, "")
    return KnownVisitor(
        visitor=visitor_row(profile),
        conversations=await rows_of(desk, mine[:CONVERSATIONS_MAX]),
        ban=None if ban is None else _away(ban),
    )


def _away(ban: Ban) -> Away:
    return Away(
        id=ban.id,
        reason=ban.reason,
        agent=ParticipantId(f"a{ban.agent_id}"),
        expires_at=ban.expires_at,
    )


async def _put(desk: "Desk", principal: Principal, params: PutVisitor) -> OneVisitor:
    profile = await load_profile(desk, principal, params.visitor)
    changes = _checked(params)
    if profile.revision != params.revision:
        raise _conflict()
    changes = {k: v for k, v in changes.items() if getattr(profile, k) != v}
    if not changes:
        return OneVisitor(visitor=visitor_row(profile))
    changed = await change_profile(desk, profile, changes)
    if changed is None:
        raise _conflict()
    return OneVisitor(visitor=visitor_row(changed))


def _conflict() -> Conflict:
    return Conflict("Somebody has changed this visitor meanwhile; look again.")


async def change_profile(
    desk: "Desk", profile: VisitorProfile, changes: dict[str, Any]
) -> VisitorProfile | None:
    """Store and tell a change of a profile as it was read; None if it is not so now."""
    changed = msgspec.structs.replace(profile, **changes, revision=profile.revision + 1)
    if not await desk.store.change_record(changed, when={"revision": profile.revision}):
        return None
    desk.profiles.changed(changed)
    if "name" in changes:
        for name in await desk.store.numbers_of(visitor_participant(changed.id)):
            desk.inbox.named(name, changed.name)
    return changed


def _checked(params: PutVisitor) -> dict[str, Any]:
    """Return what is to be changed, made plain. Raises `Invalid`."""
    given = {name: getattr(params, name) for name in _FIELDS}
    changes = {name: text for name, text in given.items() if text is not None}
    for name, text in changes.items():
        changes[name] = check_notes(text) if name == "notes" else check_fact(name, text)
    return changes


def check_fact(name: str, text: str) -> str:
    """Return a name, an e-mail address or a telephone number. Raises `Invalid`."""
    text = check_line(text, f"The {name}")
    if text and name == "email":
        return check_email(text)
    if text and name == "phone" and not _PHONE.fullmatch(text):
        raise Invalid("The telephone number is not one.")
    return text


def check_notes(text: str) -> str:
    """Return notes of several lines. Raises `Invalid`."""
    check_characters(text, "The notes")
    return text.replace("\r\n", "\n").strip()


METHODS: Methods = {
    "visitor.get": Method(
        params=GetVisitor,
        run=_get,
        result=KnownVisitor,
        http="GET /visitors/{visitor}",
        scope="visitors:read",
    ),
    "visitor.put": Method(
        params=PutVisitor,
        run=_put,
        result=OneVisitor,
        http="PUT /visitors/{visitor}",
        scope="visitors:write",
    ),
}
