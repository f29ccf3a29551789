"""What the console asks over HTTP: its page, login, logout, who am I."""

from contextlib import suppress
from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kefu_core.errors import CloseCode, StoreError, Unauthorized
from kefu_core.ids import agent_participant
from kefu_core.model import Principal
from kefu_server.answers import address_of, answer, read_json
from kefu_server.auth import Authenticator
from kefu_server.logins import StepNeeded
from kefu_server.pages import Pages
from kefu_server.services import agent_of, services_of
from kefu_server.tokens import DeviceTokens

LOGIN_PATH = "/api/agent/login"


class LoginRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `POST /api/agent/login`: all that is known so far, each time."""

    login: str
    password: str
    code: Annotated[str, msgspec.Meta(max_length=40)] = ""
    """Of the app, or a recovery code."""
    new_password: str = ""
    """Where the password is good for choosing another only."""


async def login(request: Request) -> Response:
    """Check a password; a success always gets a new secret, never one brought along."""
    asked = await read_json(request, LoginRequest)
    auth = services_of(request).auth
    try:
        opened = await auth.login(
            asked.login,
            asked.password,
            address_of(request),
            request.cookies.get(auth.device_cookie, ""),
            code=asked.code,
            new_password=asked.new_password,
            user_agent=request.headers.get("user-agent", ""),
        )
    except StepNeeded as needed:
        return answer({"needs": needed.step, "offer": needed.offer})
    agent = opened.agent
    me = {
        "id": agent_participant(agent.id),
        "name": agent.name,
        "role": agent.role,
        "language": agent.language,
    }
    codes = {"codes": opened.codes} if opened.codes else {}
    response = answer({"me": me} | codes)
    set_session(response, auth, opened.secret)
    response.set_cookie(
        auth.device_cookie,
        opened.device,
        max_age=DeviceTokens.TTL_S,
        path=LOGIN_PATH,
        secure=auth.is_secure,
        httponly=True,
        samesite="strict",
    )
    return response


async def logout(request: Request) -> Response:
    """End this login and every live connection that stands on it."""
    services = services_of(request)
    secret = request.cookies.get(services.auth.cookie, "")
    principal: Principal | None = None
    if secret:
        with suppress(Unauthorized):
            principal = await services.auth.agent_of_secret(secret)
        session = await services.auth.logout(secret)
        services.hub.drop_session(session, CloseCode.UNAUTHORIZED)
        if principal is not None:
            # It is done already; that colleagues see it late harms nobody.
            with suppress(StoreError, Unauthorized):
                agent = await services.auth.agent_of(principal)
                await services.auth.note_own(agent, "logout", address_of(request))
                await services.desk.presence.leave(int(principal.participant[1:]))
    response = answer({})
    set_session(response, services.auth, "")
    return response


async def me(request: Request) -> Response:
    """Answer who is logged in."""
    principal = await agent_of(request)
    number = int(principal.participant[1:])
    agent = await services_of(request).store.find_agent(agent_id=number)
    return answer(
        {
            "me": {
                "id": principal.participant,
                "name": principal.name,
                "role": principal.role,
                "language": agent.language if agent is not None else "",
            }
        }
    )


async def console_page(request: Request) -> Response:
    """Answer `/console`; the page itself holds nothing secret."""
    pages: Pages = request.app.state.pages
    return pages.console()


def set_session(response: Response, auth: Authenticator, secret: str) -> None:
    """Set the login's cookie, or remove it; `__Host-` needs exactly these flags."""
    response.set_cookie(
        auth.cookie,
        secret,
        max_age=None if secret else 0,
        path="/",
        secure=auth.is_secure,
        httponly=True,
        samesite="strict",
    )
