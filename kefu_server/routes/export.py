"""`GET /api/history/export`: conversations as a file, streamed as they are read."""

import logging
from collections.abc import AsyncGenerator
from datetime import UTC, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Store
from kefu_core.desk.access import readable
from kefu_core.desk.journal import note
from kefu_core.errors import Invalid, Unauthorized
from kefu_core.model import Principal
from kefu_core.node import monotonic, unix_ms
from kefu_core.types import ConversationId, UnixMs
from kefu_server.export import (
    MEDIA_TYPES,
    ExportFormat,
    Selection,
    export,
    file_name,
    subject_of,
)
from kefu_server.logs import event
from kefu_server.lookups import Filters, Id, narrowed
from kefu_server.queries import read_query
from kefu_server.services import Services, history_reader_of, services_of

logger = logging.getLogger("kefu.export")

_REVALIDATE_S = 5.0
_CLOSE_S = 5.0


class ExportParameters(Filters, frozen=True, kw_only=True):
    """Which conversations, or one, and how."""

    format: ExportFormat
    conversation: Id | None = None
    tz: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    language: Annotated[str, msgspec.Meta(pattern=r"^(zh-CN|en)\Z")] = "zh-CN"


async def export_file(request: Request) -> Response:
    """Answer a file to download; one at a time for each agent."""
    principal = await history_reader_of(request)
    asked = read_query(request, ExportParameters)
    services, zone = services_of(request), _zone(asked.tz)
    selection = await _selection(services.store, asked, principal)
    headers = {
        "content-type": MEDIA_TYPES[asked.format],
        "content-disposition": "attachment; filename="
        f'"{file_name(selection, asked.format, UnixMs(unix_ms()))}"',
    }
    if request.method == "HEAD":
        return Response(headers=headers)
    if principal.sites is not None and not isinstance(selection, ConversationFilter):
        async with services.turns.take(principal.participant):
            readable(principal, await services.store.find_conversation(selection))
    services.turns.begin_export(principal.participant)
    chunks = export(
        services.store,
        selection,
        asked.format,
        zone,
        now_ms=unix_ms,
        language=asked.language,
    )
    started = _Export(services, principal, chunks, headers)
    try:
        # What does not exist is told before the answer has begun.
        await started.read_first()
        told = {"format": asked.format.value}
        await note(services.desk, principal, "export", subject_of(selection), told)
    except BaseException:
        await started.aclose()
        raise
    logger.info(event("export", agent=principal.participant, format=asked.format))
    return started


async def _selection(
    store: Store, asked: ExportParameters, principal: Principal
) -> Selection:
    wanted = await narrowed(store, asked, principal)
    if asked.conversation is None:
        return wanted
    if wanted != ConversationFilter(sites=principal.sites):
        raise Invalid("Give the parameter 'conversation' or filters, not both.")
    return ConversationId(asked.conversation)


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        text = "The parameter 'tz' is wrong: write for example Asia/Shanghai."
        raise Invalid(text) from error


class _Export(StreamingResponse):
    """Streams the chunks while there is a reader who is still logged in."""

    def __init__(
        self,
        services: Services,
        principal: Principal,
        chunks: AsyncGenerator[bytes],
        headers: dict[str, str],
    ) -> None:
        super().__init__(self._body(), headers=headers)
        self._services = services
        self._principal = principal
        self._chunks = chunks
        self._first: bytes | None = None

    async def read_first(self) -> None:
        """Read what comes first. Raises `NotFound`."""
        self._first = await self._next()

    async def aclose(self) -> None:
        """Let go of everything, also when nobody has waited for the end."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(_CLOSE_S):
            await self._chunks.aclose()
        self._services.turns.end_export(self._principal.participant)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file; a reader that has gone ends it."""
        stall_s = self._services.limits.export_stall_s

        async def send_in_time(message: Message) -> None:
            with anyio.fail_after(stall_s):
                await send(message)

        try:
            await super().__call__(scope, receive, send_in_time)
        except TimeoutError:
            # The answer ends unfinished, which cuts the connection off.
            agent = self._principal.participant
            logger.info(event("export_unread", agent=agent))
        finally:
            await self.aclose()

    async def _next(self) -> bytes | None:
        """Return the next chunk, None at the end; the chat is not made to wait."""
        turns, agent = self._services.turns, self._principal.participant
        async with turns.take(agent, is_patient=True):
            return await anext(self._chunks, None)

    async def _body(self) -> AsyncGenerator[bytes]:
        checked_at = monotonic()
        chunk = self._first
        while chunk is not None:
            yield chunk
            if monotonic() - checked_at > _REVALIDATE_S:
                checked_at = monotonic()
                # The answer has begun: an error now cuts it off, and the browser says
                # that the download has failed.
                if not await self._services.auth.revalidate(self._principal):
                    raise Unauthorized
            chunk = await self._next()
