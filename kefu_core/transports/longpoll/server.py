"""Long poll as a plain ASGI application: mount it in any ASGI framework.

One URL, `POST` only. The session's id travels in the header `Kefu-Session`, frames in
bodies of JSON or MessagePack (docs/protocol.md, "Long poll"). A held poll is one
coroutine that waits for an event; it holds no connection of a database and no lock.
"""

import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import anyio
import msgspec
from anyio.abc import TaskGroup

from kefu_core import serving
from kefu_core.abc.transports import (
    AsgiEndpoint,
    AsgiReceive,
    AsgiSend,
    Scope,
    ServerContext,
)
from kefu_core.protocol.codec import (
    CODECS,
    BadFrame,
    Codec,
    Received,
    client_frame_decoder,
)
from kefu_core.protocol.frames import (
    Auth,
    Call,
    Fetch,
    Follow,
    Ping,
    Send,
    Watch,
)
from kefu_core.protocol.longpoll import (
    PollAnswer,
    PollBatch,
    PollRequest,
    Turn,
    WrongNumber,
    encode_body,
)
from kefu_core.transports.addresses import AddressLimiter
from kefu_core.transports.asgi import headers_of, peer_of, socket_address
from kefu_core.transports.longpoll.http import Refused, answer, codec_of, read_body
from kefu_core.transports.longpoll.stream import HeldPoll, PollStream

logger = logging.getLogger(__name__)

_SWEEP_S = 1.0
_JITTER = 0.2
_ANSWERED = (Auth, BadFrame, Call, Fetch, Follow, Ping, Send, Watch)
"""Frames after which a reply is worth waiting for."""
_ENVELOPE_BYTES = 1_024
_WAIT_MAX_S = 3_600

CredentialOf = Callable[[Mapping[bytes, str]], str]


