"""Who is connected to this node, who follows what, and the one door to the log."""

import heapq
import itertools
import logging
import random
from collections import deque
from collections.abc import Callable, Collection
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from kefu_core import serving
from kefu_core.abc.handler import Handler
from kefu_core.abc.store import Outcome, PendingAppend, Store
from kefu_core.abc.streams import FrameStream
from kefu_core.abc.tracing import MessageTrace, MessageTracer
from kefu_core.counts import Counts
from kefu_core.errors import CloseCode, KefuError
from kefu_core.hub.arrivals import Arrivals
from kefu_core.hub.connection import Connection
from kefu_core.hub.fanout import Fanout
from kefu_core.hub.floods import Floods
from kefu_core.hub.lists import Lists
from kefu_core.hub.receipts import Receipts
from kefu_core.hub.statistics import HubStatistics, statistics_of
from kefu_core.limits import Limits
from kefu_core.model import Appended, Conversation, Cursor, Draft, Message
from kefu_core.protocol.frames import Head, Receipt, TypingEvent
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

logger = logging.getLogger(__name__)

_TICK_S = 0.5
_REVALIDATE_S = 60.0


class HubObserver(Protocol):
    """Is told what happened, in one step with it; must not block or raise."""

    def message_committed(self, appended: Appended) -> None:
        """A message was stored (never for a duplicate)."""

    def message_found(self, repeated: Appended) -> None:
        """A key was known: of a message that you may not have been told of."""

    def cursor_advanced(self, cursor: Cursor) -> None:
        """A participant acknowledged or read more."""

    def history_erased(self) -> None:
        """Texts or names were erased: what was kept of them must be looked at again."""


