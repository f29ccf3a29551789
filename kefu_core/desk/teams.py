"""Teams: agents who answer for each other, and what a visitor may choose from."""

from typing import TYPE_CHECKING, Annotated

import msgspec

from kefu_core.abc.records import PAGE_MAX
from kefu_core.desk.conversations import require_team
from kefu_core.desk.journal import note
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.desk.offline import check_line
from kefu_core.errors import Conflict, Invalid
from kefu_core.model import Principal
from kefu_core.records import CannedReply, ReplyScope, Team

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

TEAMS_MAX, AGENTS_MAX, NAME_CHARS = 200, 500, 100


class ListTeams(Params, frozen=True, kw_only=True):
    """`teams.list`: all of them, by id."""


class PutTeam(Params, frozen=True, kw_only=True):
    """`team.put`: make or change one; what is left out stays as it is."""

    team: Id | None = None
    """Which one to change; left out: a new one, which needs a name."""
    name: Annotated[str, msgspec.Meta(max_length=NAME_CHARS)] | None = None
    """What visitors see where they choose; no two teams have the same."""
    agents: Annotated[list[Id], msgspec.Meta(max_length=AGENTS_MAX)] | None = None


class DeleteTeam(Params, frozen=True, kw_only=True):
    """`team.delete`: what waited for it waits for anybody."""

    team: Id


class TeamRow(msgspec.Struct, frozen=True, kw_only=True):
    """A team."""

    id: int
    name: str
    agents: tuple[int, ...]


class AllTeams(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    teams: list[TeamRow]


class OneTeam(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    team: TeamRow


class GoneTeam(msgspec.Struct, frozen=True, kw_only=True):
    """The id of the one that is gone."""

    team: int


def _row(team: Team) -> TeamRow:
    return TeamRow(id=team.id, name=team.name, agents=team.agents)


async def _list(desk: "Desk", principal: Principal, params: ListTeams) -> AllTeams:
    teams = await desk.store.list_records(Team, after=0, limit=PAGE_MAX)
    return AllTeams(teams=[_row(team) for team in teams])


async def _put(desk: "Desk", principal: Principal, params: PutTeam) -> OneTeam:
    # One at a time: each change writes the whole row.
    async with desk.settling:
        if params.team is not None:
            before = await require_team(desk, params.team)
        else:
            before = await _new(desk, params)
        after = await _changed(desk, before, params)
        try:
            await desk.store.put_records(after)
        except Conflict:
            raise Conflict(f"There is already a team named {after.name}.") from None
        what = {"name": after.name, "agents": list(after.agents)}
        await note(desk, principal, "team.put", f"team {after.id}", what)
    desk.router.wake()
    return OneTeam(team=_row(after))


async def _new(desk: "Desk", params: PutTeam) -> Team:
    if params.name is None:
        raise Invalid("team.put: a new team needs a name.")
    teams = await desk.store.list_records(Team, limit=PAGE_MAX)
    if len(teams) >= TEAMS_MAX:
        raise Conflict(f"There are {TEAMS_MAX} teams already.")
    return Team(id=desk.ids.new(), name="")


async def _changed(desk: "Desk", team: Team, params: PutTeam) -> Team:
    name, agents = team.name, team.agents
    if params.name is not None:
        name = check_line(params.name, "The name")
        if not name or not name.isprintable():
            raise Invalid("team.put: a name has printable characters.")
    if params.agents is not None:
        known = {agent.id for agent in await desk.store.agents()}
        for number in params.agents:
            if number not in known:
                raise Invalid(f"team.put: there is no agent {number}.")
        agents = tuple(dict.fromkeys(params.agents))
    return msgspec.structs.replace(team, name=name, agents=agents)


async def _delete(desk: "Desk", principal: Principal, params: DeleteTeam) -> GoneTeam:
    async with desk.settling:
        team = await require_team(desk, params.team)
        await _check_unowning(desk, team)
        await desk.store.delete_records(Team, [team.id])
        what = {"name": team.name}
        await note(desk, principal, "team.delete", f"team {team.id}", what)
    desk.router.wake()
    return GoneTeam(team=team.id)


async def _check_unowning(desk: "Desk", team: Team) -> None:
    """Keep texts from being nobody's: no page would show them any more."""
    where: dict[str, str | int] = {"scope": ReplyScope.TEAM, "owner": team.id}
    replies = await desk.store.list_records(CannedReply, where=where, limit=PAGE_MAX)
    if replies:
        raise Conflict(
            f"The team still has canned replies ({len(replies)}): "
            "delete them, or give them to another team, first."
        )


METHODS: Methods = {
    "teams.list": Method(
        params=ListTeams,
        run=_list,
        result=AllTeams,
        http="GET /teams",
        scope="settings:read",
    ),
    "team.put": Method(
        params=PutTeam,
        run=_put,
        result=OneTeam,
        http="POST /teams",
        scope="settings:write",
    ),
    "team.delete": Method(
        params=DeleteTeam,
        run=_delete,
        result=GoneTeam,
        http="DELETE /teams/{team}",
        scope="settings:write",
    ),
}
