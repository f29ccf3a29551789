"""An async client that keeps its promises across reconnects.

One task owns the connection: dial, hello, read, write, wait, dial again. What the
program asks for goes into the session, which outlives connections, so a `send` that
was started before a cut is answered after it.
"""

import logging
import random
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import TaskGroup

from kefu_core.abc.streams import FrameStream
from kefu_core.abc.transports import DialOptions, Transport
from kefu_core.client.answers import Answers, Rejected
from kefu_core.client.dialing import Dial, dialers
from kefu_core.client.notices import ConnectionChanged, Events, Notice, Notices
from kefu_core.client.probing import closing, probe
from kefu_core.errors import (
    CloseCode,
    ConnectionClosed,
    ErrorCode,
    KefuError,
)
from kefu_core.model import Draft, MessageKind
from kefu_core.protocol import frames as f
from kefu_core.protocol.backoff import Backoff
from kefu_core.protocol.chooser import WELCOME_TIMEOUT_S, TransportChooser
from kefu_core.protocol.client import ClientSession
from kefu_core.protocol.codec import batches
from kefu_core.protocol.events import (
    CloseRequested,
    SendRejected,
)
from kefu_core.types import ConversationId, ParticipantId, Seq

logger = logging.getLogger(__name__)

_NOBODY = ParticipantId("")
_EVENTS_MAX = 10_000
_CONNECTED_LONG_S = 5.0
_TRANSIENT_CODES = frozenset(
    {ErrorCode.BUSY, ErrorCode.UNAVAILABLE, ErrorCode.STORAGE_FULL}
)


TokenSource = Callable[[], Awaitable[str]]