class Hub:
    """Connections of one node.

    Invariant: `submit` is the only way into the log for everything on this node, and
    `_done` runs in one step without an await: acknowledgement, fan-out, observers.
    """

    def __init__(
        self,
        store: Store,
        handler: Handler,
        limits: Limits,
        *,
        now: Callable[[], float],
        now_ms: Callable[[], int],
        rng: random.Random,
        tracer: MessageTracer | None = None,
    ) -> None:
        self.store = store
        self.tracer = tracer
        self.handler = handler
        self.limits = limits
        self.now = now
        self.now_ms = now_ms
        self.rng = rng
        self.lists = Lists()
        self.observers: list[HubObserver] = []
        self.receipts = Receipts(
            store, limits.receipt_interval_s, self._tell_receipt, Arrivals(self)
        )
        self.catchup_limiter = anyio.CapacityLimiter(limits.catchup_reads_max)
        self.hello_limiter = anyio.CapacityLimiter(limits.hello_reads_max)
        self.hello_pending = 0
        """Connections that have not been welcomed."""
        self.is_draining = False
        self.floods = Floods(now)
        self.counts = Counts()
        """What was refused and why connections ended."""
        self.damaged: set[ConversationId] = set()
        """Conversations of which a read found that they are not whole."""
        self._numbers = itertools.count(1)
        self._connections: dict[Connection, None] = {}
        self._followers: dict[ConversationId, dict[Connection, None]] = {}
        self._rows: dict[ConversationId, Conversation] = {}
        """Rows of followed conversations, kept fresh by every append."""
        self._rings: dict[ConversationId, deque[Message]] = {}
        """Newest messages of followed conversations, contiguous."""
        self._by_participant: dict[ParticipantId, dict[Connection, None]] = {}
        self._by_alias: dict[ParticipantId, dict[Connection, None]] = {}
        """Connections of people who have several names, by the others."""
        self._timers: list[tuple[float, int, Connection]] = []
        self._timer_ids = itertools.count()
        self._ready: dict[Connection, None] = {}
        """Connections over buffered streams that have something to write."""
        self._has_ready = anyio.Event()
        self._appends_in_flight = 0
        self._idle = anyio.Event()

    # -- life ------------------------------------------------------------------------

    async def run(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Run timers and receipts until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._run_timers, tasks)
            tasks.start_soon(self.receipts.run, self.is_followed)
            tasks.start_soon(self._run_revocations)
            tasks.start_soon(self._run_buffers)
            task_status.started()

    async def serve(self, stream: FrameStream) -> None:
        """Drive one connection until it ends. Raises nothing but cancellation."""
        connection = Connection(self, stream)
        connection.number = stream.number = str(next(self._numbers))
        token = serving.connection.set(connection.number)
        self._connections[connection] = None
        self.hello_pending += 1
        self.schedule(connection, self.now() + _TICK_S)
        try:
            await connection.run()
        finally:
            if not connection.was_welcomed:
                self.hello_pending -= 1
            self._forget(connection)
            serving.connection.reset(token)

    async def drain(self) -> None:
        """Leave gracefully: refuse new work, finish what is being committed, close.

        Bounded by `limits.drain_s`. Connections get `drain`, the answers to what they
        had sent, and a close code that says reconnect.
        """
        self.is_draining = True
        for connection in list(self._connections):
            connection.drain(self.limits.drain_s)
        with anyio.move_on_after(self.limits.drain_s):
            while self._appends_in_flight:
                self._idle = anyio.Event()
                await self._idle.wait()
            await self.receipts.flush()
            for connection in list(self._connections):
                connection.close(CloseCode.RESTART, "restart")
            while self._connections:
                await anyio.sleep(0.02)
        for connection in list(self._connections):
            connection.abort()

    @property
    def connection_count(self) -> int:
        """Connections of this node."""
        return len(self._connections)

    def connections(self) -> Collection[Connection]:
        """Return what is open now."""
        return self._connections.keys()

    @property
    def participant_count(self) -> int:
        """How many people have a connection here."""
        return len(self._by_participant)

    @property
    def followed_count(self) -> int:
        """How many conversations are followed here."""
        return len(self._followers)

    def statistics(self) -> HubStatistics:
        """Return what happens here now, and what was refused."""
        return statistics_of(self)

    # -- the log -----------------------------------------------------------------------

    def submit(self, append: PendingAppend, trace: MessageTrace | None = None) -> None:
        """Send a draft into the log; `append.done` is called after the fan-out.

        Raises:
            Busy, StoreUnavailable: Nothing was queued.
        """
        answer, waits = append.done, self.counts.waits

        def done(pending: PendingAppend, outcome: Outcome) -> None:
            self._appends_in_flight -= 1
            waits.add(self.now() - pending.submitted_at)
            if not self._appends_in_flight:
                self._idle.set()
            if trace is not None:
                trace.step("fan-out")
            answer(pending, outcome)
            if isinstance(outcome, Appended) and outcome.duplicate:
                self._found(outcome)
            elif isinstance(outcome, Appended):
                self._committed(outcome)
            if trace is not None and isinstance(outcome, Appended):
                trace.step("write")

        append.done = done
        self.store.submit(append)
        self._appends_in_flight += 1

    async def append(self, draft: Draft, *, patience_s: float = 0.0) -> Appended:
        """Append a message that the server itself writes, and wait for it.

        With patience it waits so long for a message that it can be committed with.

        Raises what `Store.append` raises. Cancellation: stored whole or not at all.
        """
        finished = anyio.Event()
        result: list[Outcome] = []

        def done(append: PendingAppend, outcome: Outcome) -> None:
            result.append(outcome)
            finished.set()

        size = 200 + len(draft.body)
        self.submit(
            PendingAppend(
                draft,
                done,
                size=size,
                submitted_at=self.now(),
                patience_s=patience_s,
            )
        )
        await finished.wait()
        outcome = result[0]
        if isinstance(outcome, Appended):
            return outcome
        raise outcome

    def _found(self, repeated: Appended) -> None:
        """Tell of a key that was there, maybe by a commit whose answer was lost.

        Nobody was told of such a message, so followers look whether they have it.
        """
        row = repeated.conversation
        if row is None:
            return
        followers = self._followers.get(row.id)
        if followers:
            known = self._rows.get(row.id)
            if known is None or known.last_seq < row.last_seq:
                self._rows[row.id] = row
            for connection in list(followers):
                connection.following.hint(row.id, row.last_seq)
        for observer in self.observers:
            observer.message_found(repeated)

    def _committed(self, appended: Appended) -> None:
        message = appended.message
        conversation = message.conversation
        followers = self._followers.get(conversation)
        if followers:
            if appended.conversation is not None:
                self._rows[conversation] = appended.conversation
            ring = self._rings.get(conversation)
            if ring is None or (ring and ring[-1].seq + 1 != message.seq):
                ring = self._rings[conversation] = deque(
                    maxlen=self.limits.ring_messages
                )
            ring.append(message)
            fanout = Fanout(message)
            for connection in list(followers):
                connection.deliver(fanout)
        for observer in self.observers:
            observer.message_committed(appended)

    # -- following ---------------------------------------------------------------------

    def attach(self, connection: Connection, conversation: ConversationId) -> None:
        """Offer every append to a connection from this moment on.

        Done before the head is read, so that nothing falls between; what arrives
        before permission is checked is noted as a number and not shown.
        """
        self._followers.setdefault(conversation, {})[connection] = None

    def subscribe(self, connection: Connection, row: Conversation) -> None:
        """Attach a follower whose row was loaded."""
        self.attach(connection, row.id)
        known = self._rows.get(row.id)
        if known is None or known.last_seq < row.last_seq:
            self._rows[row.id] = row

    def unsubscribe(self, connection: Connection, conversation: ConversationId) -> None:
        """Detach a follower; the last one takes the conversation's memory along."""
        followers = self._followers.get(conversation)
        if followers is None:
            return
        followers.pop(connection, None)
        if not followers:
            del self._followers[conversation]
            self._rows.pop(conversation, None)
            self._rings.pop(conversation, None)
            self.receipts.forget(conversation)

    def is_followed(self, conversation: ConversationId) -> bool:
        """Whether anybody here follows a conversation."""
        return conversation in self._followers

    def row(self, conversation: ConversationId) -> Conversation | None:
        """Return the fresh row of a followed conversation."""
        return self._rows.get(conversation)

    def recent(
        self, conversation: ConversationId, after: Seq, limit: int
    ) -> list[Message] | None:
        """Return messages after a seq from memory, None if it does not reach back."""
        ring = self._rings.get(conversation)
        if not ring or ring[0].seq > after + 1:
            return None
        skip = max(0, after + 1 - ring[0].seq)
        return list(itertools.islice(ring, skip, skip + limit))

    def next_known(self, conversation: ConversationId, after: Seq) -> Message | None:
        """Return the message after a seq from memory, in one step."""
        ring = self._rings.get(conversation)
        if not ring:
            return None
        place = after + 1 - ring[0].seq
        return ring[place] if 0 <= place < len(ring) else None

    def forget(self, conversation: ConversationId | None = None) -> None:
        """Drop the messages kept in memory, of one conversation or of all.

        After an erasure: catching up reads the store again, and observers look at what
        they show. Nothing is lost by it.
        """
        if conversation is None:
            self._rings.clear()
        else:
            self._rings.pop(conversation, None)
        for observer in self.observers:
            observer.history_erased()

    # -- people ------------------------------------------------------------------------

    def joined(self, connection: Connection) -> int:
        """Note a welcomed connection; returns how many this participant has."""
        self.hello_pending -= 1
        mine = self._by_participant.setdefault(connection.me, {})
        mine[connection] = None
        for alias in connection.aliases:
            self._by_alias.setdefault(alias, {})[connection] = None
        return len(mine)

    def left(self, connection: Connection) -> None:
        """Give a participant's place free: the peer is gone, whatever still runs."""
        mine = self._by_participant.get(connection.me)
        if mine is not None:
            mine.pop(connection, None)
            if not mine:
                del self._by_participant[connection.me]
        for alias in connection.aliases:
            known = self._by_alias.get(alias, {})
            known.pop(connection, None)
            if not known:
                self._by_alias.pop(alias, None)

    def receiving_agents(self) -> set[ParticipantId]:
        """Return the agents of whom a connection here receives."""
        agents = {each.me for each in self._connections if each.is_agent}
        return {who for who in agents if self.is_receiving(who)}

    def is_receiving(self, participant: ParticipantId) -> bool:
        """Whether a connection of a participant here is alive and reads."""
        now = self.now()
        mine = self._by_participant.get(participant, ())
        return any(each.is_heard(now) for each in mine)

    def here_since(self, participant: ParticipantId) -> UnixMs | None:
        """Return since when a participant has been receiving here, None if not now."""
        now = self.now()
        by_name, by_alias = self._by_participant, self._by_alias
        theirs = {**by_name.get(participant, {}), **by_alias.get(participant, {})}
        heard = [each.here_since for each in theirs if each.is_heard(now)]
        return min(heard, default=None)

    def connections_of(self, participant: ParticipantId) -> int:
        """How many connections a participant has here."""
        return len(self._by_participant.get(participant, ()))

    def announce_head(
        self,
        participant: ParticipantId,
        conversation: ConversationId,
        last_seq: Seq,
        *,
        site_id: int,
    ) -> None:
        """Tell a participant's connections on one site of a conversation to follow."""
        head = Head(conversation=conversation, last_seq=last_seq)
        by_name, by_alias = self._by_participant, self._by_alias
        theirs = {**by_name.get(participant, {}), **by_alias.get(participant, {})}
        for connection in theirs:
            principal = connection.principal
            if principal is not None and principal.site_id == site_id:
                connection.announce(head)

    def drop_session(
        self, session: str, code: CloseCode = CloseCode.UNAUTHORIZED
    ) -> None:
        """End the live connections of a login that was revoked."""
        for connection in list(self._connections):
            if connection.principal and connection.principal.session == session:
                connection.close(code, "revoked")

    def typing(
        self, source: Connection, event: TypingEvent, *, hidden_text: str
    ) -> None:
        """Tell the other side that somebody types; agents see the text, best effort."""
        for connection in list(self._followers.get(event.conversation, ())):
            if connection is source or connection.me == source.me:
                continue
            shown = event
            if hidden_text and connection.is_agent:
                shown = TypingEvent(
                    conversation=event.conversation,
                    who=event.who,
                    text=hidden_text,
                    is_typing=event.is_typing,
                )
            connection.deliver_latest(("typing", shown.conversation, shown.who), shown)

    def _tell_receipt(self, cursor: Cursor) -> None:
        receipt = Receipt(
            conversation=cursor.conversation,
            who=cursor.participant,
            delivered=cursor.delivered,
            read=cursor.read,
        )
        subject = ("receipt", cursor.conversation, cursor.participant)
        encoded: dict[str, bytes] = {}
        for connection in list(self._followers.get(cursor.conversation, ())):
            connection.deliver_latest(subject, receipt, encoded)
        for observer in self.observers:
            observer.cursor_advanced(cursor)

    # -- writing -----------------------------------------------------------------------

    def ready(self, connection: Connection) -> None:
        """Write for a connection over a buffered stream, in the next step."""
        if not self._ready:
            self._has_ready.set()
        self._ready[connection] = None

    async def _run_buffers(self) -> None:
        """One task that writes for all buffered streams: none of them waits."""
        while True:
            await self._has_ready.wait()
            self._has_ready = anyio.Event()
            ready, self._ready = self._ready, {}
            for connection in ready:
                serving.connection.set(connection.number)
                try:
                    connection.write_buffer()
                except Exception:
                    logger.exception("a connection ends by a fault of ours")
                    connection.abort()

    # -- timers ------------------------------------------------------------------------

    def schedule(self, connection: Connection, at: float) -> None:
        """Call `connection.tick` once, soon after `at`."""
        heapq.heappush(self._timers, (at, next(self._timer_ids), connection))

    async def _run_timers(self, tasks: TaskGroup) -> None:
        """One task for all connections: a timer that moved is found when it fires."""
        while True:
            await anyio.sleep(_TICK_S)
            now = self.now()
            while self._timers and self._timers[0][0] <= now:
                _, _, connection = heapq.heappop(self._timers)
                if connection not in self._connections:
                    continue
                # What it says and starts is this connection's.
                serving.connection.set(connection.number)
                if connection.needs_revalidation(now, _REVALIDATE_S):
                    tasks.start_soon(connection.revalidate)
                self.schedule(connection, max(connection.tick(now), now + _TICK_S))

    async def _run_revocations(self) -> None:
        """End the connections of logins that were revoked anywhere."""
        while True:
            await anyio.sleep(self.limits.revocation_check_s)
            principals = [c.principal for c in self._connections]
            agents = {p for p in principals if p and p.is_agent and p.session}
            if not agents:
                continue
            try:
                revoked = await self.handler.find_revoked(agents)
            except KefuError as error:
                logger.info("logins are looked up at the next turn: %s", error)
                continue
            for connection in list(self._connections) if revoked else ():
                if connection.principal in revoked:
                    connection.close(CloseCode.UNAUTHORIZED, "revoked")

    def _forget(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        for conversation in connection.attached():
            self.unsubscribe(connection, conversation)
        for topic in connection.watched:
            self.lists.topic(topic).unwatch(connection)
        self.left(connection)

    def unix_ms(self) -> UnixMs:
        """Return the wall clock, for what people are shown."""
        return UnixMs(self.now_ms())
