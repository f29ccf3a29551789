"""What the routes work with: opened by the app, found in the request's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec

from kefu_core.abc.store import Store
from kefu_core.errors import StoreUnavailable
from kefu_core.hub import Hub
from kefu_core.ids import IdGenerator
from kefu_server.auth import Authenticator

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """The open parts of one running server."""

    store: Store
    hub: Hub
    auth: Authenticator
    ids: IdGenerator


def services_of(request: HTTPConnection) -> Services:
    """Return the services; raises `StoreUnavailable` while the server starts."""
    services = getattr(request.app.state, "services", None)
    if services is None:
        raise StoreUnavailable("The server is starting or stopping.")
    return cast(Services, services)
