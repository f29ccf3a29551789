"""Drives one `ServerSession` over one `FrameStream`.

::

    reader   stream.receive ─▶ session.receive ─▶ events ─▶ act ─▶ frames ─▶ outbox
             (a `PushedStream` calls what is right of its arrow, and no task wakes)
    writer   outbox ─▶ stream.send                       (the only one that writes)
             (a `BufferedStream` has none: the hub writes for all of these)
    worker   follow, fetch, call, auth: one at a time, in order (`requests.py`)
    reads    one catch-up a conversation, limited across the node (`following.py`)

The reader never waits for the store: a server that stops reading its sockets stops
hearing heartbeats. A send goes to the appender's queue in the same step; its answer
comes back in the step of the commit (`sends.py`).
"""

import logging
from collections.abc import Hashable
from contextvars import copy_context
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from kefu_core.abc.streams import BufferedStream, FrameStream, PushedStream
from kefu_core.abc.tracing import MessageTrace
from kefu_core.counts import GONE
from kefu_core.errors import CloseCode, ConnectionClosed, KefuError, NotFound
from kefu_core.hub.fanout import Fanout
from kefu_core.hub.following import Following
from kefu_core.hub.hello import answer_hello
from kefu_core.hub.outbox import Outbox
from kefu_core.hub.requests import Requests
from kefu_core.hub.sends import Sends
from kefu_core.model import Conversation, Principal
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import Received
from kefu_core.protocol.events import CloseRequested, ServerEvent
from kefu_core.protocol.server import ServerSession
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

if TYPE_CHECKING:
    from kefu_core.hub.hub import Hub

logger = logging.getLogger(__name__)

_NOBODY = ParticipantId("")
_TICK_MAX_S = 4.0


