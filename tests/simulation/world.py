"""A server, some clients and a bad network in one process, without time or I/O.

The sessions are the real ones. The store is a list a conversation; the driver around
the server session is as small as it can be: what `hub/connection.py` does with tasks
happens here in single steps, so that Hypothesis chooses every interleaving.
"""

from collections import deque
from dataclasses import dataclass, field

from kefu_core.errors import (
    Conflict,
    KefuError,
    OutOfOrder,
    StoreUnavailable,
)
from kefu_core.limits import Limits
from kefu_core.model import Draft, Person, Role
from kefu_core.protocol import frames as f
from kefu_core.protocol.client import ClientSession
from kefu_core.protocol.codec import (
    JSON,
    MSGPACK,
    client_frame_decoder,
    server_frame_decoder,
)
from kefu_core.protocol.events import CloseRequested, HistoryReplaced, SendRejected
from kefu_core.protocol.server import ServerSession
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

LIMITS = Limits(
    unacknowledged_sends_max=4,
    frames_per_s=1e6,
    frames_burst=1_000_000,
    typing_interval_s=0.0,
)
ROOM = 3
"""Messages a connection's outbox holds before the follower must wait."""


@dataclass
class Stored:
    """A row of a log."""

    sender: ParticipantId
    key: str
    body: str


@dataclass(eq=False)
class Pending:
    """An append on its way."""

    send: f.Send
    connection: "ServerEnd | None"
    is_void: bool = False


class Server:
    """Logs that survive crashes, and connections and a queue that do not."""

    def __init__(self) -> None:
        self.logs: dict[int, list[Stored]] = {}
        self.queue: deque[Pending] = deque()
        self.connections: list[ServerEnd] = []

    def crash(self, *, commits: int) -> None:
        """Die. The first `commits` of the queue were committed and nobody was told."""
        for pending in list(self.queue)[:commits]:
            if not pending.is_void:
                self._store(pending)
        self.queue.clear()
        for connection in list(self.connections):
            connection.link.cut()

    def commit(self, count: int) -> None:
        """Commit a batch, then acknowledge and fan out in one step."""
        done: list[tuple[Pending, Seq | KefuError, bool]] = []
        for _ in range(min(count, len(self.queue))):
            pending = self.queue.popleft()
            if not pending.is_void:
                done.append((pending, *self._store(pending)))
        for pending, outcome, is_new in done:
            if pending.connection is not None:
                pending.connection.append_done(pending, outcome)
            if is_new:
                for connection in list(self.connections):
                    assert not isinstance(outcome, KefuError)
                    connection.offer(pending.send.conversation, outcome)

    def fail(self, count: int) -> None:
        """Fail a batch whole: nothing was committed, sending again is safe."""
        taken = [self.queue.popleft() for _ in range(min(count, len(self.queue)))]
        for pending in taken:
            if pending.connection is not None and not pending.is_void:
                pending.connection.append_done(pending, StoreUnavailable())

    def _store(self, pending: Pending) -> tuple[Seq | KefuError, bool]:
        send = pending.send
        assert pending.connection is not None
        sender = pending.connection.who
        log = self.logs.setdefault(send.conversation, [])
        for index, row in enumerate(log):
            if row.sender == sender and row.key == send.key:
                same = row.body == send.body
                return (Seq(index + 1) if same else Conflict()), False
        log.append(Stored(sender, send.key, send.body))
        return Seq(len(log)), True


