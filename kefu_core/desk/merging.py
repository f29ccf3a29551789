"""What happens when a number turns out to be another one of a known visitor.

No row of what was said changes: the number is written down as one more of that visitor
(`Records.claim_number`), and everybody who asks afterwards reads by all of them. Here
is what those have to hear who have asked before, on this node; on others they ask again
within a minute.
"""

from typing import TYPE_CHECKING, Any

from kefu_core.desk.introducing import ATTRIBUTES_MAX
from kefu_core.desk.profiles import NOTES_CHARS, change_profile
from kefu_core.errors import CloseCode
from kefu_core.ids import visitor_participant
from kefu_core.records import OfflineMessage, VisitorAlias, VisitorProfile

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

NUMBERS_MAX = 20
"""Of one visitor. Each is asked for when the visitor connects; whoever comes with more
leaves the newest behind."""
_FACTS = ("name", "email", "phone", "language", "chosen_language")
_TRIES = 5


async def has_acted(desk: "Desk", site_id: int, number: int) -> bool:
    """Whether there is anything of a number: written, left, or done to it.

    Most browsers that become somebody have not been used before; for those nothing is
    written down.
    """
    profile = await desk.store.find_record(VisitorProfile, number)
    if profile is not None:
        return profile.site_id == site_id
    name = visitor_participant(number)
    where: dict[str, str | int] = {"visitor": name, "site_id": site_id}
    if await desk.store.list_records(OfflineMessage, where=where, limit=1):
        return True
    return desk.bans.find(site_id, [name], "") is not None


async def merged(desk: "Desk", alias: VisitorAlias) -> None:
    """Tell of a number that has just become another one of a visitor.

    Raises `StoreError`; the number is written down all the same.
    """
    known = int(alias.visitor[1:])
    names = await desk.store.numbers_of(alias.visitor)
    desk.visits.named(known, names)
    for connection in list(desk.hub.connections()):
        who = connection.principal
        if who and (who.participant, who.site_id) == (alias.visitor, alias.site_id):
            # It comes back at once, with what was written elsewhere.
            connection.close(CloseCode.RESTART, "more is known")
    await _keep_facts(desk, alias.id, known)


async def _keep_facts(desk: "Desk", number: int, known: int) -> None:
    """Fill in of a known visitor what was said, and noted, before it was known."""
    for _ in range(_TRIES):
        before = await desk.store.find_record(VisitorProfile, number)
        profile = await desk.store.find_record(VisitorProfile, known)
        if before is None or profile is None:
            return
        changes = facts_together(profile, before)
        if not changes or await change_profile(desk, profile, changes) is not None:
            name = changes.get("name", profile.name)
            desk.inbox.named(visitor_participant(number), name or before.name)
            # Consoles that show the number look again, and see who it is.
            desk.profiles.changed(before)
            return


def facts_together(known: VisitorProfile, before: VisitorProfile) -> dict[str, Any]:
    """Return what is new of a visitor; nothing takes the place of what is known."""
    changes: dict[str, Any] = {
        name: getattr(before, name)
        for name in _FACTS
        if getattr(before, name) and not getattr(known, name)
    }
    attributes = {**before.attributes, **known.attributes}
    if attributes != known.attributes and len(attributes) <= ATTRIBUTES_MAX:
        changes["attributes"] = attributes
    if before.notes:
        notes = "\n".join(filter(None, (known.notes, before.notes)))
        changes["notes"] = notes[:NOTES_CHARS]
    return changes
