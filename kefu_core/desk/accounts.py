"""Accounts of agents and the record of what was changed, for those who run kefu."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from kefu_core.desk.access import sites_of
from kefu_core.desk.journal import note
from kefu_core.desk.methods import Id, Limit, Method, Methods, Params
from kefu_core.desk.offline import EMAIL_CHARS, check_email, check_line
from kefu_core.desk.reading import Tag, check_tag, reads_otherwise
from kefu_core.errors import Conflict, Invalid, NotAllowed, NotFound
from kefu_core.ids import agent_participant
from kefu_core.model import Agent, Principal, Role
from kefu_core.records import AuditEntry
from kefu_core.types import ParticipantId, UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

_LOGIN = re.compile(r"[\w.@+-]{1,100}")
NAME_CHARS, CAPACITY_MAX, SITES_MAX = 100, 1_000, 1_000


class ListAgents(Params, frozen=True, kw_only=True):
    """`agents.list`: all accounts by id; agents see names only."""


class PutAgent(Params, frozen=True, kw_only=True):
    """`agent.put`: make or change an account; what is left out stays as it is."""

    agent: Id | None = None
    """Which one to change; left out: a new one, which needs a login and a password."""
    login: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    """Of a new one only: it never changes."""
    name: Annotated[str, msgspec.Meta(max_length=NAME_CHARS)] | None = None
    """What visitors see."""
    role: Annotated[str, msgspec.Meta(pattern=r"^(agent|admin)\Z")] | None = None
    email: Annotated[str, msgspec.Meta(max_length=EMAIL_CHARS)] | None = None
    capacity: Annotated[int, msgspec.Meta(ge=0, le=CAPACITY_MAX)] | None = None
    """Conversations at once; 0 for as many as there are."""
    sites: Annotated[list[Id], msgspec.Meta(max_length=SITES_MAX)] | None = None
    """Which sites it answers for; an empty list for all."""
    language: Tag | None = None
    """What it reads and writes, such as `en`; empty: what its sites say."""
    password: str | None = None
    """A new one, good for choosing another only; every login of the account ends. Not
    one's own, which is changed by whoever knows the old one."""
    is_active: bool | None = None


class DeactivateAgent(Params, frozen=True, kw_only=True):
    """`agent.deactivate`: end all logins and tokens of it, and let nobody log in."""

    agent: Id


class AgentRow(msgspec.Struct, frozen=True, kw_only=True):
    """An account; everything but its id, name and whether it is active is for admins.

    What a password is stored as is in no row.
    """

    id: ParticipantId
    name: str
    is_active: bool
    login: str = ""
    role: str = ""
    email: str = ""
    capacity: int = 0
    sites: tuple[int, ...] = ()
    """Empty for all."""
    language: str = ""
    """What it reads and writes; empty: what its sites say."""


