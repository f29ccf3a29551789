"""`/healthz`: the process answers. `/readyz`: it can do its work."""

import logging

import anyio
from starlette.requests import Request
from starlette.responses import Response

from kefu_core.errors import ErrorCode, StoreError
from kefu_server.answers import answer, refuse
from kefu_server.services import services_of

logger = logging.getLogger("kefu.health")

PING_TIMEOUT_S = 3.0


async def healthz(request: Request) -> Response:
    """Answer that the process is alive; touches nothing."""
    return answer({"status": "ok"})


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
