"""Sites, visitors, agents and their logins."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.errors import Conflict, NotFound
from kefu_core.folding import active_at
from kefu_core.ids import agent_participant, visitor_participant
from kefu_core.model import (
    Agent,
    AgentSession,
    Conversation,
    ConversationStatus,
    Person,
    Role,
    Site,
)
from kefu_core.records import AgentStatus
from kefu_core.site import SiteSettings, changed_settings, stored_settings
from kefu_core.store import desk_tables
from kefu_core.store import tables as t
from kefu_core.store.documents import chunks
from kefu_core.store.putting import IN_MAX, insert_row, put_row
from kefu_core.store.rows import CONVERSATION_COLUMNS, conversation_from
from kefu_core.types import ConversationId, ParticipantId, UnixMs

_c = t.conversation.c
_AGENTS_BY_ID = select(t.agent).where(
    t.agent.c.id.in_(bindparam("ids", expanding=True))
)
_SESSIONS_BY_HASH = select(t.agent_session).where(
    t.agent_session.c.token_hash.in_(bindparam("hashes", expanding=True))
)
# SQLite has no such words: there the transaction has the database to itself.
_SITE_LOCKED = (
    select(t.site)
    .where(t.site.c.id == bindparam("site"))
    .with_for_update()
    .with_hint(t.site, "WITH (UPDLOCK, ROWLOCK)", "mssql")
)
_encode = msgspec.json.Encoder().encode
_numbers = msgspec.json.Decoder(tuple[int, ...]).decode


async def open_conversation(
    connection: AsyncConnection,
    site_id: int,
    visitor: Person,
    new_id: ConversationId,
    now: UnixMs,
) -> Conversation:
    """Return the visitor's newest conversation on a site, making both if new."""
    query = (
        select(*(_c[name] for name in CONVERSATION_COLUMNS))
        .where(_c.visitor == visitor.id, _c.site_id == site_id)
        .order_by(_c.last_at.desc(), _c.id.desc())
        .limit(1)
    )
    found = (await connection.execute(query)).first()
    if found is not None:
        return conversation_from(found)
    site = select(t.site.c.id).where(t.site.c.id == site_id)
    if (await connection.execute(site)).first() is None:
        raise NotFound("There is no such site.")
    await lock_visitor(connection, site_id, visitor, now)
    # Read after the lock: two nodes that open at once find one another's.
    found = (await connection.execute(query)).first()
    if found is not None:
        return conversation_from(found)
    row = Conversation(
        id=new_id, site_id=site_id, visitor=visitor.id, last_at=now, opened_at=now
    )
    await connection.execute(
        insert(t.conversation).values(
            id=row.id,
            site_id=site_id,
            visitor=row.visitor,
            status=str(ConversationStatus.QUEUED),
            last_seq=0,
            last_at=now,
            last_line="",
            opened_at=now,
            active_at=active_at(now),
            kept_from=now,
        )
    )
    return row


async def lock_visitor(
    connection: AsyncConnection, site_id: int, visitor: Person, now: UnixMs
) -> None:
    """Hold the visitor's row, new or not, until the transaction ends."""
    number = int(visitor.id[1:])
    row = {
        "id": number,
        "site_id": site_id,
        "name": visitor.name,
        "created_at": now,
    }
    if not await insert_row(connection, t.visitor, row):
        # An update locks on every engine; it changes nothing.
        columns = t.visitor.c
        await connection.execute(
            update(t.visitor).where(columns.id == number).values(name=columns.name)
        )


async def people(
    connection: AsyncConnection, ids: Sequence[ParticipantId]
) -> list[Person]:
    """Return what is known of these participants."""
    visitors = [int(who[1:]) for who in ids if who[:1] == "v" and who[1:].isdigit()]
    agent_ids = [int(who[1:]) for who in ids if who[:1] == "a" and who[1:].isdigit()]
    found: list[Person] = []
    for some in chunks(visitors):
        names = await _names(connection, some)
        found += [
            Person(id=visitor_participant(number), name=name, role=Role.VISITOR)
            for number, name in names.items()
        ]
    for some in chunks(agent_ids):
        rows = select(t.agent.c.id, t.agent.c.name, t.agent.c.role).where(
            t.agent.c.id.in_(some)
        )
        found += [
            Person(id=agent_participant(row[0]), name=row[1], role=Role(row[2]))
            for row in (await connection.execute(rows)).all()
        ]
    return found


