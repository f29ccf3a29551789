"""An id for every request: in each line of the log, and told to who has asked."""

import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kefu_core import serving
from kefu_server.middleware import IS_TRUSTED

HEADER = "x-request-id"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """Takes a trusted proxy's id where it is well formed, and makes one otherwise.

    Nobody else can choose what stands in the log, or make two requests look like one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name the request for as long as it is served; the answer says the name."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        name = _given(scope) or secrets.token_hex(8)

        async def send_with_name(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        # Every message of a WebSocket would go through it.
        is_http = scope["type"] == "http"
        token = serving.request.set(name)
        try:
            await self._app(scope, receive, send_with_name if is_http else send)
        finally:
            serving.request.reset(token)


def _given(scope: Scope) -> str:
    """Return the id that a trusted proxy has given, empty for none that will do."""
    if not scope.get(IS_TRUSTED):
        return ""
    given = Headers(scope=scope).getlist(HEADER)
    is_good = len(given) == 1 and _WELL_FORMED.fullmatch(given[0])
    return given[0] if is_good else ""
