"""What the routes work with: opened by the app, found in the request's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec

from kefu_core.abc.store import Store
from kefu_core.desk import Desk
from kefu_core.desk.access import READING, check_scope, rights_of
from kefu_core.desk.programs import PREFIX
from kefu_core.errors import NotAllowed, StoreUnavailable
from kefu_core.hub import Hub
from kefu_core.ids import IdGenerator
from kefu_core.limits import Limits
from kefu_core.model import Principal
from kefu_server.answers import address_of
from kefu_server.auth import Authenticator
from kefu_server.throttle import address_key
from kefu_server.turns import Turns

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection


_PROGRAM = f"Bearer {PREFIX}"


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """The open parts of one running server."""

    store: Store
    hub: Hub
    desk: Desk
    auth: Authenticator
    ids: IdGenerator
    limits: Limits
    turns: Turns


def services_of(request: HTTPConnection) -> Services:
    """Return the services; raises `StoreUnavailable` while the server starts."""
    services = getattr(request.app.state, "services", None)
    if services is None:
        raise StoreUnavailable("The server is starting or stopping.")
    return cast(Services, services)


async def agent_of(request: HTTPConnection) -> Principal:
    """Return the agent whose cookie this is. Raises `Unauthorized`."""
    auth = services_of(request).auth
    principal = await auth.agent_of_secret(request.cookies.get(auth.cookie, ""))
    return _from_here(principal, request)


def _from_here(principal: Principal, request: HTTPConnection) -> Principal:
    """Say where somebody asks from, as limits count it."""
    return msgspec.structs.replace(principal, address=address_key(address_of(request)))


async def history_reader_of(request: HTTPConnection) -> Principal:
    """Return an agent, or its program, who may read everybody's history.

    Raises:
        Unauthorized: Nobody is logged in. NotAllowed: not with this role or token.
    """
    shown = request.headers.get("authorization", "")
    if shown.startswith(_PROGRAM):
        # A token that is not good is not made good by a cookie beside it.
        secret = shown.removeprefix("Bearer ")
        principal = await services_of(request).auth.program_of_secret(secret)
        check_scope(principal, READING)
        principal = _from_here(principal, request)
    else:
        principal = await agent_of(request)
    if not rights_of(principal).reads_every_conversation:
        raise NotAllowed
    return principal
