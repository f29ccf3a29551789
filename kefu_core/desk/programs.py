"""Tokens of programs: each acts for an agent, within its scopes, until it ends."""

import hashlib
import secrets
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from kefu_core.abc.records import PAGE_MAX
from kefu_core.desk.journal import note
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.desk.offline import check_line
from kefu_core.errors import Conflict, Invalid, NotFound
from kefu_core.ids import ID_MAX, agent_participant
from kefu_core.model import Agent, Principal, Role
from kefu_core.records import ApiToken
from kefu_core.types import ParticipantId, UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

PREFIX = "kefu_"
"""Begins every token of a program, so that scanners for leaked secrets know it."""
_SECRET_BYTES = 32
TOKENS_MAX = 50
"""Of one agent: a program each, and some that wait for being rotated out."""
NAME_CHARS = 100


class ListTokens(Params, frozen=True, kw_only=True):
    """`tokens.list`: tokens of programs; admins see everybody's, agents their own."""


class CreateToken(Params, frozen=True, kw_only=True):
    """`token.create`: a new token; its secret is in this answer and nowhere else."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARS)]
    scopes: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=40)]],
        msgspec.Meta(min_length=1, max_length=40),
    ]
    agent: Id | None = None
    """Whom it acts for; oneself when it is left out. Others' only for admins."""
    expires_at: Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)] = 0
    """0 for never."""


class DeleteToken(Params, frozen=True, kw_only=True):
    """`token.delete`: this token ends now, and every connection that stands on it."""

    token: Id


class TokenRow(msgspec.Struct, frozen=True, kw_only=True):
    """A token as people see it: never its secret, nor the hash of it."""

    id: int
    name: str
    agent: ParticipantId
    scopes: tuple[str, ...]
    created_at: UnixMs
    last_used_at: UnixMs
    expires_at: UnixMs


class AllTokens(msgspec.Struct, frozen=True, kw_only=True):
    """All that one may see, the newest first."""

    rows: list[TokenRow]
    scopes: list[str]
    """What a token can be given."""


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token and its secret."""

    token: TokenRow
    secret: str


class NoToken(msgspec.Struct, frozen=True, kw_only=True):
    """It is gone."""


def hash_token(secret: str) -> str:
    """Return how a token is stored; it has 256 random bits, so no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def known_scopes() -> list[str]:
    """Return every scope that some method asks for."""
    from kefu_core.desk.calls import CALLS

    return sorted({method.scope for method in CALLS.values() if method.scope})


def make_token(
    token_id: int,
    name: str,
    scopes: list[str],
    agent: Agent,
    *,
    now_ms: int,
    expires_at: int = 0,
) -> tuple[ApiToken, str]:
    """Return a new record and its secret. Raises `Invalid` with what would do."""
    name = check_line(name, "The name")
    if not name:
        raise Invalid("The name is empty.")
    known = known_scopes()
    for scope in scopes:
        if scope not in known:
            raise Invalid(
                f"There is no scope {scope!r}; there are: {', '.join(known)}."
            )
    if not agent.is_active:
        raise Invalid(f"The agent {agent.login} is deactivated.")
    if expires_at and expires_at <= now_ms:
        raise Invalid("`expires_at` has passed; it is Unix milliseconds, 0 for never.")
    secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    record = ApiToken(
        id=token_id,
        name=name,
        token_hash=hash_token(secret),
        scopes=tuple(dict.fromkeys(scopes)),
        agent_id=agent.id,
        created_at=UnixMs(now_ms),
        expires_at=UnixMs(expires_at),
    )
    return record, secret


def _row(token: ApiToken) -> TokenRow:
    return TokenRow(
        id=token.id,
        name=token.name,
        agent=agent_participant(token.agent_id),
        scopes=token.scopes,
        created_at=token.created_at,
        last_used_at=token.last_used_at,
        expires_at=token.expires_at,
    )


def _own_id(principal: Principal) -> int:
    return int(principal.participant[1:])


async def _list(desk: "Desk", principal: Principal, params: Any) -> AllTokens:
    where = {} if principal.role is Role.ADMIN else {"agent_id": _own_id(principal)}
    found = await desk.store.list_records(ApiToken, where=where, limit=PAGE_MAX)
    return AllTokens(rows=[_row(token) for token in found], scopes=known_scopes())


async def _create(desk: "Desk", principal: Principal, params: CreateToken) -> NewToken:
    own = _own_id(principal)
    agent_id = own if params.agent is None else params.agent
    is_for_other = agent_id != own
    agent = (
        await desk.store.find_agent(agent_id=agent_id)
        if not is_for_other or principal.role is Role.ADMIN
        else None
    )
    if agent is None:
        raise NotFound("There is no such agent, or only an admin may do this.")
    where = {"agent_id": agent_id}
    held = await desk.store.list_records(ApiToken, where=where, limit=TOKENS_MAX)
    if len(held) >= TOKENS_MAX:
        raise Conflict(f"There are {TOKENS_MAX} tokens already; delete one first.")
    token, secret = make_token(
        desk.ids.new(),
        params.name,
        params.scopes,
        agent,
        now_ms=desk.now_ms(),
        expires_at=params.expires_at,
    )
    await desk.store.put_records(token)
    await note(
        desk,
        principal,
        "token.create",
        f"token {token.id}",
        {"name": token.name, "agent": agent_id, "scopes": list(token.scopes)},
    )
    return NewToken(token=_row(token), secret=secret)


async def _delete(desk: "Desk", principal: Principal, params: DeleteToken) -> NoToken:
    token = await desk.store.find_record(ApiToken, params.token)
    is_own = token is not None and token.agent_id == _own_id(principal)
    if token is None or not (is_own or principal.role is Role.ADMIN):
        raise NotFound
    await desk.store.delete_records(ApiToken, [token.id])
    await note(
        desk, principal, "token.delete", f"token {token.id}", {"name": token.name}
    )
    desk.hub.drop_session(session_of(token.id))
    return NoToken()


def session_of(token_id: int) -> str:
    """Return what connections that stand on a token are named by."""
    return f"{SESSION}{token_id}"


SESSION = "token:"
"""Begins the `Principal.session` of a program."""


METHODS: Methods = {
    "tokens.list": Method(
        params=ListTokens, run=_list, result=AllTokens, http="GET /tokens"
    ),
    "token.create": Method(
        params=CreateToken, run=_create, result=NewToken, http="POST /tokens"
    ),
    "token.delete": Method(
        params=DeleteToken, run=_delete, result=NoToken, http="DELETE /tokens/{token}"
    ),
}
