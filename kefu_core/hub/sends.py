"""A connection's way into the log: what it sends is stored in its order (G14)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from kefu_core import serving
from kefu_core.abc.store import Outcome, PendingAppend
from kefu_core.abc.tracing import MessageTrace
from kefu_core.errors import KefuError, OutOfOrder
from kefu_core.model import Appended, Conversation
from kefu_core.protocol import frames as f
from kefu_core.types import ConversationId

if TYPE_CHECKING:
    from kefu_core.hub.connection import Connection
    from kefu_core.hub.hub import Hub


class Sends:
    """Sends on their way: waiting for their conversation's row, or in the appender."""

    __slots__ = (
        "_breaks",
        "_connection",
        "_hub",
        "_in_flight",
        "_known",
        "_queued",
    )

    def __init__(self, hub: "Hub", connection: "Connection") -> None:
        self._hub = hub
        self._connection = connection
        self._queued: dict[ConversationId, int] = {}
        """How many wait among the requests because their row is not known yet."""
        self._breaks = 0
        """How often a lane broke: a send that was loading meanwhile must not pass."""
        self._known: dict[ConversationId, Conversation] = {}
        """Conversations that may be written to without being followed."""
        self._in_flight: dict[ConversationId, dict[PendingAppend, f.Send]] = {}

    def send(self, send: f.Send) -> None:
        """Submit a send, or queue it behind what it must not overtake."""
        conversation = send.conversation
        session = self._connection.session
        if session.is_overtaken(send):
            # One before it, in the same batch, was refused a moment ago (G14).
            session.failed(send, OutOfOrder())
            return
        row = self._hub.row(conversation) or self._known.get(conversation)
        may_submit = conversation in session.followers or conversation in self._known
        if row is None or not may_submit or conversation in self._queued:
            self._queued[conversation] = self._queued.get(conversation, 0) + 1
            self._connection.requests.add(send)
        else:
            self._submit(send, row)

    def forget(self, conversation: ConversationId) -> None:
        """Drop the row of a conversation that is followed from now on."""
        self._known.pop(conversation, None)

    async def answer(self, send: f.Send) -> None:
        """Work off a send that waited among the requests."""
        # Counted down only when it was submitted: a send that comes in meanwhile
        # must queue behind this one.
        conversation = send.conversation
        breaks = self._breaks
        row = self._known.get(conversation)
        try:
            if row is None:
                row = await self._connection.load(conversation)
        except KefuError as error:
            self._dequeued(conversation)
            self._failed(send, error)
            return
        self._dequeued(conversation)
        if len(self._known) < self._hub.limits.cursors_max:
            self._known[conversation] = row
        if breaks == self._breaks:
            self._submit(send, row)
        else:
            # An earlier send may have failed during the load (G14).
            self._failed(send, OutOfOrder())

    def _dequeued(self, conversation: ConversationId) -> None:
        self._queued[conversation] -= 1
        if not self._queued[conversation]:
            del self._queued[conversation]

    def _submit(self, send: f.Send, row: Conversation) -> None:
        principal = self._connection.principal
        assert principal is not None, "send before welcome"
        trace = None if self._hub.tracer is None else self._begin(send)
        try:
            draft = self._hub.handler.draft(principal, row, send)
            size = 200 + len(draft.body) + (len(str(draft.data)) if draft.data else 0)
            append = PendingAppend(
                draft, self._done, size=size, submitted_at=self._hub.now()
            )
            if trace is not None:
                trace.step("commit")
                append.done = self._traced(trace)
            self._hub.submit(append, trace)
        except KefuError as error:
            if trace is not None:
                trace.end(error.code)
            self._failed(send, error)
        else:
            self._in_flight.setdefault(send.conversation, {})[append] = send

    def _begin(self, send: f.Send) -> MessageTrace | None:
        tracer, connection = self._hub.tracer, self._connection
        assert tracer is not None, "traced without a tracer"
        trace = tracer.begin(
            conversation=send.conversation,
            connection=connection.number,
            request=serving.request.get(),
            transport=connection.peer.transport,
        )
        if trace is not None:
            trace.step("check")
        return trace

    def _traced(self, trace: MessageTrace) -> Callable[[PendingAppend, Outcome], None]:
        """Return what answers a message and tells its trace."""

        def done(append: PendingAppend, outcome: Outcome) -> None:
            self._done(append, outcome)
            if not isinstance(outcome, Appended):
                trace.end(outcome.code)
                return
            trace.stored(outcome.message.seq, is_duplicate=outcome.duplicate)
            if self._connection.tasks is None:
                trace.end("gone")
            else:
                # Ended by who writes the answer.
                self._connection.traced.append(trace)

        return done

    def _done(self, append: PendingAppend, outcome: Outcome) -> None:
        in_flight = self._in_flight.get(append.draft.conversation)
        send = in_flight.pop(append, None) if in_flight else None
        if send is None:
            return  # Voided: it was answered when its lane broke.
        if not in_flight:
            del self._in_flight[append.draft.conversation]
        if isinstance(outcome, Appended):
            message = outcome.message
            self._connection.session.sent(
                f.Sent(
                    key=message.key,
                    conversation=message.conversation,
                    seq=message.seq,
                    at=message.at,
                    duplicate=outcome.duplicate,
                )
            )
        else:
            self._failed(send, outcome)
        self._connection.flush()

    def _failed(self, send: f.Send, error: KefuError) -> None:
        session = self._connection.session
        if not session.failed(send, error):
            return
        # G14: what this client sent later must not be stored before this one.
        self._breaks += 1
        conversation = send.conversation
        in_flight = self._in_flight.get(conversation, {})
        for append, later in list(in_flight.items()):
            if later.n >= send.n:
                append.void = True
                del in_flight[append]
                session.failed(later, OutOfOrder())
        for waiting in self._connection.requests.withdraw(f.Send, conversation):
            self._dequeued(conversation)
            session.failed(waiting, OutOfOrder())
