"""A fourth transport in one file: Server-Sent Events down, POST up.

Frames go down as events of one long answer, whose ids are the numbers of immutable
batches: a client that lost the answer asks again with `Last-Event-ID`. Frames go up by
requests with numbers of their own. Both are the channel of kefu's long poll.

    node = Node(store, handler, limits, transports=("websocket", SseTransport()))
    client = Client("https://chat.example.com", transport=SseTransport())
"""

import base64
import secrets
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import anyio
import httpx
import msgspec
from anyio.abc import TaskGroup

from kefu_core.abc.streams import FrameStream, PeerInfo
from kefu_core.abc.transports import (
    AsgiEndpoint,
    AsgiReceive,
    AsgiSend,
    DialOptions,
    Scope,
    ServerContext,
    Transport,
)
from kefu_core.errors import ConnectionClosed
from kefu_core.protocol.codec import (
    CODECS,
    Codec,
    Received,
    client_frame_decoder,
    server_frame_decoder,
)
from kefu_core.protocol.longpoll import PollRequest, Turn, WrongNumber, encode_body
from kefu_core.transports.addresses import AddressLimiter
from kefu_core.transports.asgi import headers_of, peer_of, socket_address
from kefu_core.transports.longpoll.http import (
    CONTENT_TYPES,
    Refused,
    answer,
    codec_of,
    read_body,
)
from kefu_core.transports.longpoll.stream import PollStream
from kefu_core.transports.reading import READ_BATCH_BYTES_MAX, for_reading

KEEP_ENDED_S = 5.0
TRIES = 4
ACK_EVERY = 8


