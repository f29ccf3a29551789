"""The client's end, without I/O, clock or randomness.

It outlives connections: cursors, the outbox and what is watched are its state, and one
connection after another carries it. The driver's loop is the server's: `receive` →
`events` → act → `frames_to_send` → arm `next_timer`; `connected` and `disconnected`
mark where one connection ends and the next begins.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from kefu_core.errors import CloseCode, ErrorCode, Retry, TooLarge
from kefu_core.ids import ID_MAX
from kefu_core.limits import Limits
from kefu_core.model import Draft, Person
from kefu_core.protocol import frames as f
from kefu_core.protocol.asking import Asking
from kefu_core.protocol.codec import BadFrame, Received
from kefu_core.protocol.cursors import LogReader
from kefu_core.protocol.events import (
    ClientEvent,
    CloseRequested,
    HistoryReplaced,
    SendRejected,
)
from kefu_core.protocol.outbox import ClientOutbox
from kefu_core.protocol.transitions import CLIENT_ACCEPTS, ClientState
from kefu_core.types import ConversationId, Seq

_json_encode = msgspec.json.Encoder().encode
"""JSON is the longer of the two codecs: what fits here fits everywhere."""
_ACK_DELAY_S = 0.2
"""Ticks may be a blink late; a busy talker's acknowledgements cost no frame."""
_WELCOME_TIMEOUT_S = 15.0
_FOLLOW_AGAIN_S = 0.5
"""After a follow that was refused for now, where the server names no time."""


