"""Sending a file, and reading it: bytes are streamed and never whole in memory."""

import logging
import re
from collections.abc import AsyncGenerator
from typing import Annotated

import anyio
import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from kefu_core.abc.files import FileMissing
from kefu_core.desk.files import FileRoom, Received, Upload
from kefu_core.desk.messages import SentMessage
from kefu_core.errors import Invalid, KefuError, NotFound, Unauthorized
from kefu_core.filetypes import attachment
from kefu_core.model import Principal
from kefu_core.records import Attachment
from kefu_core.storage.local import Incoming, Spool
from kefu_server.answers import answer
from kefu_server.logs import event
from kefu_server.queries import NoParameters, read_query
from kefu_server.routes.api import Gate, caller_of
from kefu_server.services import services_of

logger = logging.getLogger("kefu.files")

THUMBNAIL_TYPE = "image/webp"
_POLICY = "default-src 'none'; sandbox"
_DRAIN_S = 5.0
"""A browser shows an answer only when its whole body was taken; for so long it is."""
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})\Z")


class UploadParameters(msgspec.Struct, frozen=True, kw_only=True):
    """`PUT /api/conversations/{conversation}/files/{key}`."""

    name: Annotated[str, msgspec.Meta(max_length=1_024)]


class FileRoutes:
    """The three routes, for one application."""

    def __init__(self, gate: Gate) -> None:
        """Take what bounds how often somebody asks."""
        self._gate = gate

    async def upload(self, request: Request) -> Response:
        """Take a file in and answer where its message stands."""
        principal = await caller_of(request, self._gate)
        with self._gate.one(principal):
            try:
                sent = await self._take(request, principal)
            except ClientDisconnect:
                # Nobody is there to be answered.
                return Response(status_code=400)
            except KefuError:
                await _drain(request)
                raise
        return answer(sent)

    async def _take(self, request: Request, principal: Principal) -> SentMessage:
        asked = read_query(request, UploadParameters)
        room, services = _room(request), services_of(request)
        upload = await room.check(
            principal,
            request.path_params["conversation"],
            key=request.path_params["key"],
            name=asked.name,
            size=_length(request),
        )
        spool: Spool = request.app.state.spool
        async with room.place(), spool.incoming(upload.bytes_max) as incoming:
            limits = services.limits
            await _receive(request, incoming, limits.upload_stall_s, limits.upload_s)
            # Who lost the right to be here while the file was on its way sends none.
            if not await services.desk.revalidate(principal):
                raise Unauthorized
            services.desk.bans.check(principal)
            sent = await _keep(room, upload, incoming, spool)
        logger.info(
            event(
                "file_sent",
                by=principal.participant,
                conversation=sent.conversation,
                bytes=incoming.size,
            )
        )
        return sent

    async def download(self, request: Request) -> Response:
        """Answer a file to keep, never to show."""
        found = await self._find(request)
        headers = {
            "content-type": found.media_type,
            "content-disposition": attachment(found.name),
        }
        return await self._answer(
            request, found, found.storage_key, found.size, headers
        )

    async def thumbnail(self, request: Request) -> Response:
        """Answer the small picture that this server has made itself."""
        found = await self._find(request)
        if not found.thumbnail_key:
            raise NotFound("This file has no small picture.")
        headers = {"content-type": THUMBNAIL_TYPE, "content-disposition": "inline"}
        return await self._answer(request, found, found.thumbnail_key, None, headers)

    async def _find(self, request: Request) -> Attachment:
        principal = await caller_of(request, self._gate)
        read_query(request, NoParameters)
        with self._gate.one(principal):
            return await _room(request).find(principal, request.path_params["file"])

    async def _answer(
        self,
        request: Request,
        found: Attachment,
        key: str,
        size: int | None,
        headers: dict[str, str],
    ) -> Response:
        tag = f'"{key.replace("/", "").removesuffix(".webp")[:24]}-{size or 0}"'
        headers |= {
            "etag": tag,
            # Kept by the browser of who may read it, and asked about each time.
            "cache-control": "private, no-cache",
            "content-security-policy": _POLICY,
            "vary": "authorization, cookie",
        }
        known = [t.strip() for t in request.headers.get("if-none-match", "").split(",")]
        if tag in known or f"W/{tag}" in known:
            return Response(status_code=304, headers=headers)
        storage = _room(request).storage
        stall_s = services_of(request).limits.export_stall_s
        if size is None:
            # Small, and its size is not written down.
            return await _Download.begin(storage.read(key), 200, headers, stall_s)
        start, stop, status = _part(request, tag, size)
        headers |= {"accept-ranges": "bytes", "content-length": str(stop - start)}
        if status == 416:
            headers |= {"content-range": f"bytes */{size}", "content-length": "0"}
            return Response(status_code=416, headers=headers)
        if status == 206:
            headers["content-range"] = f"bytes {start}-{stop - 1}/{size}"
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        return await _Download.begin(
            storage.read(key, start, stop), status, headers, stall_s
        )


