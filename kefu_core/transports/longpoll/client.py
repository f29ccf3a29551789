"""The end of long poll that dials: one poll held, one request going up at a time.

What went wrong with one request is mended here, by saying the same number again; only
a session that is gone, or a server that stays away, ends the stream.
"""

import logging
import random
from collections import deque
from collections.abc import Sequence
from typing import Any

import anyio
import httpx
import msgspec
from anyio.abc import TaskGroup

from kefu_core.abc.streams import FrameStream, PeerInfo
from kefu_core.abc.transports import DialOptions
from kefu_core.errors import ConnectionClosed
from kefu_core.protocol.codec import CODECS, Codec, Received, server_frame_decoder
from kefu_core.protocol.frames import Bye
from kefu_core.protocol.longpoll import (
    PollAnswer,
    PollRefusal,
    PollRequest,
    encode_body,
)
from kefu_core.transports.longpoll.http import CONTENT_TYPES
from kefu_core.transports.reading import for_reading

logger = logging.getLogger(__name__)

WAIT_S = 25.0
_MARGIN_S = 10.0
"""How much longer than asked for an answer may take before it counts as lost."""
_UP_TIMEOUT_S = 15.0
_TRIES = 4
_RETRY_S = (0.1, 0.6)
_KEEPALIVE_S = 4.0
"""Below the 5 s after which servers commonly close an idle connection."""
_AGAIN = frozenset({408, 429, 502, 503, 504})
_CLOSE_TIMEOUT_S = 1.0
_IN_FLIGHT_S = 0.3
"""A server answers a request that goes up within 0.2 s (`limits.poll_answer_s`)."""
_OUT_OF_ORDER = 409
_FROM_TYPE = {codec.name: kind for kind, codec in CONTENT_TYPES.items()}

_LOST = (httpx.HTTPError, AttributeError)
"""No answer. On uvloop, AttributeError is a connection that was reset as it came up:
anyio asks for the address of a socket that is gone."""


