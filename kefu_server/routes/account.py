"""What agents do with their own accounts: password, second factor, open logins.

Each asks for the cookie; no program's token is of use here. What changes how one logs
in gives the browser a new login and ends all others, this one's old one among them.
"""

from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kefu_core.errors import CloseCode
from kefu_core.model import AgentSession, Principal
from kefu_server.answers import address_of, answer, read_json
from kefu_server.routes.agents import set_session
from kefu_server.services import agent_of, services_of
from kefu_server.sessions import Proof, handle_of

_Code = Annotated[str, msgspec.Meta(max_length=40)]


class PasswordRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `POST /api/agent/password`."""

    password: str
    """The one so far."""
    new_password: str


class OfferRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `POST /api/agent/factor`."""

    password: str


class ConfirmRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `POST /api/agent/factor/on`."""

    code: _Code


class OffRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `POST /api/agent/factor/off`."""

    password: str
    code: _Code


class EndRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `POST /api/agent/sessions/end`."""

    session: Annotated[str, msgspec.Meta(max_length=40)]
    """Which one; empty: all but this one."""


async def account(request: Request) -> Response:
    """Answer what one's own account has: the factor, and the logins that are open."""
    auth = services_of(request).auth
    principal = await agent_of(request)
    agent = await auth.agent_of(principal)
    factor = await auth.factors.find(agent.id)
    sessions = await auth.live_sessions(agent.id)
    return answer(
        {
            "login": agent.login,
            "factor": {
                "is_on": factor is not None,
                "is_required": auth.is_required(agent),
                "codes_left": len(factor.codes) if factor else 0,
            },
            "sessions": [_row(each, principal) for each in reversed(sessions)],
        }
    )


def _row(session: AgentSession, principal: Principal) -> dict[str, object]:
    """Return a login as its owner sees it; fields are named one by one on purpose."""
    return {
        "id": handle_of(session),
        "address": session.address,
        "user_agent": session.user_agent,
        "created_at": session.created_at,
        "last_used_at": session.last_used_at,
        "is_current": session.token_hash == principal.session,
    }


async def change_password(request: Request) -> Response:
    """Take the old password and a new one; every other login ends."""
    principal = await agent_of(request)
    asked = await read_json(request, PasswordRequest)
    proof = _proof(request, asked.password, new_password=asked.new_password)
    secret = await services_of(request).auth.change_password(principal, proof)
    return _renewed(request, secret, {})


async def offer_factor(request: Request) -> Response:
    """Take the password; answer a new key for an app, which is not in force yet."""
    principal = await agent_of(request)
    asked = await read_json(request, OfferRequest)
    proof = _proof(request, asked.password)
    offer = await services_of(request).auth.offer_factor(principal, proof)
    return answer({"offer": offer})


async def switch_on_factor(request: Request) -> Response:
    """Take the first code; answer the recovery codes, once."""
    principal = await agent_of(request)
    asked = await read_json(request, ConfirmRequest)
    proof = _proof(request, "", code=asked.code)
    codes, secret = await services_of(request).auth.switch_on_factor(principal, proof)
    return _renewed(request, secret, {"codes": codes})


async def switch_off_factor(request: Request) -> Response:
    """Take password and code; from now on the password is enough."""
    principal = await agent_of(request)
    asked = await read_json(request, OffRequest)
    proof = _proof(request, asked.password, code=asked.code)
    await services_of(request).auth.switch_off_factor(principal, proof)
    return answer({})


async def end_sessions(request: Request) -> Response:
    """End one of one's own logins, or all others, with their connections."""
    services = services_of(request)
    principal = await agent_of(request)
    asked = await read_json(request, EndRequest)
    ended = await services.auth.end_sessions(
        principal, asked.session, address_of(request)
    )
    for session in ended:
        services.hub.drop_session(session, CloseCode.UNAUTHORIZED)
    return answer({"count": len(ended)})


def _proof(
    request: Request, password: str, *, code: str = "", new_password: str = ""
) -> Proof:
    auth = services_of(request).auth
    return Proof(
        password=password,
        address=address_of(request),
        device=request.cookies.get(auth.device_cookie, ""),
        code=code,
        new_password=new_password,
        user_agent=request.headers.get("user-agent", ""),
    )


def _renewed(request: Request, secret: str, told: dict[str, object]) -> Response:
    response = answer(told)
    set_session(response, services_of(request).auth, secret)
    return response