class _Download(StreamingResponse):
    """Streams while somebody reads; who takes nothing for long is cut off."""

    def __init__(
        self,
        first: bytes,
        chunks: AsyncGenerator[bytes],
        status: int,
        headers: dict[str, str],
        stall_s: float,
    ) -> None:
        super().__init__(self._body(first), status, headers)
        self._chunks = chunks
        self._stall_s = stall_s

    @classmethod
    async def begin(
        cls,
        chunks: AsyncGenerator[bytes],
        status: int,
        headers: dict[str, str],
        stall_s: float,
    ) -> "_Download":
        """Read what comes first, so that a missing file is a 404. Raises `NotFound`."""
        try:
            first = await anext(chunks)
        except FileMissing as error:
            logger.error(event("file_missing", reason=str(error)))
            raise NotFound("This file is gone.") from error
        return cls(first, chunks, status, headers, stall_s)

    async def _body(self, first: bytes) -> AsyncGenerator[bytes]:
        yield first
        async for chunk in self._chunks:
            yield chunk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            with anyio.fail_after(self._stall_s):
                await send(message)

        try:
            await super().__call__(scope, receive, send_in_time)
        except TimeoutError:
            logger.info(event("download_unread"))
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(_DRAIN_S):
                await self._chunks.aclose()


async def _receive(
    request: Request, incoming: Incoming, stall_s: float, whole_s: float
) -> None:
    """Write the body into a file. Raises `Invalid` when it comes too slowly."""
    chunks = request.stream()
    try:
        with anyio.fail_after(whole_s):
            while True:
                with anyio.fail_after(stall_s):
                    try:
                        chunk = await anext(chunks)
                    except StopAsyncIteration:
                        break
                await incoming.write(chunk)
    except TimeoutError:
        raise Invalid("The file came too slowly; send it again.") from None
    await incoming.flush()
    announced = _length(request)
    if announced is not None and announced != incoming.size:
        raise Invalid("A part of the file is missing; send it again.")


async def _keep(
    room: FileRoom, upload: Upload, incoming: Incoming, spool: Spool
) -> SentMessage:
    thumbnail_path = spool.new_path()
    received = Received(
        path=incoming.path,
        size=incoming.size,
        sha256=incoming.sha256,
        head=incoming.head,
        thumbnail_path=thumbnail_path,
    )
    try:
        return await room.take(upload, received)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.Path(thumbnail_path).unlink(missing_ok=True)


async def _drain(request: Request) -> None:
    """Take what still comes of a body that is refused, so that it is heard of."""
    left = 2 * (_length(request) or 1_048_576)
    with anyio.move_on_after(_DRAIN_S):
        try:
            async for chunk in request.stream():
                left -= len(chunk)
                if left < 0:
                    return
        except (ClientDisconnect, RuntimeError):
            # It has gone, or was read to the end.
            return


def _room(request: Request) -> FileRoom:
    room = services_of(request).desk.files
    if room is None:
        raise NotFound("No files are kept here.")
    return room


def _length(request: Request) -> int | None:
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _part(request: Request, tag: str, size: int) -> tuple[int, int, int]:
    """Return what is asked for, as start, stop and the answer's status.

    One range is served; of several, or of what is not understood, the whole.

    Source: RFC 9110, 14.2.
    """
    wanted = request.headers.get("range")
    condition = request.headers.get("if-range")
    match = _RANGE.match(wanted.strip()) if wanted else None
    if match is None or (condition is not None and condition != tag):
        return 0, size, 200
    first, last = match.groups()
    if not first and not last:
        return 0, size, 200
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < int(first):
            return 0, size, 200
    return (start, stop, 206) if start < stop else (0, 0, 416)