class SseApp(AsgiEndpoint):
    """`POST` opens a session and carries frames up, `GET` is the events."""

    scope_type = "http"

    def __init__(self, context: ServerContext) -> None:
        """Serve the streams of a node."""
        self._context = context
        self._addresses = AddressLimiter(context.limits)
        self._sessions: dict[str, PollStream] = {}
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        """Make ready to serve."""
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> bool | None:
        """End every session that is left."""
        assert self._tasks is not None, "left before entered"
        self._tasks.cancel_scope.cancel()
        return await self._tasks.__aexit__(exc_type, exc, tb)

    async def __call__(
        self, scope: Scope, receive: AsgiReceive, send: AsgiSend
    ) -> None:
        """Serve one request."""
        headers, codec = headers_of(scope), CODECS["json"]
        stream = self._sessions.get(headers.get(b"kefu-session", ""))
        try:
            if scope["method"] == "GET":
                await self._events(stream, headers, send)
                return
            codec = codec_of(scope["method"], headers)
            limits = self._context.limits
            body = await read_body(
                receive, headers, limits.frame_bytes_max + 1_024, limits.poll_body_s
            )
            if body is None:
                return
            stream = self._up(scope, stream, codec, body)
            session = [(b"kefu-session", stream.id.encode())]
            await answer(send, codec, 200, b"", session)
        except Refused as refused:
            self._context.server.counts.refused["sse", str(refused.status)] += 1
            text = encode_body(codec, refused.body)
            await answer(send, codec, refused.status, text, refused.headers)

    def _up(
        self, scope: Scope, stream: PollStream | None, codec: Codec, body: bytes
    ) -> PollStream:
        decoder: Any = msgspec.json if codec.is_text else msgspec.msgpack
        try:
            request: PollRequest = decoder.decode(body, type=PollRequest)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise Refused(400, "bad_request", str(error)[:200]) from None
        limits = self._context.limits
        if len(request.frames) > limits.batch_frames_max:
            raise Refused(413, "too_large", "Too many frames in one request.")
        frames = client_frame_decoder(codec, limits).decode_items(request.frames)
        if stream is None and request.hello is not msgspec.UNSET:
            return self._open(scope, codec, request.hello)
        if stream is None or stream.codec is not codec or request.rid is None:
            raise Refused(410, "no_session", "There is no such session.")
        try:
            turn = stream.channel.begin(request.rid, request.ack)
        except WrongNumber as wrong:
            raise _out_of_order(wrong) from None
        stream.made_room()
        if turn is Turn.NEW:
            # Nothing is awaited between the two, so a repeat never meets it running.
            stream.take(frames)
            stream.channel.settle(request.rid)
        return stream

    def _open(self, scope: Scope, codec: Codec, hello: msgspec.Raw) -> PollStream:
        context, now = self._context, self._context.now()
        server, limits = context.server, context.limits
        if (
            self._tasks is None
            or server.is_draining
            or server.hello_pending >= limits.hello_pending_max
            or server.connection_count >= limits.node_connections_max
        ):
            raise Refused(503, "busy", "Too many connections; try again later.", 2)
        address = (context.address_of or socket_address)(scope)
        if not self._addresses.enter(address, now):
            raise Refused(429, "busy", "Too many connections of your address.", 2)
        peer = peer_of(scope, "sse", address)
        stream = PollStream(secrets.token_urlsafe(24), codec, peer, limits, now)
        stream.patience_s = limits.heartbeat_s * limits.silent_intervals
        stream.take(client_frame_decoder(codec, limits).decode_items([hello]))
        self._sessions[stream.id] = stream
        self._tasks.start_soon(self._run, stream)
        return stream

    async def _run(self, stream: PollStream) -> None:
        try:
            await self._context.server.serve(stream)
        finally:
            stream.end()
            self._addresses.leave(stream.peer.address)
        await anyio.sleep(KEEP_ENDED_S)  # For a client that lost the last events.
        del self._sessions[stream.id]

    async def _events(
        self, stream: PollStream | None, headers: dict[bytes, str], send: AsgiSend
    ) -> None:
        last = headers.get(b"last-event-id", "0")
        if stream is None or not last.isdigit():
            raise Refused(410, "no_session", "There is no such session.")
        try:
            stream.channel.acknowledge(int(last))
        except WrongNumber as wrong:
            raise _out_of_order(wrong) from None
        stream.made_room()
        kind = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        start = {"type": "http.response.start", "status": 200, "headers": kind}
        await send(start)
        held, sent = stream.hold(), int(last)
        while not held.is_superseded:
            batches = [b for b in stream.channel.batches() if b.n > sent]
            for batch in batches:
                data = stream.codec.join([bytes(frame) for frame in batch.frames])
                event = f"id: {batch.n}\ndata: {base64.b64encode(data).decode()}\n\n"
                body = event.encode()
                await send(
                    {"type": "http.response.body", "body": body, "more_body": True}
                )
                sent = batch.n
            if batches:
                continue
            if stream.is_closed:
                break
            held.news = anyio.Event()
            await held.news.wait()
        await send({"type": "http.response.body", "body": b""})


def _out_of_order(wrong: WrongNumber) -> Refused:
    return Refused(409, "out_of_order", wrong.text, expect=wrong.expect)