class Client:
    """A visitor or an agent, as a program.

    `async with Client(url, token=…) as client:` connects in the background and stays
    connected until the block ends. Runs on asyncio, uvloop and trio.
    """

    def __init__(
        self,
        url: str = "",
        *,
        token: str = "",
        token_source: TokenSource | None = None,
        transport: str | Transport = "auto",
        codec: str = "msgpack",
        dial: Dial | None = None,
        origin: str | None = None,
        local_host: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        name: str = "kefu-python",
        rng: random.Random | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            url: `https://chat.example.com` for every transport, or the URL of one:
                `wss://…/kefu/ws`, `https://…/kefu/poll`, `tcp://host:port`.
            transport: `auto` (WebSocket, and long poll where that does not work),
                a transport's name, or a transport object.
            token: A visitor's token, or an agent's session.
            token_source: Asked for a token before each connection instead.
            codec: `json` or `msgpack`.
            dial: Opens a stream instead of `url`: a test's, for example.
            origin: `Origin` header.
            local_host: Address to dial from.
            ssl_context: For encrypted URLs; the system's trust by default.
            name: Told to the operator.
            rng: Draws delays; seeded in tests.
            now: Monotonic seconds.

        Raises:
            ConfigurationError: URL and transport do not fit together.
        """
        self._token = token
        self._token_source = token_source
        options = DialOptions(
            codec=codec,
            origin=origin,
            local_host=local_host,
            ssl_context=ssl_context,
        )
        self._dialers: dict[str, Dial] = (
            {"": dial} if dial is not None else dialers(url, transport, options)
        )
        self._chooser = TransportChooser(list(self._dialers))
        self.session = ClientSession(client=name)
        if len(self._dialers) > 1:
            self.session.welcome_timeout_s = WELCOME_TIMEOUT_S
        self._now = now
        self._backoff = Backoff(rng or random.SystemRandom())
        self._wake = anyio.Event()
        """Set when the session has something to write or a new timer."""
        self._live = anyio.Event()
        self._closed: ConnectionClosed | None = None
        self._notices: Notices[Notice] = Notices(_EVENTS_MAX)
        self._answers: Answers[f.Frame | KefuError] = Answers()
        self._sends: Answers[f.Sent | KefuError] = Answers()
        self._tasks: TaskGroup | None = None
        self.connect_count = 0
        """Streams opened so far."""
        self._is_moving = False
        """A better transport works: this connection ends for it."""
        self._left: CloseRequested | None = None
        """Why this connection is to end, once that is decided."""
        self._drain_s: float | None = None
        """The window of a `drain`, once there was one."""
        self._has_listener = False
        """`events` was iterated at least once."""

    # -- life --------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Start connecting in the background."""
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._run)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> bool | None:
        """Leave; what is unacknowledged is in `session.outbox.drafts()`."""
        assert self._tasks is not None, "left before entered"
        self._tasks.cancel_scope.cancel()
        try:
            return await self._tasks.__aexit__(exc_type, exc, tb)
        finally:
            self._notices.close()

    async def wait_live(self) -> None:
        """Wait for the server's welcome. Raises `ConnectionClosed` if it is final."""
        while not self.session.is_live:
            if self._closed is not None:
                raise self._closed
            await self._live.wait()

    @property
    def is_live(self) -> bool:
        """Whether the connection is up now."""
        return self.session.is_live

    @property
    def transport(self) -> str:
        """What carries the connection, or will carry the next one."""
        return self._chooser.current

    @property
    def me(self) -> ParticipantId:
        """Who the server says we are; empty before the first welcome."""
        return self.session.me.id if self.session.me else _NOBODY

    # -- what the program does ---------------------------------------------------------

    def events(self) -> Events[Notice]:
        """Return what happens, in order; messages in seq order, each once.

        May be iterated again after a break: it goes on where it stopped.
        """
        return Events(self._notices, self._listen)

    async def open_conversation(self) -> ConversationId:
        """Return the visitor's conversation, opening one if there is none."""
        result = await self.call("conversation.open")
        return ConversationId(result["conversation"]["id"])

    async def follow(self, conversation: int, after: int = 0) -> None:
        """Receive a conversation from a seq on, across reconnects."""
        await self.wait_live()
        self.session.follow(ConversationId(conversation), Seq(after))
        self._wake.set()

    def unfollow(self, conversation: int) -> None:
        """Receive a conversation no longer; nothing where it was not followed."""
        self.session.unfollow(ConversationId(conversation))
        self._wake.set()

    def send_nowait(
        self,
        conversation: int,
        body: str,
        *,
        key: str | None = None,
        kind: MessageKind = MessageKind.TEXT,
        data: dict[str, Any] | None = None,
        ref: int | None = None,
    ) -> str:
        """Put a message into the outbox and return its key; `events` has the answer.

        Raises:
            TooLarge: It does not fit any batch; nothing was put anywhere.
        """
        draft = Draft(
            conversation=ConversationId(conversation),
            sender=self.me,
            key=key or secrets.token_urlsafe(12),
            kind=kind,
            body=body,
            data=data,
            ref=Seq(ref) if ref is not None else None,
        )
        self.session.send(draft, self._now())
        self._wake.set()
        return draft.key

    async def send(
        self, conversation: int, body: str, *, key: str | None = None
    ) -> f.Sent:
        """Send a message and wait until it is stored, however often the link drops.

        Raises:
            Rejected: It will never be stored.
            ConnectionClosed: The server ended the session for good.

        Cancellation: the message stays in the outbox and may still be stored.
        """
        key = key or secrets.token_urlsafe(12)
        if self._closed is not None:
            raise self._closed
        put = partial(self.send_nowait, conversation, body, key=key)
        result = await self._sends.after(put, key)
        if isinstance(result, KefuError):
            raise result
        return result

    async def call(
        self, method: str, params: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Call a method of the desk, again after a cut. Raises `Rejected`."""
        frame = f.Call(id=secrets.token_hex(8), method=method, params=params or {})
        reply = await self._ask(frame.id, frame)
        assert isinstance(reply, f.Reply), "a call is answered by a reply"
        return reply.result

    async def fetch(
        self,
        conversation: int,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> f.Page:
        """Return a page of history, ascending. Raises `Rejected`."""
        frame = f.Fetch(
            id=secrets.token_hex(8),
            conversation=ConversationId(conversation),
            before=Seq(before) if before is not None else None,
            after=Seq(after) if after is not None else None,
            limit=limit,
        )
        page = await self._ask(frame.id, frame)
        assert isinstance(page, f.Page), "a fetch is answered by a page"
        return page

    async def watch(self, topic: str) -> None:
        """Receive a list's snapshot and changes, across reconnects."""
        await self.wait_live()
        self.session.watch(topic)
        self._wake.set()

    def read(self, conversation: int, seq: int) -> None:
        """Say that a person has seen everything up to `seq`."""
        self.session.read(ConversationId(conversation), Seq(seq), self._now())
        self._wake.set()

    def typing(
        self, conversation: int, text: str = "", *, is_typing: bool = True
    ) -> None:
        """Say that somebody is typing; dropped when there is no connection."""
        frame = f.Typing(
            conversation=ConversationId(conversation), text=text, is_typing=is_typing
        )
        self._say(frame)

    async def _ask(self, request_id: str, frame: f.Frame) -> f.Frame:
        while True:
            await self.wait_live()
            answer = await self._answers.after(partial(self._say, frame), request_id)
            if isinstance(answer, ConnectionClosed):
                continue  # Ask again on the next connection: calls are idempotent.
            if isinstance(answer, KefuError):
                raise answer
            if isinstance(answer, f.ErrorFrame):
                await anyio.sleep(answer.after_s or 0.5)
                continue
            return answer

    def _say(self, frame: f.Frame) -> None:
        self.session.say(frame)
        self._wake.set()

    # -- the one task ------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            if self._has_listener:
                await self._notices.wait_for_room()
            started = self._now()
            reason, delay_s = await self._one_connection()
            self._connection_lost(reason)
            if delay_s is None:
                return
            if self._now() - started > _CONNECTED_LONG_S:
                self._backoff.reset()
            await anyio.sleep(delay_s)

    async def _one_connection(self) -> tuple[str, float | None]:
        """Connect once and serve it; returns why it ended and how long to wait."""
        self._left = None
        self._drain_s = None
        self._is_moving = False
        try:
            token = await self._next_token()
            stream = await self._dialers[self._chooser.current]()
        except (KefuError, OSError) as error:
            return str(error), self._pause()
        self.connect_count += 1
        reason = "connection lost"
        try:
            async with closing(stream):
                self.session.connected(token, self._now())
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._write, stream, tasks)
                    tasks.start_soon(self._watch_silence, tasks)
                    tasks.start_soon(self._look_for_better, tasks)
                    await self._read(stream)
                    tasks.cancel_scope.cancel()
        except* ConnectionClosed as group:
            reason = str(group.exceptions[0])
        return self._why_ended(reason)

    async def _next_token(self) -> str:
        return await self._token_source() if self._token_source else self._token

    def _why_ended(self, reason: str) -> tuple[str, float | None]:
        """Return the reason and how long to wait; None is for ever."""
        if self._is_moving:
            return f"moving to {self._chooser.current}", 0.0
        if self._left is not None:
            reason = self._left.reason or self._left.code.name.lower()
            if not self._left.code.may_reconnect:
                self._closed = ConnectionClosed(self._left.code, reason)
                return reason, None
        if self._drain_s is not None:
            return "drain", self._backoff.within(self._drain_s)
        return reason, self._pause()

    def _pause(self) -> float:
        """Return how long to wait before the next try, by whichever transport."""
        left = self._left
        if left is not None and left.code is not CloseCode.SILENT:
            return self._backoff.next()  # The server said so: the way is good.
        if self._chooser.ended(self._now(), was_silent=left is not None):
            return 0.0
        return self._backoff.next()

    async def _look_for_better(self, tasks: TaskGroup) -> None:
        """While a fallback is in use, try now and then whether the best one works."""
        await self._live.wait()
        while (due := self._chooser.next_probe) is not None:
            await anyio.sleep(max(0.0, due - self._now()))
            name = self._chooser.probe_due(self._now())
            if not name:
                continue
            went_through = await probe(
                self._dialers[name], self._next_token, self.session.name
            )
            if self._chooser.probed(self._now(), went_through=went_through):
                self._is_moving = True
                tasks.cancel_scope.cancel()
                return

    async def _read(self, stream: FrameStream) -> None:
        while True:
            items = await stream.receive()
            if self._left is not None:
                return  # Another task has just left: what still comes is nobody's.
            now = self._now()
            self.session.receive(items, now)
            if not items:
                self.session.wrote(now)  # A transport's own sign of life, both ways.
            self._handle_events()
            if self._left is not None:
                return
            self._wake.set()
            if self._has_listener:
                # A program that does not take its events slows its own connection,
                # which is what a slow reader should do.
                await self._notices.wait_for_room()

    async def _watch_silence(self, tasks: TaskGroup) -> None:
        """Leave a silent server also while a write hangs."""
        session = self.session
        with anyio.move_on_after(session.gives_up_at - self._now()):
            await self._live.wait()
        while True:
            now = self._now()
            if now < session.gives_up_at:
                await anyio.sleep(session.gives_up_at - now)
                continue
            session.handle_timer(now)
            self._handle_events()
            if self._left is not None:
                tasks.cancel_scope.cancel()
                return

    async def _write(self, stream: FrameStream, tasks: TaskGroup) -> None:
        session, codec = self.session, stream.codec
        while True:
            now = self._now()
            if now >= session.next_timer(now):
                session.handle_timer(now)
                self._handle_events()
                if self._left is not None:
                    tasks.cancel_scope.cancel()
                    return
            frames = session.frames_to_send()
            encoded = map(codec.encode, frames)
            sizes = session.frame_bytes_max, session.batch_frames_max
            for batch in batches(encoded, *sizes):
                await stream.send(batch)
                session.wrote(now)
            if frames:
                continue
            self._wake = anyio.Event()
            delay = session.next_timer(now) - now
            with anyio.move_on_after(max(0.0, delay)):
                await self._wake.wait()

    def _handle_events(self) -> None:
        # Without an await: what the session has handed out it counts as held.
        for event in self.session.events():
            match event:
                case CloseRequested():
                    self._left = event
                case f.Drain():
                    self._drain_s = event.within_s
                case f.Welcome():
                    self._live.set()
                    self._backoff.reset()
                    self._chooser.welcomed(self._now())
                    name = self._chooser.current
                    self._notify(ConnectionChanged(True, transport=name))
                case f.Page() | f.Reply():
                    self._answers.give(event.id, event)
                case f.ErrorFrame():
                    self._error(event)
                case f.Sent():
                    self._sends.give(event.key, event)
                    self._notify(event)
                case SendRejected():
                    self._sends.give(event.key, Rejected(event.code, event.text))
                    self._notify(event)
                case _:
                    self._notify(event)

    def _error(self, error: f.ErrorFrame) -> None:
        if error.id is None:
            self._notify(error)
        elif error.code in _TRANSIENT_CODES or error.retry != "none":
            self._answers.give(error.id, error)
        else:
            self._answers.give(error.id, Rejected(error.code, error.text))

    def _listen(self) -> None:
        self._has_listener = True

    def _notify(self, notice: Notice) -> None:
        if self._has_listener or not self._notices.is_full:
            self._notices.put(notice)
        else:
            logger.debug("nobody has ever taken an event; one is dropped")

    def _connection_lost(self, reason: str) -> None:
        was_live = self._live.is_set()
        self.session.disconnected()
        self._live.set()  # Whoever waits looks again at why.
        self._live = anyio.Event()
        self._answers.give_all(ConnectionClosed(1006, reason))
        if self._closed is not None:
            self._sends.give_all(self._closed)
        if was_live:
            self._notify(ConnectionChanged(False, reason))
