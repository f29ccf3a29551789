"""`POST /api/visitor/erase`: an admin erases what a visitor said and was told."""

import logging

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kefu_core.desk.access import rights_of
from kefu_core.desk.journal import note
from kefu_core.errors import NotAllowed
from kefu_core.records import VisitorProfile
from kefu_core.types import ParticipantId
from kefu_core.upkeep.erasing import erase_visitor
from kefu_server.answers import answer, read_json
from kefu_server.logs import event
from kefu_server.lookups import VisitorId
from kefu_server.services import agent_of, services_of

logger = logging.getLogger("kefu.erasure")


class EraseRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Body of `POST /api/visitor/erase`."""

    visitor: VisitorId


async def erase(request: Request) -> Response:
    """Erase a visitor, and answer how much that was; asking again is harmless.

    It goes on when whoever asked does not wait for the answer.
    """
    principal = await agent_of(request)
    if not rights_of(principal).erases_visitors:
        raise NotAllowed
    asked = await read_json(request, EraseRequest)
    services = services_of(request)
    visitor = ParticipantId(asked.visitor)
    try:
        report = await erase_visitor(services.store, visitor)
    finally:
        # Also what is kept in memory, and also when the store failed on the way.
        services.hub.forget()
    told = {"messages": report.messages}
    await note(services.desk, principal, "visitor.erase", visitor, told)
    profile = await services.store.find_record(VisitorProfile, int(visitor[1:]))
    if profile is not None:
        # Consoles that show what was known look again.
        services.desk.profiles.changed(profile)
    logger.info(
        event(
            "visitor_erased",
            visitor=visitor,
            by=principal.participant,
            messages=report.messages,
        )
    )
    return answer(report)
