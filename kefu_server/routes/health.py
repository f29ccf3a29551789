"""`/healthz`: it answers. `/readyz`: it can do its work. `/metrics`: how it does it."""

import logging
from secrets import compare_digest

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kefu_core.errors import ErrorCode, StoreError, Unauthorized
from kefu_server.answers import answer, refuse
from kefu_server.metrics import CONTENT_TYPE, page
from kefu_server.middleware import PEER
from kefu_server.services import services_of
from kefu_server.tokens import OperatorTokens

logger = logging.getLogger("kefu.health")

PING_TIMEOUT_S = 3.0
QUESTION = "kefu-question"
"""The header in which `kefu doctor` shows whose command it is."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """How a request has arrived."""

    peer: str
    """Who has connected: a proxy, or the one who asks."""
    address: str
    """Whom the server takes for the one who asks."""
    is_forwarded: bool
    """Whether there was an `X-Forwarded-For`."""


async def healthz(request: Request) -> Response:
    """Answer that the process is alive; touches nothing.

    A command of the operator is told how its request has arrived: what a proxy made of
    it, nobody else can see.
    """
    token = request.headers.get(QUESTION)
    operator: OperatorTokens | None = getattr(request.app.state, "operator", None)
    if not token or operator is None:
        return answer({"status": "ok"})
    try:
        await anyio.sleep(operator.wait_of(token))
    except Unauthorized:
        return answer({"status": "ok", "seen": None})
    return answer({"status": "ok", "seen": _seen(request)})


def _seen(request: Request) -> Seen:
    address = request.client.host if request.client else ""
    return Seen(
        peer=str(request.scope.get(PEER, address)),
        address=address,
        is_forwarded="x-forwarded-for" in request.headers,
    )


async def readyz(request: Request) -> Response:
    """Answer 200 when the database answers, else 503."""
    try:
        with anyio.fail_after(PING_TIMEOUT_S):
            await services_of(request).store.ping()
    except (StoreError, TimeoutError):
        # The reason may name hosts and files; it is in the log, not in the answer.
        logger.warning("not_ready", exc_info=True)
        text = "The database does not answer."
        return refuse(503, ErrorCode.UNAVAILABLE, text, retry_after_s=5)
    return answer({"status": "ok"})


async def metrics(request: Request) -> Response:
    """Answer with all figures for Prometheus, to who shows the token."""
    token = request.app.settings.metrics.token
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    # Without a token there is nothing here; who guesses learns no more than that.
    is_good = compare_digest(shown.encode(), token.reveal().encode())
    if not token or scheme.lower() != "bearer" or not is_good:
        return refuse(404, ErrorCode.NOT_FOUND, "There is nothing here.")
    services, state = services_of(request), request.app.state
    content = await page(state.node, services, state.lag)
    return Response(content, media_type=CONTENT_TYPE)