class Connection:
    """A session plus its I/O."""

    def __init__(self, hub: "Hub", stream: FrameStream) -> None:
        now = hub.now()
        self.number = ""
        """What the log calls it."""
        self.codec = stream.codec
        self.peer = stream.peer
        self.session = ServerSession(hub.limits, now, silent_s=stream.patience_s)
        self.principal: Principal | None = None
        self.me = _NOBODY
        self.is_agent = False
        self.watched: set[str] = set()
        self.was_welcomed = False
        self.here_since = UnixMs(0)
        """When it was welcomed."""
        self.tasks: TaskGroup | None = None
        """Runs what this connection started; None before `run` and after it."""
        self.outbox = Outbox(hub.limits)
        self.traced: list[MessageTrace] = []
        """Messages of this peer whose answers are not written yet."""
        self.requests = Requests(hub, self)
        self.sends = Sends(hub, self)
        self.following = Following(hub, self)
        self._hub = hub
        self._stream = stream
        self._has_work: anyio.Event | None = None
        """Set when the writer has something to do; there while it waits."""
        self._buffer = stream if isinstance(stream, BufferedStream) else None
        """The stream where writing is no I/O: the hub writes for all of these."""
        self._writing_since: float | None = None
        self._closing: CloseRequested | None = None
        self._has_parted = False
        self._is_writing = False
        """The writer runs; it may be within a `send`."""
        self._has_written: anyio.Event | None = None
        """Set when the writer has ended; there while somebody waits for that."""
        self._is_gone = False
        """The peer ended the connection, or the network did."""
        self._validated_at = now

    # -- life ------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until either side closes. Raises nothing but cancellation."""
        logger.debug("connected by %s", self.peer.transport)
        try:
            async with anyio.create_task_group() as tasks:
                self.tasks = tasks
                if self._buffer is None:
                    tasks.start_soon(self._write)
                else:
                    self._buffer.on_room = self.wake
                if isinstance(self._stream, PushedStream):
                    # Called in no task, but what it logs and starts is this one's.
                    run = copy_context().run
                    self._stream.on_batch = lambda items: run(self._take, items)
                try:
                    await self._read()
                except ConnectionClosed:
                    self._is_gone = True
                finally:
                    if self._is_gone or self._closing is not None:
                        # The peer and its place first: a read of the store cannot be
                        # cancelled, and a slow one must not hold them.
                        tasks.cancel_scope.cancel()
                        await self._part()
        except* ConnectionClosed:
            self._is_gone = True  # The writer noticed it first.
        except* Exception as group:
            logger.error("connection ended by a fault of ours", exc_info=group)
            self._closing = self._closing or CloseRequested(CloseCode.OVERLOADED)
        finally:
            await self._part()

    async def _part(self) -> None:
        """Let go of the peer, once; what this connection asked the store may go on."""
        if self._has_parted:
            return
        self._has_parted = True
        self.tasks = None
        self.session.receive_eof(self._hub.now())
        self._end_traces("gone")
        self._hub.left(self)
        if self.session.has_flooded:
            self._hub.floods.note(self.me)
        # Whoever was not told otherwise, by a cancelled node for example, comes
        # back; a peer that left by itself does not hear this any more.
        closing = self._closing or CloseRequested(CloseCode.RESTART)
        is_unsaid = self._is_gone and self._closing is None
        code = GONE if is_unsaid else int(closing.code)
        self._hub.counts.closes[self.peer.transport, str(code)] += 1
        logger.debug("disconnected with %s", code)
        with anyio.CancelScope(shield=True):
            if self._is_writing:
                self._has_written = anyio.Event()
                await self._has_written.wait()
            await self._stream.aclose(closing.code, closing.reason)

    def drain(self, within_s: float) -> None:
        """Announce the end; the session refuses new work from here on."""
        self.session.drain(within_s)
        self.flush()

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Close once what waits is written."""
        self.session.close(code, reason)
        self.act()

    def abort(self) -> None:
        """End at once; for a peer that does not read."""
        if self.tasks is not None:
            self.tasks.cancel_scope.cancel()

    async def _read(self) -> None:
        receive, take = self._stream.receive, self._take
        while True:
            pause_s = take(await receive())
            if pause_s:
                # A flood waits at the peer's end; it is refused at the pace of a
                # flood, not at its own.
                await anyio.sleep(pause_s)

    def _take(self, items: Received) -> float:
        """Act on one batch; returns for how long the peer is left unread."""
        session, now = self.session, self._hub.now
        session.receive(items, now())
        if not items:
            session.wrote(now())  # The transport's own sign of life, both ways.
        self.act()
        return session.pause_s

    async def _write(self) -> None:
        outbox, send, now = self.outbox, self._stream.send, self._hub.now
        self._is_writing = True
        try:
            while True:
                if not len(outbox):
                    if self._closing is not None:
                        self.abort()
                        return
                    self._has_work = anyio.Event()
                    await self._has_work.wait()
                batch = outbox.take()
                if not batch:
                    continue
                self._writing_since = started = now()
                await send(batch)
                self._writing_since = None
                self.session.wrote(started)
                self._go_on()
        finally:
            self._is_writing = False
            if self._has_written is not None:
                self._has_written.set()

    def write_buffer(self) -> None:
        """Write what finds room, without waiting; the hub calls it after `wake`."""
        outbox, stream = self.outbox, self._buffer
        assert stream is not None, "this stream has a writer of its own"
        try:
            while len(outbox) and stream.has_room:
                stream.put(outbox.take())
                self.session.wrote(self._hub.now())
        except ConnectionClosed:
            self._is_gone = True
            self.abort()
            return
        if stream.has_room or stream.patience_s is not None:
            self._writing_since = None
        elif self._writing_since is None:
            self._writing_since = self._hub.now()
        if not len(outbox) and self._closing is not None:
            self.abort()
            return
        self._go_on()

    def _go_on(self) -> None:
        """Let those who waited for the peer to read have the room."""
        if self.traced and not len(self.outbox):
            self._end_traces("written")
        if self.outbox.is_half_empty:
            self.requests.has_room_again()
            self.following.has_room_again()
            for topic in self.watched:
                self._hub.lists.topic(topic).has_room_again(self)

    def _end_traces(self, outcome: str) -> None:
        for trace in self.traced:
            trace.end(outcome)
        self.traced = []

    def tick(self, now: float) -> float:
        """Do what is due; returns when to call again at the latest."""
        writing = self._writing_since
        timeout_s = self._stream.patience_s or self._hub.limits.write_timeout_s
        if writing is not None and now - writing > timeout_s:
            logger.info("a peer accepted nothing for %.0f s", now - writing)
            self._closing = self._closing or CloseRequested(CloseCode.SLOW)
            self.abort()
        elif now >= self.session.next_timer():
            self.session.handle_timer(now)
            self.act()
        return min(self.session.next_timer(), now + _TICK_MAX_S)

    # -- who this is -------------------------------------------------------------------

    def identify(self, principal: Principal) -> None:
        """Note who authenticated."""
        self.principal, self.me = principal, principal.participant
        logger.debug("authenticated as %s", self.me)
        self.is_agent = principal.is_agent
        if self._hub.floods.is_noted(self.me):
            self.session.begin_slowly()

    @property
    def aliases(self) -> tuple[ParticipantId, ...]:
        """Other names of who is connected, as they were at the welcome."""
        return self.principal.aliases if self.principal else ()

    def name_in(self, row: Conversation) -> ParticipantId:
        """Return whose name this peer has in a conversation."""
        return self.principal.name_in(row.visitor) if self.principal else self.me

    def name_in_followed(self, conversation: ConversationId) -> ParticipantId:
        """Return whose name this peer has in a conversation that it follows."""
        # Nearly everybody has one; who has several follows few conversations.
        if not self.aliases:
            return self.me
        row = self._hub.row(conversation)
        return self.me if row is None else self.name_in(row)

    def is_heard(self, now: float) -> bool:
        """Whether the peer reads and gives signs of life, as often as it should."""
        patience_s = self._stream.patience_s or 1.5 * self._hub.limits.heartbeat_s
        is_alive = now - self.session.received_at <= patience_s
        return self.was_welcomed and self._closing is None and is_alive

    def expiry(self, principal: Principal) -> float | None:
        """Return when a login ends, by the monotonic clock."""
        if not principal.expires_at_ms:
            return None
        left_s = (principal.expires_at_ms - self._hub.now_ms()) / 1000
        return self._hub.now() + left_s

    async def load(self, conversation: ConversationId) -> Conversation:
        """Return a conversation that may be read. Raises `NotFound`."""
        assert self.principal is not None, "a request before welcome"
        return await self._hub.handler.load_conversation(self.principal, conversation)

    def needs_revalidation(self, now: float, interval_s: float) -> bool:
        """Whether the right to be connected should be looked at again."""
        return self.principal is not None and now > self._validated_at + interval_s

    async def revalidate(self) -> None:
        """Look again whether this principal may be connected."""
        self._validated_at = self._hub.now()
        if self.principal is None:
            return
        try:
            is_valid = await self._hub.handler.revalidate(self.principal)
        except KefuError:
            return  # The database is away; the next turn asks again.
        if not is_valid:
            self.close(CloseCode.UNAUTHORIZED, "revoked")

    # -- what the hub delivers ---------------------------------------------------------

    def attached(self) -> list[ConversationId]:
        """Conversations the hub offers to this connection."""
        return self.following.attached()

    def deliver(self, fanout: Fanout) -> None:
        """Send a message that was just committed."""
        self.following.deliver(fanout)

    def deliver_latest(
        self,
        subject: Hashable,
        frame: f.Frame,
        encoded: dict[str, bytes] | None = None,
    ) -> None:
        """Queue an event of which only the latest counts; `encoded` shares bytes."""
        if isinstance(frame, (f.Receipt, f.TypingEvent)) and (
            frame.conversation not in self.session.followers
        ):
            return  # Attached and not yet allowed, or not yet welcomed.
        cache = {} if encoded is None else encoded
        name = self.codec.name
        if name not in cache:
            cache[name] = self.codec.encode(frame)
        self.outbox.put_latest(subject, cache[name])
        self.wake()

    def deliver_list(self, frame: f.Frame, encoded: bytes | None) -> bool:
        """Queue a list's change; False if there is no room."""
        if not self.outbox.has_room:
            return False
        self.outbox.put(encoded if encoded is not None else self.codec.encode(frame))
        self.wake()
        return True

    def announce(self, head: f.Head) -> None:
        """Tell of a conversation that is not followed here."""
        if head.conversation not in self.session.followers:
            self.deliver_latest(("head", head.conversation), head)

    def wake(self) -> None:
        """Let the writer look at the outbox."""
        if self._buffer is not None:
            self._hub.ready(self)
        elif self._has_work is not None:
            self._has_work.set()

    # -- acting on the session's events ----------------------------------------------

    def act(self) -> None:
        """Do what the session asks for, and send what it answers."""
        for event in self.session.events():
            self._act_on(event)
        self.flush()

    def _act_on(self, event: ServerEvent) -> None:
        match event:
            case f.Send():
                self.sends.send(event)
            case f.Ack() | f.Read():
                read = event.seq if isinstance(event, f.Read) else Seq(0)
                me = self.name_in_followed(event.conversation)
                self._hub.receipts.advance(
                    event.conversation, me, delivered=event.seq, read=read
                )
            case f.Typing():
                self._typing(event)
            case f.Hello():
                assert self.tasks is not None, "a frame before run()"
                self.tasks.start_soon(answer_hello, self._hub, self, event)
            case f.Unfollow():
                self.following.stop(event.conversation)
            case f.Watch():
                self._watch(event)
            case f.Unwatch():
                self.watched.discard(event.topic)
                watched = self._hub.lists.find(event.topic)
                if watched is not None:
                    watched.unwatch(self)
            case CloseRequested():
                self._closing = event
            case _:
                self.requests.add(event)

    def flush(self) -> None:
        """Move the session's answers into the outbox."""
        frames = self.session.frames_to_send()
        if frames:
            encode, put = self.codec.encode, self.outbox.put
            for frame in frames:
                if type(frame) is f.ErrorFrame:
                    self._hub.counts.errors[self.peer.transport, str(frame.code)] += 1
                put(encode(frame))
            if self.outbox.is_overfull and self._closing is None:
                self.outbox.clear()
                self.close(CloseCode.SLOW, "answers are not read")
        if self._closing is not None:
            self.outbox.seal()
        if len(self.outbox) or self._closing is not None:
            self.wake()

    def _typing(self, typing: f.Typing) -> None:
        if typing.conversation not in self.session.followers:
            self.session.error(NotFound(), about=typing)
            return
        event = f.TypingEvent(
            conversation=typing.conversation,
            who=self.name_in_followed(typing.conversation),
            is_typing=typing.is_typing,
        )
        row = None if self.is_agent else self._hub.row(typing.conversation)
        is_shown = row is not None and self._hub.handler.shows_typing(row.site_id)
        hidden_text = typing.text if is_shown else ""
        self._hub.typing(self, event, hidden_text=hidden_text)

    def _watch(self, watch: f.Watch) -> None:
        assert self.principal is not None, "watch before welcome"
        # First: some lists begin with the first who may watch them.
        may = self._hub.handler.may_watch(self.principal, watch.topic)
        watched = self._hub.lists.find(watch.topic)
        if watched is None or not may:
            self.session.error(NotFound(), about=watch)
            return
        self.flush()
        self.watched.add(watch.topic)
        watched.watch(self, self.principal.sites, self._hub.handler.sees_row)

    def __repr__(self) -> str:
        return (
            f"<Connection {self.me or 'nobody'} {self.session.state} "
            f"outbox={len(self.outbox)}>"
        )