async def _names(connection: AsyncConnection, numbers: Sequence[int]) -> dict[int, str]:
    """Return visitors' names: of another number of somebody, the name of that one."""
    v, alias = t.visitor.c, desk_tables.visitor_alias.c
    query = select(v.id, v.name).where(v.id.in_(numbers))
    names = {row[0]: row[1] for row in (await connection.execute(query)).all()}
    query = select(alias.id, alias.visitor).where(alias.id.in_(list(names)))
    known = {row[0]: int(row[1][1:]) for row in (await connection.execute(query)).all()}
    if known:
        query = select(v.id, v.name).where(v.id.in_(sorted(set(known.values()))))
        theirs = {row[0]: row[1] for row in (await connection.execute(query)).all()}
        for number, one in known.items():
            names[number] = theirs.get(one) or names[number]
    return names


async def find_site(connection: AsyncConnection, embed_key: str) -> Site | None:
    """Return the site with this embed key."""
    query = select(t.site).where(t.site.c.embed_key == embed_key)
    row = (await connection.execute(query)).first()
    return _site(row) if row is not None else None


async def sites(connection: AsyncConnection) -> list[Site]:
    """Return all sites by id."""
    rows = (await connection.execute(select(t.site).order_by(t.site.c.id))).all()
    return [_site(row) for row in rows]


async def put_site(connection: AsyncConnection, site: Site) -> None:
    """Create or replace a site."""
    await _put_site(connection, site, _encode(site.settings).decode())


async def _put_site(connection: AsyncConnection, site: Site, settings: str) -> None:
    await _put(
        connection,
        t.site,
        {
            "id": site.id,
            "name": site.name,
            "embed_key": site.embed_key,
            "allowed_origins": "\n".join(site.allowed_origins),
            "locale": site.locale,
            "retention_days": site.retention_days,
            "secret": site.secret,
            "settings": settings,
        },
        f"The embed key {site.embed_key!r} is taken.",
    )


async def change_site(
    connection: AsyncConnection, site_id: int, change: Callable[[Site], Site]
) -> Site | None:
    """Replace a site by what is made of it, locked from reading to the commit."""
    row = (await connection.execute(_SITE_LOCKED, {"site": site_id})).first()
    if row is None:
        return None
    site = _site(row)
    changed = change(site)
    settings = changed_settings(row.settings, site.settings, changed.settings)
    await _put_site(connection, changed, settings)
    return changed


async def agents_by_id(
    connection: AsyncConnection, ids: Sequence[int]
) -> dict[int, Agent]:
    """Return those of these agents that exist."""
    rows = (await connection.execute(_AGENTS_BY_ID, {"ids": ids})).all()
    return {agent.id: agent for agent in map(_agent, rows)}


async def find_agent(connection: AsyncConnection, login: str) -> Agent | None:
    """Return an agent by login (case-folded)."""
    query = select(t.agent).where(t.agent.c.login_folded == login.casefold())
    row = (await connection.execute(query)).first()
    return _agent(row) if row is not None else None


async def agents(connection: AsyncConnection) -> list[Agent]:
    """Return all agents by id."""
    rows = (await connection.execute(select(t.agent).order_by(t.agent.c.id))).all()
    return [_agent(row) for row in rows]


async def put_agent(connection: AsyncConnection, agent: Agent) -> None:
    """Create or replace an agent."""
    await _put(
        connection,
        t.agent,
        {
            "id": agent.id,
            "login": agent.login,
            "login_folded": agent.login.casefold(),
            "name": agent.name,
            "password_hash": agent.password_hash,
            "role": str(agent.role),
            "is_active": agent.is_active,
            "email": agent.email,
            "capacity": agent.capacity,
            "sites": None if agent.sites is None else _encode(agent.sites).decode(),
            "is_one_time": agent.is_one_time,
            "language": agent.language,
        },
        f"The login {agent.login!r} is taken.",
    )


async def renew_presence(
    connection: AsyncConnection, agents: Collection[int], until: UnixMs, now: UnixMs
) -> None:
    """Let leases end no earlier than `until`; whoever has none begins as online."""
    table = desk_tables.agent_presence
    numbers = sorted(set(agents))
    for some in chunks(numbers):
        found = await connection.execute(select(table.c.id).where(table.c.id.in_(some)))
        known = set(found.scalars())
        for number in some:
            if number not in known:
                row = {
                    "id": number,
                    "status": AgentStatus.ONLINE.value,
                    "lease_until": until,
                    "changed_at": now,
                    "assigned_at": 0,
                }
                await insert_row(connection, table, row)
        statement = update(table).where(
            table.c.id.in_(some), table.c.lease_until < until
        )
        await connection.execute(statement.values(lease_until=until))


