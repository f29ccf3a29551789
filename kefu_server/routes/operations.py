"""`/api/operations`: what an admin sees of this process and of the installation."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kefu_core.errors import NotAllowed
from kefu_core.model import Role
from kefu_server.answers import answer
from kefu_server.operations import Operations
from kefu_server.queries import read_query
from kefu_server.services import agent_of, services_of
from kefu_server.words import load_words


class OperationsParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Query of `GET /api/operations`."""

    language: Literal["en", "zh-CN"] = "en"
    """Of the sentences in it."""


async def operations(request: Request) -> Response:
    """Answer with all figures, to admins."""
    principal = await agent_of(request)
    if principal.role is not Role.ADMIN:
        raise NotAllowed
    asked = read_query(request, OperationsParameters)
    services, state = services_of(request), request.app.state
    kept: Operations = state.operations
    words = load_words(asked.language)
    return answer(await kept.figures(state.node, services, state.lag, words))