class ServerEnd:
    """What `Connection` is, in single steps."""

    def __init__(self, server: Server, link: "Link", who: ParticipantId) -> None:
        self.server = server
        self.link = link
        self.who = who
        self.session = ServerSession(LIMITS, 0.0)
        self.in_flight: list[Pending] = []
        self.messages_waiting = 0
        self.is_open = True
        server.connections.append(self)

    def receive(self, data: bytes) -> None:
        decoder = client_frame_decoder(self.link.codec, LIMITS)
        self.session.receive(decoder.decode(data), 0.0)
        for event in self.session.events():
            self._act(event)
        self._flush()

    def _act(self, event: object) -> None:
        match event:
            case f.Hello():
                self._welcome(event)
            case f.Send():
                pending = Pending(event, self)
                self.in_flight.append(pending)
                self.server.queue.append(pending)
            case f.Follow():
                head = Seq(len(self.server.logs.get(event.conversation, ())))
                self.session.followed(event.conversation, event.after, head)
                self.pump()
            case CloseRequested():
                self.is_open = False

    def _welcome(self, hello: f.Hello) -> None:
        heads = {c: Seq(len(self.server.logs.get(c, ()))) for c in hello.cursors}
        assert all(hello.cursors[c] <= heads[c] for c in heads), "client is ahead"
        self.session.welcome(
            session="s",
            epoch="e",
            resumed=True,
            me=Person(id=self.who, name="", role=Role.VISITOR),
            heads=heads,
            at=UnixMs(0),
            expires_at=None,
        )
        for conversation, after in hello.cursors.items():
            self.session.followed(conversation, after, heads[conversation])
        self.pump()

    def append_done(self, pending: Pending, outcome: Seq | KefuError) -> None:
        if pending not in self.in_flight:
            return
        self.in_flight.remove(pending)
        send = pending.send
        if not isinstance(outcome, KefuError):
            self.session.sent(
                f.Sent(
                    key=send.key,
                    conversation=send.conversation,
                    seq=outcome,
                    at=UnixMs(0),
                )
            )
        elif self.session.failed(send, outcome):
            for later in list(self.in_flight):
                same = later.send.conversation == send.conversation
                if same and later.send.n >= send.n:
                    later.is_void = True
                    self.in_flight.remove(later)
                    self.session.failed(later.send, OutOfOrder())
        self._flush()

    def offer(self, conversation: ConversationId, seq: Seq) -> None:
        follower = self.session.followers.get(conversation)
        if follower is None:
            return
        has_room = self.messages_waiting < ROOM
        if follower.offer(seq, has_room=has_room):
            self._message(conversation, seq)
        else:
            self.pump()

    def pump(self) -> None:
        """Read on for followers that lag, while there is room."""
        self._flush()
        for conversation, follower in self.session.followers.items():
            while follower.wants_read(has_room=self.messages_waiting < ROOM):
                follower.read_started()
                follower.read_finished()
                assert follower.take(Seq(follower.cursor + 1))
                self._message(conversation, follower.cursor)

    def _message(self, conversation: ConversationId, seq: Seq) -> None:
        row = self.server.logs[conversation][seq - 1]
        self.messages_waiting += 1
        self._flush()
        self.link.down.append(
            self.link.codec.join(
                [
                    self.link.codec.encode(
                        f.MessageFrame(
                            conversation=conversation,
                            seq=seq,
                            sender=row.sender,
                            kind="text",  # type: ignore[arg-type]
                            at=UnixMs(0),
                            body=row.body,
                            key=row.key if row.sender == self.who else None,
                        )
                    )
                ]
            )
        )

    def _flush(self) -> None:
        for frame in self.session.frames_to_send():
            codec = self.link.codec
            self.link.down.append(codec.join([codec.encode(frame)]))


class Link:
    """One connection: two queues of batches, both lost when it is cut."""

    def __init__(self, server: Server, client: "SimClient") -> None:
        self.codec = client.codec
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()
        self.client = client
        self.end = ServerEnd(server, self, client.who)

    def cut(self) -> None:
        """Break it now: what was under way is gone."""
        self.end.is_open = False
        if self.end in self.end.server.connections:
            self.end.server.connections.remove(self.end)
        self.client.session.disconnected()
        self.client.link = None


@dataclass(eq=False)
class SimClient:
    """A person with a program."""

    who: ParticipantId
    codec: object = JSON
    session: ClientSession = field(default_factory=lambda: ClientSession(limits=LIMITS))
    link: Link | None = None
    shown: dict[int, list[tuple[Seq, str]]] = field(default_factory=dict)
    """What the person sees, a conversation: (seq, body)."""
    wrote: dict[int, list[str]] = field(default_factory=dict)
    """Bodies in the order typed."""
    acked: dict[str, tuple[int, Seq]] = field(default_factory=dict)
    rejected: set[str] = field(default_factory=set)

    def connect(self, server: Server) -> None:
        self.link = Link(server, self)
        self.session.connected("token", 0.0)
        self.flush()

    def write(self, conversation: ConversationId, key: str, body: str) -> None:
        self.wrote.setdefault(conversation, []).append(body)
        draft = Draft(conversation=conversation, sender=self.who, key=key, body=body)
        self.session.send(draft, 0.0)
        self.flush()

    def receive(self, data: bytes) -> None:
        decoder = server_frame_decoder(self.codec, LIMITS)  # type: ignore[arg-type]
        self.session.receive(decoder.decode(data), 0.0)
        for event in self.session.events():
            match event:
                case f.MessageFrame():
                    log = self.shown.setdefault(event.conversation, [])
                    log.append((event.seq, event.body))
                case f.Sent():
                    assert event.key not in self.acked, "told twice"
                    self.acked[event.key] = (event.conversation, event.seq)
                case SendRejected():
                    self.rejected.add(event.key)
                case HistoryReplaced():
                    raise AssertionError("nobody replaced the history")
                case CloseRequested():
                    if self.link is not None:
                        self.link.cut()
                    return
        self.flush()

    def flush(self) -> None:
        # The clock stands still; blocked lanes open when a step says so.
        self.session.handle_timer(1.0)
        frames = self.session.frames_to_send()
        if self.link is not None:
            codec = self.link.codec
            for frame in frames:
                self.link.up.append(codec.join([codec.encode(frame)]))


CODECS = (JSON, MSGPACK)