class LongPollClientStream(FrameStream):
    """Frames over HTTP requests that this side makes."""

    def __init__(self, http: httpx.AsyncClient, url: str, options: DialOptions) -> None:
        self.codec: Codec = CODECS[options.codec]
        self.peer = PeerInfo(transport="longpoll")
        self._http = http
        self._url = url
        decoder = server_frame_decoder(self.codec, for_reading(options.limits))
        self._decode_items = decoder.decode_items
        self._answers = (
            msgspec.json.Decoder(PollAnswer)
            if self.codec.is_text
            else msgspec.msgpack.Decoder(PollAnswer)
        ).decode
        self._headers = {"content-type": _FROM_TYPE[self.codec.name]}
        if options.origin:
            self._headers["origin"] = options.origin
        self._rng = random.SystemRandom()
        self.polls = 0
        """Polls made so far."""
        self.rid = 0
        """Requests made so far that carried frames up."""
        self._ack = 0
        self._received: deque[Received] = deque()
        self._has_received = anyio.Event()
        self._closed: ConnectionClosed | None = None
        self._tasks: TaskGroup | None = None
        self._polling: anyio.Event | None = None
        """Set when the task that polls has ended."""

    async def open(self) -> None:
        """Make ready; the session begins with the first frame that is sent."""
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()

    # -- the stream --------------------------------------------------------------------

    async def receive(self) -> Received:
        while not self._received:
            if self._closed is not None:
                raise self._closed
            self._has_received = anyio.Event()
            await self._has_received.wait()
        return self._received.popleft()

    async def send(self, encoded: Sequence[bytes]) -> None:
        if self._closed is not None:
            raise self._closed
        frames = [msgspec.Raw(frame) for frame in encoded]
        if "kefu-session" not in self._headers:
            # The first frame is the hello; a poll that says it begins the session.
            await self._begin(frames[0])
            frames = frames[1:]
            if not frames:
                return
        self.rid += 1
        request = PollRequest(rid=self.rid, ack=self._ack, frames=frames)
        try:
            self._take(await self._ask(request, _UP_TIMEOUT_S))
        except ConnectionClosed as closed:
            self._end(closed)
            raise

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        is_open = self._closed is None and "kefu-session" in self._headers
        self._end(ConnectionClosed(code, reason))
        tasks, self._tasks = self._tasks, None
        if tasks is None:
            return
        tasks.cancel_scope.cancel()
        # Before the task group ends, because that may raise for the caller's own
        # cancellation: sockets are to be closed then too.
        with anyio.CancelScope(shield=True):
            if self._polling is not None:
                await self._polling.wait()
            if is_open:
                await self._say_goodbye()
            with anyio.move_on_after(_CLOSE_TIMEOUT_S):
                await self._http.aclose()
        await tasks.__aexit__(None, None, None)

    async def _say_goodbye(self) -> None:
        """End the session, which the server would keep for a minute otherwise."""
        # Whether the last request going up arrived is unknown where it was cancelled:
        # the server expects the next number, or the same again. The same comes last,
        # since to a server that still answers that request it would be no goodbye.
        tries = ((self.rid + 1, 0.0), (self.rid + 1, _IN_FLIGHT_S), (self.rid, 0.0))
        with anyio.move_on_after(_CLOSE_TIMEOUT_S):
            for rid, wait_s in tries:
                await anyio.sleep(wait_s)
                if await self._is_goodbye_said(rid):
                    return

    async def _is_goodbye_said(self, rid: int) -> bool:
        bye = msgspec.Raw(self.codec.encode(Bye()))
        request = PollRequest(rid=rid, ack=self._ack, frames=[bye])
        body = encode_body(self.codec, request)
        try:
            response = await self._http.post(
                self._url, content=body, headers=self._headers
            )
        except _LOST as error:
            logger.debug("the server was gone before the goodbye: %s", error)
            return True
        return response.status_code != _OUT_OF_ORDER

    # -- requests ----------------------------------------------------------------------

    async def _begin(self, hello: msgspec.Raw) -> None:
        """Open the session, and keep a poll held from then on."""
        self.polls = 1
        request = PollRequest(poll=1, wait=WAIT_S, hello=hello)
        answer = await self._ask(request, WAIT_S + _MARGIN_S, tries=1)
        self._take(answer)
        assert self._tasks is not None, "sent before open()"
        self._polling = anyio.Event()
        self._tasks.start_soon(self._poll, self._polling)

    async def _poll(self, ended: anyio.Event) -> None:
        try:
            while self._closed is None:
                self.polls += 1
                request = PollRequest(poll=self.polls, ack=self._ack, wait=WAIT_S)
                answer = await self._ask(request, WAIT_S + _MARGIN_S)
                if not self._take(answer):
                    self._put(())
        except ConnectionClosed as closed:
            self._end(closed)
        finally:
            ended.set()

    async def _ask(
        self, request: PollRequest, timeout_s: float, *, tries: int = _TRIES
    ) -> PollAnswer:
        """Make a request, again while that may help. Raises `ConnectionClosed`."""
        body = encode_body(self.codec, request)
        why = ""
        for attempt in range(tries):
            if attempt:
                await anyio.sleep(self._rng.uniform(*_RETRY_S) * 2**attempt)
            try:
                response = await self._http.post(
                    self._url, content=body, headers=self._headers, timeout=timeout_s
                )
            except _LOST as error:
                why = str(error) or type(error).__name__
                continue
            if response.status_code == 200:
                session = response.headers.get("kefu-session", "")
                if self._headers.setdefault("kefu-session", session) != session:
                    raise ConnectionClosed(1006, "the session was replaced")
                return self._parse(response.content)
            why = f"HTTP {response.status_code} {self._why(response.content)}".rstrip()
            if response.status_code not in _AGAIN:
                break
            after_s = response.headers.get("retry-after", "")
            if after_s.isdigit():
                await anyio.sleep(min(int(after_s), _MARGIN_S))
        raise ConnectionClosed(1006, why)

    def _parse(self, body: bytes) -> PollAnswer:
        try:
            answer: PollAnswer = self._answers(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise ConnectionClosed(1006, f"not an answer of kefu: {error}") from None
        return answer

    def _why(self, body: bytes) -> str:
        decode: Any = msgspec.json if self.codec.is_text else msgspec.msgpack
        try:
            refusal = decode.decode(body, type=PollRefusal)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return ""
        return str(refusal.text)

    # -- what came ---------------------------------------------------------------------

    def _take(self, answer: PollAnswer) -> bool:
        """Pass on the batches that are next; whether there were any."""
        took_any = False
        for batch in answer.batches:
            if batch.n == self._ack + 1:
                self._ack = batch.n
                self._put(self._decode_items(batch.frames))
                took_any = True
        return took_any

    def _put(self, items: Received) -> None:
        self._received.append(items)
        self._has_received.set()

    def _end(self, closed: ConnectionClosed) -> None:
        if self._closed is None:
            self._closed = closed
            self._has_received.set()


async def connect_longpoll(url: str, options: DialOptions) -> LongPollClientStream:
    """Return a stream over long poll; the first frame sent makes the first request.

    Args:
        url: `https://` or `http://` and the path of the long-poll application.
        options: Codec, headers and addresses.
    """
    transport = httpx.AsyncHTTPTransport(
        # Loading the system's certificates takes long; plain HTTP needs none.
        verify=options.ssl_context or url.startswith("https:"),
        local_address=options.local_host,
        trust_env=False,
        limits=httpx.Limits(max_connections=2, keepalive_expiry=_KEEPALIVE_S),
    )
    stream = LongPollClientStream(
        httpx.AsyncClient(transport=transport, trust_env=False), url, options
    )
    await stream.open()
    return stream
