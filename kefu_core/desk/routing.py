"""Who gets a conversation: pure, of what is known at this moment.

A conversation that waits goes to an agent who serves its site, is there (its lease
holds), has chosen to be online, has room, and belongs to the conversation's team, or
else to the site's. Which of those, the site's method says. Whatever is chosen here may
be wrong a moment later: the line that is appended has a condition (`model.Given`), and
who is refused chooses again.
"""

from collections.abc import Collection, Sequence

from kefu_core.desk.presence import Colleague
from kefu_core.model import Conversation, Given
from kefu_core.records import AgentStatus, Team
from kefu_core.site import Routing, RoutingMethod
from kefu_core.types import ParticipantId, UnixMs


def team_of(row: Conversation, routing: Routing, teams: Collection[Team]) -> int:
    """Return the team that answers; 0: anybody who serves the site.

    A team that was deleted, or has nobody in it, keeps nobody out.
    """
    known = {team.id for team in teams if team.agents}
    for wanted in (row.team_id, routing.team_id):
        if wanted in known:
            return wanted
    return 0


def able(
    row: Conversation, team_id: int, colleagues: Sequence[Colleague]
) -> list[Colleague]:
    """Return who may get it now."""
    return [
        each
        for each in colleagues
        if each.agent.is_active
        and each.is_there
        and each.status is AgentStatus.ONLINE
        and each.has_room
        and each.serves(row.site_id)
        and (not team_id or team_id in each.teams)
    ]


def choose(
    method: RoutingMethod,
    candidates: Sequence[Colleague],
    previous: ParticipantId | None = None,
) -> Colleague | None:
    """Return whose turn it is; None if nobody is able, or people choose themselves."""
    if not candidates or method is RoutingMethod.MANUAL:
        return None
    if method is RoutingMethod.PREVIOUS_FIRST:
        for each in candidates:
            if each.who == previous:
                return each
    if method is RoutingMethod.ROUND_ROBIN:
        return min(candidates, key=lambda each: (each.assigned_at, each.agent.id))
    return min(
        candidates, key=lambda each: (each.active, each.assigned_at, each.agent.id)
    )


def goes_back(
    row: Conversation, routing: Routing, agent: Colleague | None, now_ms: int
) -> bool:
    """Whether a conversation leaves an agent who is not there for a visitor who waits.

    `agent` is None when the account was switched off: nobody will come back for it.
    """
    if routing.requeue_after_s is None or row.waiting_since is None:
        return False
    if agent is None:
        return True
    if agent.is_there:
        return False
    gone_at = UnixMs(max(agent.lease_until, row.waiting_since))
    return now_ms >= gone_at + routing.requeue_after_s * 1000


def as_read(row: Conversation, *, capacity: int = 0) -> Given:
    """Return the condition that a row is still as it was read."""
    return Given(
        status=row.status,
        assignee=row.assignee,
        team_id=row.team_id,
        capacity=capacity,
    )