class LongPollApp(AsgiEndpoint):
    """The ASGI application; enter it for as long as it may serve."""

    scope_type = "http"

    def __init__(
        self, context: ServerContext, *, credential_of: CredentialOf | None = None
    ) -> None:
        """Serve the streams of a node.

        Args:
            context: The node.
            credential_of: From a request's headers to what later requests of the same
                session must bring too; the `Authorization` header and cookies by
                default. A session's id alone then opens nothing.
        """
        self._server = context.server
        self._limits = limits = context.limits
        self._now = context.now
        self._rng = context.rng
        self._address_of = context.address_of or socket_address
        self._credential_of = credential_of or _credential
        self._addresses = AddressLimiter(limits)
        self._sessions: dict[str, PollStream] = {}
        self._tasks: TaskGroup | None = None
        self._decoders = {
            name: client_frame_decoder(codec, limits) for name, codec in CODECS.items()
        }
        self._bodies = {
            "json": msgspec.json.Decoder(PollRequest).decode,
            "msgpack": msgspec.msgpack.Decoder(PollRequest).decode,
        }

    @property
    def session_count(self) -> int:
        """Sessions that are open or whose last answers are kept."""
        return len(self._sessions)

    async def __aenter__(self) -> Self:
        """Make ready to serve."""
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._sweep)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> bool | None:
        """End every session that is left."""
        assert self._tasks is not None, "left before entered"
        for stream in self._sessions.values():
            stream.end()
        self._tasks.cancel_scope.cancel()
        tasks, self._tasks = self._tasks, None
        return await tasks.__aexit__(exc_type, exc, tb)

    async def __call__(
        self, scope: Scope, receive: AsgiReceive, send: AsgiSend
    ) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            raise TypeError(f"LongPollApp serves HTTP requests, not {scope['type']}")
        # Until its session is found; a server may reuse the task of another request.
        serving.connection.set("")
        headers = headers_of(scope)
        codec = CODECS["json"]
        try:
            codec = codec_of(scope["method"], headers)
            maximum = self._limits.frame_bytes_max + _ENVELOPE_BYTES
            timeout_s = self._limits.poll_body_s
            body = await read_body(receive, headers, maximum, timeout_s)
            if body is None:
                return  # The client left before it had said all.
            request = self._parse(codec, body)
            stream = self._find(scope, headers, codec, request)
            stream.requests_open += 1
            stream.requests_seen += 1
            serving.connection.set(stream.number)
            try:
                if request.poll is not None:
                    reply = await self._poll(stream, request.poll, request)
                else:
                    assert request.rid is not None, "parsed without a number"
                    reply = await self._up(stream, request.rid, request)
            finally:
                stream.requests_open -= 1
                stream.used_at = self._now()
        except Refused as refused:
            self._server.counts.refused["longpoll", str(refused.status)] += 1
            logger.info("a request was refused: %s", refused.body.text)
            body = encode_body(codec, refused.body)
            await answer(send, codec, refused.status, body, refused.headers)
        else:
            await answer(
                send, codec, 200, reply, [(b"kefu-session", stream.id.encode())]
            )

    def _parse(self, codec: Codec, body: bytes) -> PollRequest:
        try:
            request: PollRequest = self._bodies[codec.name](body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise Refused(400, "bad_request", str(error)[:200]) from None
        if (request.poll is None) == (request.rid is None):
            raise Refused(400, "bad_request", "Say either `poll` or `rid`.")
        number = request.poll if request.poll is not None else request.rid
        if number is None or number < 1 or request.ack < 0:
            raise Refused(400, "bad_request", "Numbers begin at 1, `ack` at 0.")
        if not 0 <= request.wait <= _WAIT_MAX_S:
            raise Refused(400, "bad_request", f"`wait` is 0 to {_WAIT_MAX_S} seconds.")
        if request.poll is not None and request.frames:
            raise Refused(400, "bad_request", "Frames go with `rid`, not with `poll`.")
        if len(request.frames) > self._limits.batch_frames_max:
            maximum = self._limits.batch_frames_max
            text = f"{len(request.frames)} frames in one request; at most {maximum}."
            raise Refused(413, "too_large", text)
        return request

    # -- sessions ----------------------------------------------------------------------

    def _find(
        self,
        scope: Scope,
        headers: dict[bytes, str],
        codec: Codec,
        request: PollRequest,
    ) -> PollStream:
        """Return the request's session, or a new one if it says hello."""
        credential = hashlib.sha256(self._credential_of(headers).encode()).digest()
        stream = self._sessions.get(headers.get(b"kefu-session", ""))
        if (
            stream is not None
            and hmac.compare_digest(stream.credential, credential)
            and stream.codec is codec
            and not (stream.is_closed and request.hello is not msgspec.UNSET)
            and not (stream.is_closed and request.poll and stream.has_all(request.ack))
        ):
            return stream
        # Unknown, ended, or somebody else's: the answer is the same.
        if request.hello is msgspec.UNSET or request.poll is None:
            text = "There is no such session; begin one by a poll that says `hello`."
            raise Refused(410, "no_session", text)
        return self._open(scope, codec, credential, request.hello)

    def _open(
        self, scope: Scope, codec: Codec, credential: bytes, hello: msgspec.Raw
    ) -> PollStream:
        server, limits, now = self._server, self._limits, self._now()
        if (
            self._tasks is None
            or server.is_draining
            or server.hello_pending >= limits.hello_pending_max
            or server.connection_count >= limits.node_connections_max
        ):
            raise Refused(503, "busy", "Too many connections; try again later.", 2)
        address = self._address_of(scope)
        if not self._addresses.enter(address, now):
            raise Refused(429, "busy", "Too many connections of your address.", 2)
        peer = peer_of(scope, "longpoll", address)
        stream = PollStream(secrets.token_urlsafe(24), codec, peer, limits, now)
        stream.credential = credential
        stream.take(self._decoders[codec.name].decode_items([hello]))
        self._sessions[stream.id] = stream
        self._tasks.start_soon(self._run, stream)
        return stream

    async def _run(self, stream: PollStream) -> None:
        # It lives longer than the request that has opened it.
        serving.request.set("")
        try:
            await self._server.serve(stream)
        finally:
            stream.end()
            self._addresses.leave(stream.peer.address)

    async def _sweep(self) -> None:
        """End sessions that nobody uses, and forget ended ones."""
        limits = self._limits
        while True:
            await anyio.sleep(_SWEEP_S)
            now = self._now()
            for stream in list(self._sessions.values()):
                if stream.requests_open:
                    continue
                life_s = (
                    limits.poll_session_s
                    if stream.requests_seen > 1 and not stream.is_closed
                    else limits.poll_opening_s
                )
                if now - stream.used_at > life_s:
                    stream.end()
                    del self._sessions[stream.id]

    # -- polls -------------------------------------------------------------------------

    async def _poll(
        self, stream: PollStream, number: int, request: PollRequest
    ) -> bytes:
        channel = stream.channel
        # A session that was opened or adopted just now counts its batches from 1.
        ack = request.ack if stream.requests_seen > 1 else 0
        try:
            turn = channel.poll(number, ack)
        except WrongNumber as wrong:
            raise Refused(
                409, "out_of_order", wrong.text, expect=wrong.expect
            ) from None
        if turn is Turn.STALE:
            return encode_body(stream.codec, PollAnswer(superseded=True))
        stream.made_room()
        if stream.requests_seen > 1:
            stream.take(())
        held, started = stream.hold(), self._now()
        try:
            if not channel.has_news and not stream.is_closed and request.wait > 0:
                longest_s = min(request.wait, self._limits.poll_wait_s)
                wait_s = longest_s * (1 - _JITTER * self._rng.random())
                with anyio.move_on_after(wait_s):
                    await held.news.wait()
            if not held.is_superseded and not stream.is_closed and channel.has_pending:
                await anyio.sleep(self._limits.poll_linger_s)
        finally:
            if stream.held is held:
                stream.held = None
            self._server.counts.polls.add(self._now() - started)
        if held.is_superseded:
            return encode_body(stream.codec, PollAnswer(superseded=True))
        return self._answer(stream, stream.batches())

    def _answer(self, stream: PollStream, batches: list[PollBatch]) -> bytes:
        return encode_body(stream.codec, PollAnswer(batches=batches))

    # -- requests going up -------------------------------------------------------------

    async def _up(self, stream: PollStream, rid: int, request: PollRequest) -> bytes:
        channel = stream.channel
        try:
            if not channel.has_room and rid > channel.rid:
                channel.acknowledge(request.ack)
                stream.made_room()
                if not channel.has_room:
                    text = "Too much waits for you; poll before you send more."
                    raise Refused(429, "busy", text, 1)
            turn = channel.begin(rid, request.ack)
        except WrongNumber as wrong:
            raise Refused(
                409, "out_of_order", wrong.text, expect=wrong.expect
            ) from None
        stream.made_room()
        while turn is Turn.RUNNING:
            assert stream.running is not None, "a request runs without an event"
            await stream.running.wait()
            turn = channel.begin(rid, 0)
        if turn is Turn.REPEAT:
            return self._answer(stream, channel.reply_to(rid))
        if turn is Turn.STALE:
            return encode_body(stream.codec, PollAnswer(superseded=True))
        done = stream.running = anyio.Event()
        try:
            items = self._decoders[stream.codec.name].decode_items(request.frames)
            # Shielded: a client that gives up must not leave a request half done.
            with anyio.CancelScope(shield=True):
                await self._pass_on(stream, items)
            batches = channel.finish(rid)
            stream.was_taken()
            return self._answer(stream, batches)
        finally:
            done.set()

    async def _pass_on(self, stream: PollStream, items: Received) -> None:
        """Give frames to the session; wait a little for what it answers."""
        waits = any(isinstance(item, _ANSWERED) for item in items)
        answering = stream.answering = HeldPoll()
        try:
            stream.take(items)
            if waits and not stream.is_closed:
                with anyio.move_on_after(self._limits.poll_answer_s):
                    await answering.news.wait()
        finally:
            stream.answering = None


def _credential(headers: Mapping[bytes, str]) -> str:
    return f"{headers.get(b'authorization', '')}\n{headers.get(b'cookie', '')}"
