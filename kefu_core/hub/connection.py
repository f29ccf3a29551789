"""Drives one `ServerSession` over one `FrameStream`.

::

    reader   stream.receive ─▶ session.receive ─▶ events ─▶ act ─▶ frames ─▶ outbox
    writer   outbox ─▶ stream.send                       (the only one that writes)
    worker   follow, fetch, call, auth: one at a time, in order, started on demand
    reads    one catch-up a conversation, limited across the node

The reader never waits for the store: a server that stops reading its sockets stops
hearing heartbeats. A send goes to the appender's queue in the same step; its answer
comes back through `_append_done` in the step of the commit.
"""

import logging
from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from kefu_core.abc.store import Outcome, PendingAppend
from kefu_core.abc.streams import FrameStream
from kefu_core.errors import (
    Busy,
    CloseCode,
    ConnectionClosed,
    KefuError,
    NotAllowed,
    NotFound,
    OutOfOrder,
    RefusedError,
    Unauthorized,
)
from kefu_core.hub.fanout import Fanout, page_message
from kefu_core.hub.outbox import Outbox
from kefu_core.model import Appended, Conversation, Message, Person, Principal
from kefu_core.protocol import frames as f
from kefu_core.protocol.cursors import LogFollower
from kefu_core.protocol.events import CloseRequested, ServerEvent
from kefu_core.protocol.server import ServerSession, internal_error
from kefu_core.types import ConversationId, ParticipantId, Seq

if TYPE_CHECKING:
    from kefu_core.hub.hub import Hub

logger = logging.getLogger(__name__)

_NOBODY = ParticipantId("")
_READ_RETRY_S = 0.5
_TICK_MAX_S = 4.0


def _rights_of(principal: Principal | None) -> object:
    """What must stay as it is: what is followed was allowed for exactly this."""
    return principal and (principal.participant, principal.role, principal.site_id)