class ClientSession:
    """Protocol state of one client, across connections."""

    def __init__(self, *, client: str = "", limits: Limits | None = None) -> None:
        self.state = ClientState.IDLE
        self.epoch = ""
        self.me: Person | None = None
        self.readers: dict[ConversationId, LogReader] = {}
        self.watched: dict[str, int] = {}
        """Topics and the version held; -1 while a snapshot is awaited."""
        self.outbox = ClientOutbox()
        self.name = client
        self.welcome_timeout_s = _WELCOME_TIMEOUT_S
        """How long a connection may take until its welcome."""
        self._limits = limits or Limits()
        self._heartbeat_s = self._limits.heartbeat_s
        self._window = self._limits.unacknowledged_sends_max
        self.frame_bytes_max = self._limits.frame_bytes_max
        """Bytes in one batch, by the server's word; no single frame may have more."""
        self.batch_frames_max = self._limits.batch_frames_max
        self._events: list[ClientEvent] = []
        self._frames: list[f.Frame] = []
        self._connected_at = 0.0
        self._received_at = 0.0
        self._sent_at = 0.0
        self._ack_at: float | None = None
        """When the coalesced acknowledgements are due."""
        self._refollowing: set[ConversationId] = set()
        """Asked again from the cursor because of a hole; later messages are dropped."""
        self._asking = Asking()
        self._greeted: set[ConversationId] = set()
        """Conversations in this connection's hello: the welcome follows them."""

    # -- connections -------------------------------------------------------------------

    def connected(self, token: str, now: float) -> None:
        """A stream is open: say hello with everything held."""
        self.state = ClientState.HELLO_SENT
        self._connected_at = self._received_at = self._sent_at = now
        self._ack_at = None
        self._refollowing.clear()
        cursors = self._cursors()
        self._greeted = set(cursors)
        hello = f.Hello(
            token=token, client=self.name, epoch=self.epoch, cursors=cursors
        )
        self._frames = [hello]

    def disconnected(self) -> None:
        """The stream is gone: everything in flight is in doubt, nothing is lost."""
        self.state = ClientState.IDLE
        self._frames = []
        self.outbox.restart()

    def _cursors(self) -> dict[ConversationId, Seq]:
        newest = list(self.readers.items())[-self._limits.cursors_max :]
        return {conversation: reader.cursor for conversation, reader in newest}

    # -- what the program asks for -----------------------------------------------------

    def send(self, draft: Draft, now: float) -> None:
        """Put a message into the outbox; it leaves when it is acknowledged.

        Raises:
            TooLarge: It does not fit any batch; nothing was put anywhere.
        """
        size = len(_json_encode(_as_send(draft, ID_MAX)))
        if size > self.frame_bytes_max:
            maximum = self.frame_bytes_max
            raise TooLarge(f"{size} bytes in one message; at most {maximum}.")
        self.outbox.add(draft)
        self._transmit(now)

    def follow(self, conversation: ConversationId, after: Seq) -> None:
        """Hold this conversation from a seq on, on this and every later connection."""
        if conversation in self.readers:
            return
        self.readers[conversation] = LogReader(after)
        if self.is_live:
            self._asking.add(conversation)
            self._ask(self._received_at)

    def unfollow(self, conversation: ConversationId) -> None:
        """Stop holding a conversation."""
        if self.readers.pop(conversation, None) is not None:
            self._asking.discard(conversation)
            self._say(f.Unfollow(conversation=conversation))

    def read(self, conversation: ConversationId, seq: Seq, now: float) -> None:
        """Note that a person has seen everything up to `seq`."""
        reader = self.readers.get(conversation)
        if reader is not None and seq > reader.read:
            reader.read = min(seq, reader.cursor)
            self._ack_soon(now)

    def watch(self, topic: str) -> None:
        """Hold a list, on this and every later connection."""
        if topic not in self.watched:
            self.watched[topic] = -1
            self._say(f.Watch(topic=topic))

    def unwatch(self, topic: str) -> None:
        """Stop holding a list."""
        if self.watched.pop(topic, None) is not None:
            self._say(f.Unwatch(topic=topic))

    def say(self, frame: f.Frame) -> bool:
        """Send a frame of this connection only; False if it is not live."""
        return self._say(frame)

    def bye(self) -> None:
        """Leave on purpose."""
        self._frames.append(f.Bye())

    @property
    def is_live(self) -> bool:
        """Whether the server has said welcome on this connection."""
        return self.state in (ClientState.LIVE, ClientState.DRAINING)

    # -- input and output --------------------------------------------------------------

    def receive(self, items: Received, now: float) -> None:
        """Take one batch. A server that breaks the protocol is left."""
        self._received_at = now
        for item in items:
            if isinstance(item, BadFrame):
                if item.code is not ErrorCode.UNKNOWN_FRAME:
                    self._leave(CloseCode.BAD_PROTOCOL, item.text)
                    return
                continue  # A newer server: frames we do not know are not for us.
            if type(item) not in CLIENT_ACCEPTS[self.state]:
                self._leave(
                    CloseCode.BAD_PROTOCOL,
                    f"{type(item).__name__} in state {self.state}",
                )
                return
            self._take(item, now)
            if self.state is ClientState.IDLE:
                return  # We left; what follows belongs to nobody.

    def events(self) -> Sequence[ClientEvent]:
        """Drain what happened, in order."""
        events = self._events
        if events:
            self._events = []
        return events

    def frames_to_send(self) -> Sequence[f.Frame]:
        """Drain the frames to write, in order."""
        if not self._frames:
            return ()
        if self._ack_at is not None and self.is_live:
            self._acknowledge()  # What goes out anyway takes them along.
        frames, self._frames = self._frames, []
        return frames

    # -- time --------------------------------------------------------------------------

    def wrote(self, now: float) -> None:
        """Note that something was written."""
        self._sent_at = now

    @property
    def gives_up_at(self) -> float:
        """When a server that stays silent is left, in monotonic seconds.

        Must be kept also while a write hangs: that is when it matters.
        """
        if self.state is ClientState.HELLO_SENT:
            return self._connected_at + self.welcome_timeout_s
        return self._received_at + self._heartbeat_s * self._limits.silent_intervals

    def next_timer(self, now: float) -> float:
        """Return when `handle_timer` is due next, in monotonic seconds."""
        if self.state is ClientState.IDLE:
            return now + 3600.0
        if self.state is ClientState.HELLO_SENT:
            return self.gives_up_at
        due = min(self.gives_up_at, self._sent_at + self._heartbeat_s)
        if self._ack_at is not None:
            due = min(due, self._ack_at)
        for other in (self._asking.next_timer(), self.outbox.next_timer()):
            if other is not None:
                due = min(due, other)
        return due

    def handle_timer(self, now: float) -> None:
        """Do what is due: acknowledge, repeat, ping, or give up a silent server."""
        if self.state is ClientState.IDLE:
            return
        if self.state is ClientState.HELLO_SENT:
            if now >= self.gives_up_at:
                self._leave(CloseCode.SILENT, "no welcome")
            return
        if self._ack_at is not None and now >= self._ack_at:
            self._acknowledge()
        self._ask(now)
        self._transmit(now)
        if now >= self.gives_up_at:
            self._leave(CloseCode.SILENT, "the server is silent")
        elif now >= self._sent_at + self._heartbeat_s:
            self._sent_at = now
            self._frames.append(f.Ping())

    # -- frames ------------------------------------------------------------------------

    def _take(self, frame: f.Frame, now: float) -> None:
        handler = _HANDLERS.get(type(frame))
        if handler is not None:
            handler(self, frame, now)
        elif not isinstance(frame, (f.Pong, f.AuthOk)):
            # `page`, `reply`, `receipt`, `typing_event`: nothing of ours depends on it.
            self._events.append(frame)  # type: ignore[arg-type]

    def _sent(self, sent: f.Sent, now: float) -> None:
        if self.outbox.acknowledge(sent.conversation, sent.key):
            self._events.append(sent)
            self._transmit(now)

    def _head(self, head: f.Head, now: float) -> None:
        self._refollowing.discard(head.conversation)
        self._events.append(head)

    def _snapshot(self, snapshot: f.Snapshot, now: float) -> None:
        if snapshot.topic in self.watched:
            self.watched[snapshot.topic] = snapshot.version
            self._events.append(snapshot)

    def _drain(self, drain: f.Drain, now: float) -> None:
        self.state = ClientState.DRAINING
        self._events.append(drain)

    def _closed(self, closed: f.Closed, now: float) -> None:
        self._leave(_close_code(closed.code), closed.reason)

    def _ping(self, ping: f.Ping, now: float) -> None:
        self._frames.append(f.Pong())

    def _welcome(self, welcome: f.Welcome, now: float) -> None:
        self.state = ClientState.LIVE
        self.me = welcome.me
        self._heartbeat_s = welcome.heartbeat_s
        self._window = welcome.limits.unacknowledged_sends
        self.frame_bytes_max = welcome.limits.frame_bytes
        self.batch_frames_max = welcome.limits.batch_frames
        had_history = bool(self.epoch)
        if not welcome.resumed and had_history:
            # G13: the log we hold may not be this one's beginning. What is unsent
            # stays: keys make it harmless wherever it was stored before.
            for conversation in self.readers:
                self.readers[conversation] = LogReader()
            self._events.append(HistoryReplaced(welcome.epoch))
        self.epoch = welcome.epoch
        self._asking.restart(welcome.limits.frames_per_s, now)
        self._follow_all(welcome.resumed, now)
        for topic in self.watched:
            self.watched[topic] = -1
            self._frames.append(f.Watch(topic=topic))
        self._events.append(welcome)
        self.outbox.restart()
        self._transmit(now)

    def _follow_all(self, resumed: bool, now: float) -> None:
        """Follow what the hello did not name, or was not followed for."""
        greeted = self._greeted if resumed else set()
        for conversation in greeted - self.readers.keys():
            self._frames.append(f.Unfollow(conversation=conversation))
        for conversation, reader in self.readers.items():
            reader.acked, reader.told = reader.cursor, Seq(0)
            if conversation not in greeted:
                self._asking.add(conversation)
            if reader.read:
                self._ack_soon(now)
        self._ask(now)

    def _message(self, message: f.MessageFrame, now: float) -> None:
        conversation = message.conversation
        reader = self.readers.get(conversation)
        if reader is None:
            return
        took = reader.take(message.seq)
        if message.key is not None:
            # The message in the log is the acknowledgement, whichever comes first.
            acked = self.outbox.acknowledge(conversation, message.key)
            if acked is not None:
                self._events.append(
                    f.Sent(
                        key=message.key,
                        conversation=conversation,
                        seq=message.seq,
                        at=message.at,
                    )
                )
                self._transmit(now)
        if took:
            # The log goes on here: a later hole is a new one and is asked for again.
            self._refollowing.discard(conversation)
            self._events.append(message)
            self._ack_soon(now)
        elif took is None and conversation not in self._refollowing:
            # A hole is never shown: ask again from what is held.
            self._refollowing.add(conversation)
            self._frames.append(
                f.Follow(conversation=conversation, after=reader.cursor)
            )

    def _error(self, error: f.ErrorFrame, now: float) -> None:
        if error.key is None:
            if error.frame == "follow" and error.retry != Retry.NONE:
                self._follow_later(error, now)
            self._events.append(error)
            return
        conversation = error.conversation or self.outbox.find(error.key)
        if conversation is None:
            return
        if error.retry == Retry.NONE:
            if self.outbox.reject(conversation, error.key):
                self._events.append(
                    SendRejected(error.key, conversation, error.code, error.text)
                )
            return
        is_first = self.outbox.is_first_unanswered(conversation, error.key)
        if error.code == ErrorCode.OUT_OF_ORDER and is_first:
            # The server misses an n that we no longer have; a new connection counts
            # from 1 again.
            self._leave(CloseCode.RESTART, "lane out of step")
            return
        self.outbox.refuse(conversation, error.key, until=now + error.after_s)
        self._transmit(now)

    def _follow_later(self, error: f.ErrorFrame, now: float) -> None:
        """Ask again for a conversation that could not be followed just now."""
        conversation = error.conversation
        if conversation is not None and conversation in self.readers:
            at = now + (error.after_s or _FOLLOW_AGAIN_S)
            self._asking.refused(conversation, at)

    def _ask(self, now: float) -> None:
        """Ask for what is to be followed, as much as the server takes."""
        if self.is_live:
            for conversation in self._asking.take(now):
                after = self.readers[conversation].cursor
                self._frames.append(f.Follow(conversation=conversation, after=after))

    def _list_event(self, event: f.Event, now: float) -> None:
        held = self.watched.get(event.topic)
        if held is None or held < 0:
            return
        if event.version != held + 1:
            self.watched[event.topic] = -1
            self._frames.append(f.Watch(topic=event.topic))
            return
        self.watched[event.topic] = event.version
        self._events.append(event)

    # -- helpers -----------------------------------------------------------------------

    def _transmit(self, now: float) -> None:
        if self.state is not ClientState.LIVE:
            return
        for entry in self.outbox.to_send(now, self._window):
            self._frames.append(_as_send(entry.draft, entry.n))

    def _ack_soon(self, now: float) -> None:
        if self._ack_at is None:
            self._ack_at = now + _ACK_DELAY_S

    def _acknowledge(self) -> None:
        self._ack_at = None
        for conversation, reader in self.readers.items():
            if reader.read > reader.told:
                reader.told = reader.read
                self._frames.append(f.Read(conversation=conversation, seq=reader.read))
            if reader.cursor > reader.acked:
                if reader.cursor > reader.told:
                    ack = f.Ack(conversation=conversation, seq=reader.cursor)
                    self._frames.append(ack)
                reader.acked = reader.cursor

    def _say(self, frame: f.Frame) -> bool:
        if not self.is_live:
            return False
        self._frames.append(frame)
        return True

    def _leave(self, code: CloseCode, reason: str) -> None:
        self.state = ClientState.IDLE
        self._events.append(CloseRequested(code, reason))


def _as_send(draft: Draft, n: int) -> f.Send:
    return f.Send(
        key=draft.key,
        conversation=draft.conversation,
        n=n,
        kind=draft.kind,
        body=draft.body,
        data=draft.data,
        ref=draft.ref,
    )


_HANDLERS: dict[type[f.Frame], Any] = {
    f.MessageFrame: ClientSession._message,
    f.Sent: ClientSession._sent,
    f.ErrorFrame: ClientSession._error,
    f.Welcome: ClientSession._welcome,
    f.Head: ClientSession._head,
    f.Snapshot: ClientSession._snapshot,
    f.Event: ClientSession._list_event,
    f.Drain: ClientSession._drain,
    f.Closed: ClientSession._closed,
    f.Ping: ClientSession._ping,
}
"""Frames that change the session's state; the rest are passed on."""


def _close_code(code: int) -> CloseCode:
    try:
        return CloseCode(code)
    except ValueError:
        return CloseCode.RESTART