class SseStream(FrameStream):
    """The end that dials."""

    def __init__(self, http: httpx.AsyncClient, url: str, options: DialOptions) -> None:
        self.codec: Codec = CODECS[options.codec]
        self.peer = PeerInfo(transport="sse")
        self._http, self._url = http, url
        self._decode = server_frame_decoder(
            self.codec, for_reading(options.limits)
        ).decode
        kinds = {codec.name: kind for kind, codec in CONTENT_TYPES.items()}
        self._headers = {"content-type": kinds[self.codec.name]}
        if options.origin:
            self._headers["origin"] = options.origin
        self._rid = self._ack = self._acked = 0
        self._received: deque[Received] = deque()
        self._news = anyio.Event()
        self._closed: ConnectionClosed | None = None
        self._lock = anyio.Lock()
        self._tasks: TaskGroup | None = None

    async def open(self) -> "SseStream":
        """Make ready; the session begins with the first frame that is sent."""
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def receive(self) -> Received:
        while not self._received:
            if self._closed is not None:
                raise self._closed
            self._news = anyio.Event()
            await self._news.wait()
        return self._received.popleft()

    async def send(self, encoded: Sequence[bytes]) -> None:
        if self._closed is not None:
            raise self._closed
        frames = [msgspec.Raw(frame) for frame in encoded]
        if "kefu-session" not in self._headers:
            await self._ask(PollRequest(hello=frames.pop(0)), tries=1)
            assert self._tasks is not None, "sent before open()"
            self._tasks.start_soon(self._listen)
        if frames:
            await self._post(frames)

    async def _post(self, frames: list[msgspec.Raw]) -> None:
        async with self._lock:
            self._rid += 1
            self._acked = self._ack
            await self._ask(PollRequest(rid=self._rid, ack=self._ack, frames=frames))

    async def _ask(self, request: PollRequest, tries: int = TRIES) -> None:
        body, why = encode_body(self.codec, request), ""
        for attempt in range(tries):
            await anyio.sleep(attempt * 0.2)
            try:
                found = await self._http.post(
                    self._url, content=body, headers=self._headers
                )
            except httpx.HTTPError as error:
                why = str(error) or type(error).__name__
                continue
            if found.status_code == 200:
                self._headers["kefu-session"] = found.headers["kefu-session"]
                return
            why = f"HTTP {found.status_code}"
            if found.status_code not in (429, 502, 503, 504):
                break
        self._end(ConnectionClosed(1006, why))
        raise ConnectionClosed(1006, why)

    async def _listen(self) -> None:
        """Read events, again from the last one when the answer broke off."""
        failures = 0
        while self._closed is None and failures < TRIES:
            before = self._ack
            try:
                headers = self._headers | {"last-event-id": str(self._ack)}
                async with self._http.stream(
                    "GET", self._url, headers=headers
                ) as found:
                    if found.status_code != 200:
                        break
                    await self._read(found)
            except httpx.HTTPError:
                await anyio.sleep(0.1)
            except ConnectionClosed:
                break
            failures = 0 if self._ack > before else failures + 1
        self._end(ConnectionClosed(1006, "the events ended"))

    async def _read(self, found: httpx.Response) -> None:
        pending = b""
        async for part in found.aiter_raw():
            pending += part
            *events, pending = pending.split(b"\n\n")
            if len(pending) > 2 * READ_BATCH_BYTES_MAX:
                raise ConnectionClosed(1006, "an event without an end")
            for event in events:
                number, _, data = event.partition(b"\ndata: ")
                if int(number.removeprefix(b"id: ")) == self._ack + 1:
                    self._ack += 1
                    self._received.append(self._decode(base64.b64decode(data)))
                    self._news.set()
            if self._ack - self._acked >= ACK_EVERY and not self._lock.locked():
                await self._post([])

    def _end(self, closed: ConnectionClosed) -> None:
        self._closed = self._closed or closed
        self._news.set()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        self._end(ConnectionClosed(code, reason))
        tasks, self._tasks = self._tasks, None
        if tasks is not None:
            tasks.cancel_scope.cancel()
        with anyio.move_on_after(1.0, shield=True):
            await self._http.aclose()
        if tasks is not None:
            await tasks.__aexit__(None, None, None)


class SseTransport(Transport):
    """`http://host/path` and `https://host/path`."""

    name = "sse"
    schemes = ("http", "https")
    path = "/kefu/sse"

    def endpoint(self, context: ServerContext) -> SseApp:
        return SseApp(context)

    async def connect(self, url: str, options: DialOptions) -> FrameStream:
        transport = httpx.AsyncHTTPTransport(
            verify=options.ssl_context or url.startswith("https:"),
            local_address=options.local_host,
            trust_env=False,
            limits=httpx.Limits(max_connections=2, keepalive_expiry=4.0),
        )
        timeout = httpx.Timeout(
            15.0, read=options.limits.heartbeat_s * options.limits.silent_intervals
        )
        http = httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False)
        return await SseStream(http, url, options).open()


TRANSPORT = SseTransport()