class AllAgents(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    agents: list[AgentRow]


class OneAgent(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    agent: AgentRow


class ListAudit(Params, frozen=True, kw_only=True):
    """`audit.list`: who did what, the newest first."""

    who: Annotated[str, msgspec.Meta(pattern=r"^(a[1-9][0-9]{0,15}|cli|)\Z")] | None = (
        None
    )
    """An agent, `cli` for the command line, or empty for whoever is not known."""
    action: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    before: Id | None = None
    """The last id of the page before."""
    limit: Limit = 50


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the journal; never a secret."""

    id: int
    at: UnixMs
    who: str
    action: str
    target: str
    data: dict[str, Any]
    address: str


class SomeChanges(msgspec.Struct, frozen=True, kw_only=True):
    """A page of them."""

    rows: list[AuditRow]


async def _list(desk: "Desk", principal: Principal, params: Any) -> AllAgents:
    agents = await desk.store.agents()
    if principal.role is Role.ADMIN:
        return AllAgents(agents=[_row(agent) for agent in agents])
    agents = [agent for agent in agents if is_colleague(principal, agent)]
    return AllAgents(
        agents=[
            AgentRow(
                id=agent_participant(each.id), name=each.name, is_active=each.is_active
            )
            for each in agents
        ]
    )


def is_colleague(principal: Principal, agent: Agent) -> bool:
    """Whether there is a site that both serve."""
    mine, theirs = principal.sites, sites_of(agent)
    return mine is None or theirs is None or not mine.isdisjoint(theirs)


def _row(agent: Agent) -> AgentRow:
    return AgentRow(
        id=agent_participant(agent.id),
        name=agent.name,
        is_active=agent.is_active,
        login=agent.login,
        role=agent.role.value,
        email=agent.email,
        capacity=agent.capacity,
        sites=agent.sites or (),
        language=agent.language,
    )


async def _put(desk: "Desk", principal: Principal, params: PutAgent) -> OneAgent:
    # One at a time: of two last admins, not both may take the right from the other.
    async with desk.settling:
        agents = await desk.store.agents()
        known = next((each for each in agents if each.id == params.agent), None)
        if params.agent is not None and known is None:
            raise NotFound
        before = _new(desk, params, agents) if known is None else known
        if params.password is not None and _is(principal, before):
            raise Invalid("agent.put: nobody's own password is changed without it.")
        if known is not None and params.login not in (None, known.login):
            raise Invalid("agent.put: a login never changes; make another account.")
        after = await _changed(desk, before, params)
        _keep_an_admin(agents, after)
        await desk.store.put_agent(after)
        if known is not None and _ends_logins(known, after):
            await desk.store.delete_agent_sessions(agent_id=after.id)
        told = [
            field
            for field in after.__struct_fields__
            if known is None or getattr(after, field) != getattr(known, field)
        ]
        if "password_hash" in told:
            told = [field for field in told if field != "is_one_time"]
        what = {"changed": [_PUBLIC.get(field, field) for field in told]}
        await note(desk, principal, "agent.put", _name_of(after), what)
        if "language" in told:
            await reads_otherwise(desk, agent_participant(after.id))
    return OneAgent(agent=_row(after))


_PUBLIC = {"password_hash": "password"}


def _is(principal: Principal, agent: Agent) -> bool:
    return principal.participant == agent_participant(agent.id)


def _name_of(agent: Agent) -> str:
    """Return what an account is called in the record."""
    return f"agent {agent.id} {agent.login}"


def _new(desk: "Desk", params: PutAgent, agents: list[Agent]) -> Agent:
    if params.login is None or params.password is None:
        raise Invalid("agent.put: a new account needs a login and a password.")
    if not _LOGIN.fullmatch(params.login):
        raise Invalid(
            "agent.put: a login has letters, digits and . _ @ + - only, at most 100."
        )
    if any(each.login.casefold() == params.login.casefold() for each in agents):
        raise Conflict(f"There is already an agent with the login {params.login}.")
    return Agent(
        id=desk.ids.new(), login=params.login, name=params.login, password_hash=""
    )


async def _changed(desk: "Desk", agent: Agent, params: PutAgent) -> Agent:
    changes = _plain_changes(params)
    if params.sites is not None:
        known = {site.id for site in await desk.store.sites()}
        for site in params.sites:
            if site not in known:
                raise Invalid(f"agent.put: there is no site {site}.")
        changes["sites"] = tuple(dict.fromkeys(params.sites)) or None
    if params.password is not None:
        if desk.hash_password is None:
            raise NotAllowed("Passwords are not set over this installation's calls.")
        changes["password_hash"] = await desk.hash_password(
            params.password, agent.login
        )
        changes["is_one_time"] = True
    return msgspec.structs.replace(agent, **changes)


def _plain_changes(params: PutAgent) -> dict[str, Any]:
    """Return the fields that are judged by themselves. Raises `Invalid`."""
    changes: dict[str, Any] = {
        field: getattr(params, field)
        for field in ("capacity", "is_active")
        if getattr(params, field) is not None
    }
    if params.name is not None:
        name = check_line(params.name, "The name")
        if not name or not name.isprintable():
            raise Invalid("agent.put: a name has printable characters.")
        changes["name"] = name
    if params.role is not None:
        changes["role"] = Role(params.role)
    if params.email is not None:
        email = params.email.strip()
        changes["email"] = check_email(email) if email else ""
    if params.language is not None:
        changes["language"] = check_tag(params.language)
    return changes


def _ends_logins(before: Agent, after: Agent) -> bool:
    # What a connection may see was decided when it came.
    return (before.password_hash, before.is_active, before.role, sites_of(before)) != (
        after.password_hash,
        after.is_active,
        after.role,
        sites_of(after),
    )


def _keep_an_admin(agents: list[Agent], changed: Agent) -> None:
    """Refuse a change after which nobody could run kefu. Raises `Conflict`."""
    others = [each for each in agents if each.id != changed.id]
    had = any(each.is_active and each.role is Role.ADMIN for each in agents)
    has = any(each.is_active and each.role is Role.ADMIN for each in [*others, changed])
    if had and not has:
        raise Conflict(
            "This is the last admin; make somebody else an admin first, or nobody "
            "could change anything."
        )


async def _deactivate(
    desk: "Desk", principal: Principal, params: DeactivateAgent
) -> OneAgent:
    return await _put(desk, principal, PutAgent(agent=params.agent, is_active=False))


async def _audit(desk: "Desk", principal: Principal, params: ListAudit) -> SomeChanges:
    where = {
        field: value
        for field, value in (("who", params.who), ("action", params.action))
        if value is not None
    }
    found = await desk.store.list_records(
        AuditEntry, where=where, before=params.before, limit=params.limit
    )
    return SomeChanges(
        rows=[
            AuditRow(
                id=each.id,
                at=each.at,
                who=each.who,
                action=each.action,
                target=each.target,
                data=each.data,
                address=each.address,
            )
            for each in found
        ]
    )


METHODS: Methods = {
    "agents.list": Method(
        params=ListAgents,
        run=_list,
        result=AllAgents,
        http="GET /agents",
        scope="settings:read",
    ),
    # No token may make an account: it would give itself what it was not given.
    "agent.put": Method(
        params=PutAgent, run=_put, result=OneAgent, http="POST /agents"
    ),
    "agent.deactivate": Method(
        params=DeactivateAgent,
        run=_deactivate,
        result=OneAgent,
        http="POST /agents/{agent}/deactivate",
    ),
    "audit.list": Method(
        params=ListAudit,
        run=_audit,
        result=SomeChanges,
        http="GET /audit",
        scope="settings:read",
    ),
}