class Connection:
    """A session plus its I/O."""

    def __init__(self, hub: "Hub", stream: FrameStream) -> None:
        now = hub.now()
        self.codec = stream.codec
        self.session = ServerSession(hub.limits, now)
        self.principal: Principal | None = None
        self.me = _NOBODY
        self.is_agent = False
        self.watched: set[str] = set()
        self.was_welcomed = False
        self._hub = hub
        self._stream = stream
        self._outbox = Outbox(hub.limits)
        self._wake = anyio.Event()
        """Set when the writer has something to do."""
        self._drained = anyio.Event()
        """Set when the outbox has emptied to the half."""
        self._writing_since: float | None = None
        self._closing: CloseRequested | None = None
        self._tasks: TaskGroup | None = None
        self._requests: deque[f.Frame] = deque()
        self._is_working = False
        self._sends_queued: dict[ConversationId, int] = {}
        """Sends that wait because their conversation is not known yet."""
        self._lane_breaks = 0
        """How often a lane broke: a send that was loading meanwhile must not pass."""
        self._known: dict[ConversationId, Conversation] = {}
        """Conversations that may be written to without being followed."""
        self._in_flight: dict[ConversationId, dict[PendingAppend, f.Send]] = {}
        self._attached: dict[ConversationId, None] = {}
        """Attached at the hub and not followed yet."""
        self._early_heads: dict[ConversationId, Seq] = {}
        """Appends seen between attaching and following."""
        self._lagging: dict[ConversationId, None] = {}
        """Followers that wait for room or for a read."""
        self._validated_at = now

    # -- life ------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until either side closes. Raises nothing but cancellation."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                tasks.start_soon(self._write)
                await self._read()
                tasks.cancel_scope.cancel()
        except* ConnectionClosed:
            pass
        except* Exception as group:
            logger.error("connection ended by a fault of ours", exc_info=group)
        finally:
            self._tasks = None
            self.session.receive_eof(self._hub.now())
            closing = self._closing or CloseRequested(CloseCode.NORMAL)
            with anyio.CancelScope(shield=True):
                await self._stream.aclose(closing.code, closing.reason)

    def drain(self, within_s: float) -> None:
        """Announce the end; the session refuses new work from here on."""
        self.session.drain(within_s)
        self._flush()

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Close once what waits is written."""
        self.session.close(code, reason)
        self._act()

    def abort(self) -> None:
        """End at once; for a peer that does not read."""
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()

    async def _read(self) -> None:
        receive, session, now = self._stream.receive, self.session, self._hub.now
        while True:
            items = await receive()
            session.receive(items, now())
            self._act()

    async def _write(self) -> None:
        outbox, send, now = self._outbox, self._stream.send, self._hub.now
        while True:
            if not len(outbox):
                if self._closing is not None:
                    self.abort()
                    return
                self._wake = anyio.Event()
                await self._wake.wait()
            batch = outbox.take()
            if not batch:
                continue
            self._writing_since = started = now()
            await send(batch)
            self._writing_since = None
            self.session.wrote(started)
            if outbox.is_half_empty:
                self._drained.set()
                if self._lagging:
                    for conversation in list(self._lagging):
                        self._pump(conversation)
                for topic in self.watched:
                    self._hub.lists.topic(topic).has_room_again(self)

    def tick(self, now: float) -> float:
        """Do what is due; returns when to call again at the latest."""
        writing = self._writing_since
        if writing is not None and now - writing > self._hub.limits.write_timeout_s:
            logger.info("a peer accepted nothing for %.0f s", now - writing)
            self.abort()
        elif now >= self.session.next_timer():
            self.session.handle_timer(now)
            self._act()
        return min(self.session.next_timer(), now + _TICK_MAX_S)

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

    def attached(self) -> list[ConversationId]:
        """Conversations the hub offers to this connection."""
        return list({**self.session.followers, **self._attached})

    # -- what the hub delivers ---------------------------------------------------------

    def deliver(self, fanout: Fanout) -> None:
        """Send a message that was just committed, if it is this follower's next."""
        message = fanout.message
        conversation, seq = message.conversation, message.seq
        follower = self.session.followers.get(conversation)
        if follower is None:
            self._early_heads[conversation] = seq
        elif follower.offer(seq, has_room=self._outbox.has_room):
            self._put_message(fanout)
        else:
            self._lagging[conversation] = None
            self._pump(conversation)

    def deliver_latest(
        self,
        subject: Hashable,
        frame: f.Frame,
        encoded: dict[str, bytes] | None = None,
    ) -> None:
        """Queue an event of which only the latest counts; `encoded` shares bytes."""
        if isinstance(frame, f.Receipt) and frame.conversation not in (
            self.session.followers
        ):
            return
        cache = {} if encoded is None else encoded
        name = self.codec.name
        if name not in cache:
            cache[name] = self.codec.encode(frame)
        self._outbox.put_latest(subject, cache[name])
        self._wake.set()

    def deliver_list(self, frame: f.Frame, encoded: bytes | None) -> bool:
        """Queue a list's change; False if there is no room."""
        if not self._outbox.has_room:
            return False
        self._outbox.put(encoded if encoded is not None else self.codec.encode(frame))
        self._wake.set()
        return True

    def announce(self, head: f.Head) -> None:
        """Tell of a conversation that is not followed here."""
        if head.conversation not in self.session.followers:
            self.deliver_latest(("head", head.conversation), head)

    # -- acting on the session's events ----------------------------------------------

    def _act(self) -> None:
        for event in self.session.events():
            self._act_on(event)
        self._flush()

    def _act_on(self, event: ServerEvent) -> None:
        match event:
            case f.Send():
                self._send(event)
            case f.Ack() | f.Read():
                read = event.seq if isinstance(event, f.Read) else Seq(0)
                self._hub.receipts.advance(
                    event.conversation, self.me, delivered=event.seq, read=read
                )
            case f.Typing():
                self._typing(event)
            case f.Hello():
                assert self._tasks is not None, "a frame before run()"
                self._tasks.start_soon(self._authenticate, event)
            case f.Unfollow():
                self.session.unfollowed(event.conversation)
                self._lagging.pop(event.conversation, None)
                self._hub.unsubscribe(self, event.conversation)
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
                self._request(event)

    def _flush(self) -> None:
        """Move the session's answers into the outbox."""
        frames = self.session.frames_to_send()
        if frames:
            encode, put = self.codec.encode, self._outbox.put
            for frame in frames:
                put(encode(frame))
            if self._outbox.is_overfull and self._closing is None:
                self._outbox.clear()
                self.close(CloseCode.SLOW, "answers are not read")
        if len(self._outbox) or self._closing is not None:
            self._wake.set()

    def _typing(self, typing: f.Typing) -> None:
        if typing.conversation not in self.session.followers:
            self.session.error(NotFound(), about=typing)
            return
        event = f.TypingEvent(
            conversation=typing.conversation, who=self.me, is_typing=typing.is_typing
        )
        hidden_text = "" if self.is_agent else typing.text
        self._hub.typing(self, event, hidden_text=hidden_text)

    def _watch(self, watch: f.Watch) -> None:
        assert self.principal is not None, "watch before welcome"
        watched = self._hub.lists.find(watch.topic)
        may = self._hub.handler.may_watch(self.principal, watch.topic)
        if watched is None or not may:
            self.session.error(NotFound(), about=watch)
            return
        self._flush()
        self.watched.add(watch.topic)
        watched.watch(self)

    # -- sending into the log --------------------------------------------------------

    def _send(self, send: f.Send) -> None:
        row = self._hub.row(send.conversation) or self._known.get(send.conversation)
        may_submit = (
            send.conversation in self.session.followers
            or send.conversation in self._known
        )
        if (
            row is None
            or not may_submit
            or self._sends_queued.get(send.conversation, 0)
        ):
            self._sends_queued[send.conversation] = (
                self._sends_queued.get(send.conversation, 0) + 1
            )
            self._request(send)
        else:
            self._submit(send, row)

    def _submit(self, send: f.Send, row: Conversation) -> None:
        assert self.principal is not None, "send before welcome"
        try:
            draft = self._hub.handler.draft(self.principal, row, send)
            size = 200 + len(draft.body) + (len(str(draft.data)) if draft.data else 0)
            append = PendingAppend(
                draft, self._append_done, size=size, submitted_at=self._hub.now()
            )
            self._hub.submit(append)
        except KefuError as error:
            self._send_failed(send, error)
        else:
            self._in_flight.setdefault(send.conversation, {})[append] = send

    def _append_done(self, append: PendingAppend, outcome: Outcome) -> None:
        in_flight = self._in_flight.get(append.draft.conversation)
        send = in_flight.pop(append, None) if in_flight else None
        if send is None:
            return  # Voided: it was answered when its lane broke.
        if not in_flight:
            del self._in_flight[append.draft.conversation]
        if isinstance(outcome, Appended):
            message = outcome.message
            self.session.sent(
                f.Sent(
                    key=message.key,
                    conversation=message.conversation,
                    seq=message.seq,
                    at=message.at,
                    duplicate=outcome.duplicate,
                )
            )
        else:
            self._send_failed(send, outcome)
        self._flush()

    def _send_failed(self, send: f.Send, error: KefuError) -> None:
        if not self.session.failed(send, error):
            return
        # G14: what this client sent later must not be stored before this one.
        self._lane_breaks += 1
        conversation = send.conversation
        in_flight = self._in_flight.get(conversation, {})
        for append, later in list(in_flight.items()):
            if later.n >= send.n:
                append.void = True
                del in_flight[append]
                self.session.failed(later, OutOfOrder())
        kept: deque[f.Frame] = deque()
        for request in self._requests:
            if isinstance(request, f.Send) and request.conversation == conversation:
                self._sends_queued[conversation] -= 1
                self.session.failed(request, OutOfOrder())
            else:
                kept.append(request)
        self._requests = kept

    # -- requests, one at a time -----------------------------------------------------

    def _request(self, frame: f.Frame) -> None:
        if len(
            self._requests
        ) >= self._hub.limits.requests_waiting_max and not isinstance(frame, f.Send):
            busy = Busy("Too many requests wait.", retry_after_s=0.5)
            self.session.error(busy, about=frame)
            return
        self._requests.append(frame)
        if not self._is_working and self._tasks is not None:
            self._is_working = True
            self._tasks.start_soon(self._work)

    async def _work(self) -> None:
        try:
            while self._requests:
                while not self._outbox.is_half_empty:
                    # A peer that asks for pages and does not read them waits for
                    # itself, not in our memory (G7).
                    self._drained = anyio.Event()
                    await self._drained.wait()
                if not self._requests:
                    return
                await self._answer(self._requests.popleft())
                self._act()
        finally:
            self._is_working = False

    async def _answer(self, request: f.Frame) -> None:
        try:
            match request:
                case f.Send():
                    await self._answer_send(request)
                case f.Follow():
                    await self._answer_follow(request)
                case f.Fetch():
                    await self._answer_fetch(request)
                case f.Call():
                    await self._answer_call(request)
                case f.Auth():
                    await self._answer_auth(request)
                case _:
                    raise AssertionError(f"{request!r} is not a request")
        except KefuError as error:
            self.session.error(error, about=request)
        except Exception:
            logger.exception("a request failed by a fault of ours")
            self.session.error(internal_error(), about=request)

    async def _answer_send(self, send: f.Send) -> None:
        # Counted down only when it was submitted: a send that comes in meanwhile
        # must queue behind this one.
        conversation = send.conversation
        breaks = self._lane_breaks
        row = self._known.get(conversation)
        try:
            if row is None:
                row = await self._load(conversation)
        except KefuError as error:
            self._sends_queued[conversation] -= 1
            self._send_failed(send, error)
            return
        self._sends_queued[conversation] -= 1
        if len(self._known) < self._hub.limits.cursors_max:
            self._known[conversation] = row
        if breaks == self._lane_breaks:
            self._submit(send, row)
        else:
            # An earlier send may have failed during the load (G14).
            self._send_failed(send, OutOfOrder())

    async def _answer_follow(self, follow: f.Follow) -> None:
        self._attach(follow.conversation)
        try:
            row = await self._load(follow.conversation)
        except BaseException:
            self._detach(follow.conversation)
            raise
        self._start_following(row, follow.after)
        await self._load_receipts(row.id)

    async def _answer_fetch(self, fetch: f.Fetch) -> None:
        row = await self._load(fetch.conversation)
        limit = fetch.limit
        messages = await self._hub.store.history(
            fetch.conversation, after=fetch.after, before=fetch.before, limit=limit + 1
        )
        more = len(messages) > limit
        if more:
            messages = messages[:limit] if fetch.after is not None else messages[1:]
        messages, cut = self._within_page(messages, from_end=fetch.after is None)
        self.session.answer(
            f.Page(
                id=fetch.id,
                conversation=fetch.conversation,
                messages=[
                    page_message(m, as_visitor=not self.is_agent, reader=self.me)
                    for m in messages
                ],
                more=more or cut,
                head=max(row.last_seq, messages[-1].seq if messages else Seq(0)),
            )
        )

    def _within_page(
        self, messages: list[Message], *, from_end: bool
    ) -> tuple[list[Message], bool]:
        """Cut a page at its limit of bytes, keeping the side next to the cursor."""
        budget = self._hub.limits.page_bytes_max
        kept = 0
        for message in reversed(messages) if from_end else messages:
            budget -= 100 + 3 * len(message.body)
            if budget < 0 and kept:
                break
            kept += 1
        if kept == len(messages):
            return messages, False
        return (messages[-kept:] if from_end else messages[:kept]), True

    async def _answer_call(self, call: f.Call) -> None:
        assert self.principal is not None, "call before welcome"
        if self._hub.is_draining:
            raise Busy("This node is going away.", retry_after_s=1.0)
        result = await self._hub.handler.call(self.principal, call.method, call.params)
        self.session.answer(f.Reply(id=call.id, result=result))

    async def _answer_auth(self, auth: f.Auth) -> None:
        principal = await self._hub.handler.authenticate(auth.token, self._stream.peer)
        if _rights_of(principal) != _rights_of(self.principal):
            raise NotAllowed("This token is somebody else's.")
        self.principal = principal
        self.session.authorized(self._expiry(principal), principal.expires_at_ms)

    async def _load(self, conversation: ConversationId) -> Conversation:
        assert self.principal is not None, "a request before welcome"
        return await self._hub.handler.load_conversation(self.principal, conversation)

    # -- hello -----------------------------------------------------------------------

    async def _authenticate(self, hello: f.Hello) -> None:
        hub = self._hub
        try:
            if hub.is_draining:
                self.close(CloseCode.RESTART, "restart")
                return
            principal = await hub.handler.authenticate(hello.token, self._stream.peer)
            self._admit(principal)
            await self._welcome(hello, principal)
        except Unauthorized as error:
            self.session.error(error, about=hello)
            self.close(CloseCode.UNAUTHORIZED, error.text)
        except KefuError as error:
            self.session.error(error, about=hello)
            self.close(CloseCode.OVERLOADED, error.text)
        except Exception:
            logger.exception("hello failed by a fault of ours")
            self.session.error(internal_error(), about=hello)
            self.close(CloseCode.OVERLOADED)
        self._act()

    def _admit(self, principal: Principal) -> None:
        limits = self._hub.limits
        maximum = (
            limits.agent_connections_max
            if principal.is_agent
            else limits.visitor_connections_max
        )
        if self._hub.connections_of(principal.participant) >= maximum:
            raise Busy(f"At most {maximum} connections at once.", retry_after_s=5.0)

    async def _welcome(self, hello: f.Hello, principal: Principal) -> None:
        hub = self._hub
        self.principal, self.me = principal, principal.participant
        self.is_agent = principal.is_agent
        same_history = hello.epoch in ("", hub.store.epoch)
        wanted = hello.cursors if same_history else {}
        for conversation in wanted:
            self._attach(conversation)
        rows = {row.id: row for row in await hub.handler.conversations(principal)}
        for conversation in wanted:
            if conversation not in rows:
                try:
                    rows[conversation] = await self._load(conversation)
                except RefusedError:
                    self._detach(conversation)
        heads = {row.id: self._head(row) for row in rows.values()}
        resumed = same_history and all(
            after <= heads.get(conversation, after)
            for conversation, after in wanted.items()
        )
        if self.session.state != "authenticating":
            return  # Closed while the store was asked.
        self.was_welcomed = True
        hub.joined(self)
        self.session.welcome(
            session=f"{hub.rng.getrandbits(64):016x}",
            epoch=hub.store.epoch,
            resumed=resumed,
            me=Person(id=self.me, name=principal.name, role=principal.role),
            heads=heads,
            at=hub.unix_ms(),
            expires_at=self._expiry(principal),
        )
        followed = [c for c in wanted if c in rows]
        for conversation in followed:
            if resumed:
                self._start_following(rows[conversation], wanted[conversation])
            else:
                self._detach(conversation)
        self._flush()
        if resumed:
            for conversation in followed:
                await self._load_receipts(conversation)

    def _expiry(self, principal: Principal) -> float | None:
        if not principal.expires_at_ms:
            return None
        left_s = (principal.expires_at_ms - self._hub.now_ms()) / 1000
        return self._hub.now() + left_s

    # -- following -------------------------------------------------------------------

    def _head(self, row: Conversation) -> Seq:
        fresh = self._hub.row(row.id)
        early = self._early_heads.get(row.id, Seq(0))
        return max(row.last_seq, early, fresh.last_seq if fresh else Seq(0))

    def _attach(self, conversation: ConversationId) -> None:
        self._attached[conversation] = None
        self._hub.attach(self, conversation)

    def _detach(self, conversation: ConversationId) -> None:
        self._attached.pop(conversation, None)
        self._early_heads.pop(conversation, None)
        if conversation not in self.session.followers:
            self._hub.unsubscribe(self, conversation)

    def _start_following(self, row: Conversation, after: Seq) -> None:
        head = self._head(row)
        self._early_heads.pop(row.id, None)
        self._hub.subscribe(self, row)
        self.session.followed(row.id, after, head)
        if row.id not in self.session.followers:
            self._detach(row.id)  # Refused: the cursor is ahead.
            return
        self._attached.pop(row.id, None)
        self._known.pop(row.id, None)
        if after:
            self._hub.receipts.advance(row.id, self.me, delivered=after)
        self._flush()
        self._pump(row.id)

    async def _load_receipts(self, conversation: ConversationId) -> None:
        """Tell how far the others have come."""
        receipts = self._hub.receipts
        try:
            if not receipts.is_loaded(conversation):
                stored = await self._hub.store.cursors(conversation)
                receipts.merge_stored(conversation, stored)
        except KefuError as error:
            logger.info("receipts come later: %s", error)
        for cursor in receipts.of(conversation):
            frame = f.Receipt(
                conversation=conversation,
                who=cursor.participant,
                delivered=cursor.delivered,
                read=cursor.read,
            )
            self.deliver_latest(("receipt", conversation, cursor.participant), frame)

    def _pump(self, conversation: ConversationId) -> None:
        """Bring a follower on: from memory in this step, else by a read."""
        follower = self.session.followers.get(conversation)
        if follower is None or self._tasks is None:
            self._lagging.pop(conversation, None)
            return
        while follower.wants_read(has_room=self._outbox.has_room):
            recent = self._hub.recent(
                conversation, follower.cursor, self._hub.limits.page_messages_max
            )
            if not recent or not self._take(follower, recent):
                follower.read_started()
                self._tasks.start_soon(self._catch_up, conversation, follower)
                break
        if follower.head > follower.cursor:
            self._lagging[conversation] = None
        else:
            self._lagging.pop(conversation, None)

    async def _catch_up(
        self, conversation: ConversationId, follower: LogFollower
    ) -> None:
        hub = self._hub
        try:
            async with hub.catchup_limiter:
                rows = await hub.store.history(
                    conversation,
                    after=follower.cursor,
                    limit=hub.limits.page_messages_max,
                )
        except KefuError as error:
            logger.info("a catch-up read failed and is tried again: %s", error)
            await anyio.sleep(_READ_RETRY_S)
            rows = None
        finally:
            follower.read_finished()
        if self.session.followers.get(conversation) is not follower:
            return
        if rows is not None and not self._take(follower, rows) and not rows:
            # Nothing is there: the hint was wrong. Believing it would read for ever.
            follower.head = follower.cursor
        self._pump(conversation)

    def _take(self, follower: LogFollower, messages: list[Message]) -> bool:
        """Queue messages that continue the log while there is room."""
        took_any = False
        for message in messages:
            if not self._outbox.has_room:
                break
            if message.seq <= follower.cursor:
                continue
            if not follower.take(message.seq):
                break
            self._put_message(Fanout(message))
            took_any = True
        return took_any

    def _put_message(self, fanout: Fanout) -> None:
        self._outbox.put(
            fanout.encoded(self.codec, as_visitor=not self.is_agent, reader=self.me)
        )
        self._wake.set()

    def __repr__(self) -> str:
        return (
            f"<Connection {self.me or 'nobody'} {self.session.state} "
            f"outbox={len(self._outbox)}>"
        )
