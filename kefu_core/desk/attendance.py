"""What agents say of themselves, and see of each other."""

from typing import TYPE_CHECKING

import msgspec

from kefu_core.desk.access import sees_row
from kefu_core.desk.methods import Method, Methods, Params
from kefu_core.desk.presence import PresentRow
from kefu_core.errors import NotFound
from kefu_core.model import Principal
from kefu_core.records import AgentStatus

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk


class SetPresence(Params, frozen=True, kw_only=True):
    """`presence.set`: online gets conversations, busy keeps some, away is not there."""

    status: AgentStatus


class ListPresent(Params, frozen=True, kw_only=True):
    """`agents.present`: who of the agents is there, and how much they have to do."""


class OnePresent(msgspec.Struct, frozen=True, kw_only=True):
    """One agent."""

    agent: PresentRow


class AllPresent(msgspec.Struct, frozen=True, kw_only=True):
    """All active agents who serve a site that you serve."""

    agents: list[PresentRow]


async def _set(desk: "Desk", principal: Principal, params: SetPresence) -> OnePresent:
    me = int(principal.participant[1:])
    await desk.presence.choose(me, params.status)
    for row in await desk.presence.rows():
        if row["id"] == me:
            return OnePresent(agent=row)
    raise NotFound("This account is switched off.")


async def _list(desk: "Desk", principal: Principal, params: ListPresent) -> AllPresent:
    rows, mine = await desk.presence.rows(), principal.sites
    return AllPresent(
        agents=[row for row in rows if mine is None or sees_row(mine, row)]
    )


METHODS: Methods = {
    "presence.set": Method(
        params=SetPresence,
        run=_set,
        result=OnePresent,
        http="PUT /presence",
        scope="presence:write",
    ),
    "agents.present": Method(
        params=ListPresent,
        run=_list,
        result=AllPresent,
        http="GET /agents/present",
        scope="settings:read",
    ),
}