async def sessions_by_hash(
    connection: AsyncConnection, token_hashes: Sequence[str]
) -> dict[str, AgentSession]:
    """Return those of these login sessions that exist."""
    rows = (await connection.execute(_SESSIONS_BY_HASH, {"hashes": token_hashes})).all()
    return {session.token_hash: session for session in map(_agent_session, rows)}


async def sessions_of_agent(
    connection: AsyncConnection, agent_id: int
) -> list[AgentSession]:
    """Return an agent's login sessions, the oldest first."""
    columns = t.agent_session.c
    query = (
        select(t.agent_session)
        .where(columns.agent_id == agent_id)
        .order_by(columns.created_at, columns.token_hash)
    )
    return [_agent_session(row) for row in await connection.execute(query)]


async def live_agent_sessions(
    connection: AsyncConnection, token_hashes: Sequence[str]
) -> set[str]:
    """Return which login sessions exist and belong to an active agent."""
    live: set[str] = set()
    for start in range(0, len(token_hashes), IN_MAX):
        some = token_hashes[start : start + IN_MAX]
        query = (
            select(t.agent_session.c.token_hash)
            .join(t.agent, t.agent.c.id == t.agent_session.c.agent_id)
            .where(t.agent_session.c.token_hash.in_(some), t.agent.c.is_active)
        )
        live.update((await connection.execute(query)).scalars())
    return live


async def touch_agent_session(
    connection: AsyncConnection, token_hash: str, at: UnixMs
) -> bool:
    """Note the use of a login session; never brings a deleted one back."""
    statement = (
        update(t.agent_session)
        .where(t.agent_session.c.token_hash == token_hash)
        .values(last_used_at=at)
    )
    return (await connection.execute(statement)).rowcount > 0


async def put_agent_session(connection: AsyncConnection, session: AgentSession) -> None:
    """Create or replace a login session."""
    values = {
        "token_hash": session.token_hash,
        "agent_id": session.agent_id,
        "created_at": session.created_at,
        "last_used_at": session.last_used_at,
        "address": session.address,
        "user_agent": session.user_agent,
    }
    await _put(connection, t.agent_session, values, "There is no such agent.")


async def delete_agent_sessions(
    connection: AsyncConnection, token_hash: str | None, agent_id: int | None
) -> None:
    """End one login session, or all of an agent's."""
    columns = t.agent_session.c
    if token_hash is not None:
        await connection.execute(
            delete(t.agent_session).where(columns.token_hash == token_hash)
        )
    if agent_id is not None:
        await connection.execute(
            delete(t.agent_session).where(columns.agent_id == agent_id)
        )


async def _put(
    connection: AsyncConnection, table: Any, values: dict[str, Any], taken: str
) -> None:
    try:
        await put_row(connection, table, values)
    except IntegrityError as error:
        raise Conflict(taken) from error


def _site(row: Row[Any]) -> Site:
    origins = tuple(filter(None, row.allowed_origins.split("\n")))
    return Site(
        id=row.id,
        name=row.name,
        embed_key=row.embed_key,
        allowed_origins=origins,
        locale=row.locale,
        retention_days=row.retention_days,
        secret=row.secret,
        settings=stored_settings(row.settings, row.id)
        if row.settings
        else SiteSettings(),
    )


def _agent(row: Row[Any]) -> Agent:
    return Agent(
        id=row.id,
        login=row.login,
        name=row.name,
        password_hash=row.password_hash,
        role=Role(row.role),
        is_active=bool(row.is_active),
        email=row.email,
        capacity=row.capacity,
        sites=None if row.sites is None else _numbers(row.sites),
        is_one_time=bool(row.is_one_time),
        language=row.language,
    )


def _agent_session(row: Row[Any]) -> AgentSession:
    return AgentSession(
        token_hash=row.token_hash,
        agent_id=row.agent_id,
        created_at=UnixMs(row.created_at),
        last_used_at=UnixMs(row.last_used_at),
        address=row.address,
        user_agent=row.user_agent,
    )
