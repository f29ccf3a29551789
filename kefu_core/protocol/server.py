"""The server's end of one connection, without I/O, clock or randomness.

The driver (`hub/connection.py`) has one loop: `receive` → `events` → act → answer with
the methods named after frames → `frames_to_send` → arm `next_timer`. Frames that come
out of `events` are in order, allowed in the state, within the connection's pace, and,
for `send`, next in their lane.

Lanes keep a sender's order (G14). Sends of one connection to one conversation carry
n = 1, 2, 3 …. The lane accepts exactly `next_n`. When an accepted send fails in a way
that a retry can mend, the lane falls back to that n and everything above it is refused
with `out_of_order` until the client sends that n again. A send refused for good has
used its n. A lower n is a repeat: its key makes it harmless.
"""

from collections.abc import Sequence
from typing import Any

from kefu_core.errors import (
    AckAhead,
    Busy,
    CloseCode,
    ErrorCode,
    Invalid,
    KefuError,
    NotFound,
    OutOfOrder,
    Retry,
    StoreUnavailable,
    TooMany,
)
from kefu_core.limits import Limits, SharedLimits
from kefu_core.model import Person
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import BadFrame, Received
from kefu_core.protocol.cursors import LogFollower
from kefu_core.protocol.events import CloseRequested, ServerEvent
from kefu_core.protocol.pace import TokenBucket
from kefu_core.protocol.transitions import SERVER_ACCEPTS, ServerState
from kefu_core.types import ConversationId, Seq, UnixMs

_UNCOUNTED = (f.Ack, f.Read, f.Ping, f.Pong)
"""Cumulative or cheap: they fill the bucket, but are never refused for pace."""

_READ_FACTOR = 1.25
"""So much faster than what counts as a flood is a peer read: it is cut off all the
same, a little later, and meanwhile costs a quarter of what it says."""

_PAUSE_MAX_S = 1.0

_LANES_MAX = 4_096
"""Conversations that one connection writes to, existing ones or not: each costs
memory until the connection ends."""


class ServerSession:
    """Protocol state of one peer.

    `receive` never raises on any input; what a peer does wrong is answered with an
    `error` frame or, where it cannot go on, with `CloseRequested`.
    """

    __slots__ = (
        "_bucket",
        "_events",
        "_expires_at",
        "_flood_count",
        "_flood_since",
        "_frames",
        "_lanes",
        "_limits",
        "_opened_at",
        "_received_at",
        "_sent_at",
        "_silent_s",
        "_typed_at",
        "followers",
        "has_flooded",
        "pause_s",
        "sends_pending",
        "state",
    )

    def __init__(
        self, limits: Limits, now: float, *, silent_s: float | None = None
    ) -> None:
        """Begin at `now`; `silent_s`: the transport's own idea of silence."""
        self.state = ServerState.AWAIT_HELLO
        self.followers: dict[ConversationId, LogFollower] = {}
        self.sends_pending = 0
        """Accepted sends without an answer."""
        self.pause_s = 0.0
        """So long the driver leaves the peer unread after the last `receive`."""
        self.has_flooded = False
        """It was cut off for saying too much."""
        self._limits = limits
        self._silent_s = silent_s or limits.heartbeat_s * limits.silent_intervals
        self._events: list[ServerEvent] = []
        self._frames: list[f.Frame] = []
        self._lanes: dict[ConversationId, int] = {}
        """Next n of each conversation written to; 1 where absent."""
        self._bucket = TokenBucket(limits.frames_per_s, limits.frames_burst, now)
        self._flood_since: float | None = None
        self._flood_count = 0
        self._opened_at = now
        self._received_at = now
        self._sent_at = now
        self._expires_at: float | None = None
        self._typed_at = -1e9

    # -- input -----------------------------------------------------------------------

    def receive(self, items: Received, now: float) -> None:
        """Take one batch from the peer. Never raises."""
        self._received_at = now
        self.pause_s, early = 0.0, 0
        for item in items:
            if self.state is ServerState.CLOSED:
                return
            # Rubbish costs an answer too, so everything fills the bucket but what
            # cannot be more than we said ourselves.
            wait_s = 0.0 if self._is_due(item) else self._bucket.take(now)
            early += wait_s > 0.0
            if wait_s and self._flooded(now):
                self.has_flooded, self.pause_s = True, _PAUSE_MAX_S
                self.close(CloseCode.OVERLOADED, "too many frames")
            elif isinstance(item, BadFrame):
                self._bad(item)
            else:
                self._take(item, wait_s, now)

        if early:
            limits = self._limits
            per_s = _READ_FACTOR * limits.flood_factor * limits.frames_per_s
            self.pause_s = min(early / per_s, _PAUSE_MAX_S)

    def _is_due(self, item: f.Frame | BadFrame) -> bool:
        """Whether it acknowledges what was sent since the last acknowledgement."""
        if not isinstance(item, f.Ack):
            return False
        follower = self.followers.get(item.conversation)
        return follower is not None and follower.acked < item.seq <= follower.cursor

    def _take(self, frame: f.Frame, wait_s: float, now: float) -> None:
        """Act on one frame that came `wait_s` too early."""
        kind = type(frame)
        if kind not in SERVER_ACCEPTS[self.state]:
            self._refuse(frame, Invalid(self._why_not(kind)))
        elif wait_s and not isinstance(frame, _UNCOUNTED):
            self._refuse(frame, TooMany(retry_after_s=wait_s))
        elif (handler := _HANDLERS.get(kind)) is not None:
            handler(self, frame, now)
        else:
            self._events.append(frame)  # type: ignore[arg-type]

    def receive_eof(self, now: float) -> None:
        """Note that the peer is gone."""
        self._received_at = now
        self.state = ServerState.CLOSED

    # -- output ----------------------------------------------------------------------

    def events(self) -> Sequence[ServerEvent]:
        """Drain what the driver must act on, in order."""
        events = self._events
        if events:
            self._events = []
        return events

    def frames_to_send(self) -> Sequence[f.Frame]:
        """Drain the frames to write, in order."""
        frames = self._frames
        if frames:
            self._frames = []
        return frames

    # -- time ------------------------------------------------------------------------

    def wrote(self, now: float) -> None:
        """Note that something was written: silence is counted from here."""
        self._sent_at = now

    @property
    def received_at(self) -> float:
        """When the peer was heard last, monotonic seconds."""
        return self._received_at

    def next_timer(self) -> float:
        """Return when `handle_timer` is due next, in the caller's monotonic seconds."""
        limits = self._limits
        if self.state in (ServerState.AWAIT_HELLO, ServerState.AUTHENTICATING):
            return self._opened_at + limits.hello_timeout_s
        silent = self._received_at + self._silent_s
        due = min(silent, self._sent_at + limits.heartbeat_s)
        return due if self._expires_at is None else min(due, self._expires_at)

    def handle_timer(self, now: float) -> None:
        """Do what is due: refuse a missing hello, ping, or give up a silent peer."""
        limits = self._limits
        if self.state is ServerState.CLOSED:
            return
        if self.state is ServerState.AWAIT_HELLO:
            if now >= self._opened_at + limits.hello_timeout_s:
                # Perhaps the way is slow: whoever is honest comes back.
                self.close(CloseCode.SILENT, "no hello")
        elif self.state is ServerState.AUTHENTICATING:
            # The peer did its part; how long the answer may take is the driver's say.
            return
        elif self._expires_at is not None and now >= self._expires_at:
            self.close(CloseCode.TOKEN_EXPIRED, "token expired")
        elif now >= self._received_at + self._silent_s:
            self.close(CloseCode.SILENT, "silent")
        elif now >= self._sent_at + limits.heartbeat_s:
            self._sent_at = now
            self._say(f.Ping())

    def begin_slowly(self) -> None:
        """Allow nothing at once: whoever was cut off brings no new burst along."""
        self._bucket.drain()

    # -- answers ---------------------------------------------------------------------

    def welcome(
        self,
        *,
        session: str,
        epoch: str,
        resumed: bool,
        me: Person,
        heads: dict[ConversationId, Seq],
        at: UnixMs,
        expires_at: float | None,
        current: ConversationId | None = None,
    ) -> None:
        """Open the session. `expires_at` is in monotonic seconds."""
        if self.state is not ServerState.AUTHENTICATING:
            return
        self.state = ServerState.LIVE
        self._expires_at = expires_at
        self._say(
            f.Welcome(
                session=session,
                epoch=epoch,
                resumed=resumed,
                heartbeat_s=self._limits.heartbeat_s,
                limits=shared_limits(self._limits, me),
                me=me,
                heads=heads,
                at=at,
                current=current,
            )
        )

    def authorized(self, expires_at: float | None, expires_at_ms: UnixMs) -> None:
        """Take a fresh token's time."""
        self._expires_at = expires_at
        self._say(f.AuthOk(expires_at=expires_at_ms))

    def followed(self, conversation: ConversationId, after: Seq, head: Seq) -> None:
        """Start a follower; says `head`, the answer to `follow`."""
        if after > head:
            self.error(AckAhead("This cursor lies beyond the end of the log."))
            return
        self.followers[conversation] = LogFollower(after, head)
        self._say(f.Head(conversation=conversation, last_seq=head))

    def unfollowed(self, conversation: ConversationId) -> None:
        """Forget a follower."""
        self.followers.pop(conversation, None)

    def sent(self, frame: f.Sent) -> None:
        """Answer an accepted send: it is stored (G1: call only after the commit)."""
        self.sends_pending -= 1
        self._say(frame)

    def failed(self, send: f.Send, error: KefuError) -> bool:
        """Answer an accepted send: it is not stored.

        Returns:
            True if the lane is broken at this send: the driver must void everything
            of this lane that is accepted and not yet stored, and fail it too.
        """
        self.sends_pending -= 1
        self._refuse(send, error)
        if error.retry is Retry.NONE:
            return False
        next_n = self._lanes.get(send.conversation, 1)
        self._lanes[send.conversation] = min(next_n, send.n)
        return True

    def is_overtaken(self, send: f.Send) -> bool:
        """Whether the lane broke at an earlier n after this send was accepted."""
        return send.n >= self._lanes.get(send.conversation, 1)

    def error(self, error: KefuError, *, about: f.Frame | None = None) -> None:
        """Refuse something else."""
        self._refuse(about, error)

    def answer(self, frame: f.Frame) -> None:
        """Send a frame without effect on the session: `page`, `reply`, `snapshot`."""
        self._say(frame)

    def drain(self, within_s: float) -> None:
        """Announce that this node is going away; new work is refused from here on."""
        if self.state is ServerState.LIVE:
            self.state = ServerState.DRAINING
            self._say(f.Drain(within_s=within_s))

    def close(self, code: CloseCode, reason: str = "") -> None:
        """End the session: the last frame, and the driver is told."""
        if self.state is ServerState.CLOSED:
            return
        self._say(f.Closed(code=code, reason=reason))
        self.state = ServerState.CLOSED
        self._events.append(CloseRequested(code, reason))

    def _say(self, frame: f.Frame) -> None:
        """Queue a frame; nothing follows `closed`."""
        if self.state is not ServerState.CLOSED:
            self._frames.append(frame)

    # -- frames that need more than passing on ---------------------------------------

    def _hello(self, hello: f.Hello, now: float) -> None:
        if hello.v != f.PROTOCOL_VERSION:
            text = f"Protocol version {hello.v}; this server speaks 1."
            self._refuse(hello, Invalid(text))
            self.close(CloseCode.VERSION, text)
        elif len(hello.cursors) > self._limits.cursors_max:
            maximum = self._limits.cursors_max
            text = f"{len(hello.cursors)} cursors; at most {maximum}, follow the rest."
            self._refuse(hello, Invalid(text))
        elif any(seq < 0 for seq in hello.cursors.values()):
            self._refuse(hello, Invalid("A cursor is below 0."))
        else:
            self.state = ServerState.AUTHENTICATING
            self._events.append(hello)

    def _ping(self, ping: f.Ping, now: float) -> None:
        self._say(f.Pong())

    def _pong(self, pong: f.Pong, now: float) -> None:
        pass  # Receiving anything is the sign of life.

    def _bye(self, bye: f.Bye, now: float) -> None:
        self.close(CloseCode.NORMAL, "bye")

    def _send(self, send: f.Send, now: float) -> None:
        fault = self._send_fault(send)
        if fault is not None:
            self._refuse(send, fault)
            return
        next_n = self._lanes.get(send.conversation, 1)
        if next_n == 1 and len(self._lanes) >= _LANES_MAX:
            # Whoever is honest counts from 1 again on its next connection.
            self.close(CloseCode.RESTART, "sends to too many conversations")
            return
        if send.n == next_n:
            self._lanes[send.conversation] = next_n + 1
        self.sends_pending += 1
        self._events.append(send)

    def _send_fault(self, send: f.Send) -> KefuError | None:
        limits = self._limits
        if not 0 < len(send.key) <= limits.key_chars_max:
            return Invalid(f"A key has 1 to {limits.key_chars_max} characters.")
        if send.n < 1:
            return Invalid("n counts from 1.")
        if self.state is ServerState.DRAINING:
            return StoreUnavailable("This node is going away.", retry_after_s=1.0)
        if self.sends_pending >= limits.unacknowledged_sends_max:
            return Busy("Too many sends without an answer.", retry_after_s=0.5)
        if send.n > self._lanes.get(send.conversation, 1):
            return OutOfOrder()
        return None

    def _ack(self, ack: f.Ack | f.Read, now: float) -> None:
        follower = self.followers.get(ack.conversation)
        if follower is None:
            self._refuse(ack, NotFound())
        elif ack.seq > follower.cursor or ack.seq < 0:
            self._refuse(ack, AckAhead())
        else:
            if ack.seq > follower.acked:
                follower.acked = ack.seq
            self._events.append(ack)

    def _follow(self, follow: f.Follow, now: float) -> None:
        if self.state is ServerState.DRAINING:
            self._refuse(follow, StoreUnavailable("This node is going away."))
        elif follow.after < 0:
            self._refuse(follow, Invalid("`after` is below 0."))
        elif (
            follow.conversation not in self.followers
            and len(self.followers) >= self._limits.cursors_max
        ):
            maximum = self._limits.cursors_max
            self._refuse(follow, TooMany(f"At most {maximum} followed conversations."))
        else:
            self._events.append(follow)

    def _fetch(self, fetch: f.Fetch, now: float) -> None:
        if fetch.before is not None and fetch.after is not None:
            self._refuse(fetch, Invalid("Give `before` or `after`, not both."))
        elif not 1 <= fetch.limit <= self._limits.page_messages_max:
            maximum = self._limits.page_messages_max
            self._refuse(fetch, Invalid(f"`limit` is 1 to {maximum}."))
        else:
            self._events.append(fetch)

    def _typing(self, typing: f.Typing, now: float) -> None:
        # Stopping is always passed on, or the dots would stay; starting is paced.
        if typing.is_typing and now < self._typed_at + self._limits.typing_interval_s:
            return
        if len(typing.text) > self._limits.typing_chars_max:
            self._refuse(typing, Invalid("The unsent text is too long."))
            return
        if typing.is_typing:
            self._typed_at = now
        self._events.append(typing)

    # -- refusals --------------------------------------------------------------------

    def _bad(self, bad: BadFrame) -> None:
        self._say(
            f.ErrorFrame(
                code=bad.code, text=bad.text, frame=bad.frame, key=bad.key, id=bad.id
            )
        )
        if bad.fatal:
            self.close(CloseCode.BAD_PROTOCOL, bad.text)

    def _refuse(self, about: f.Frame | None, error: KefuError) -> None:
        self._say(error_frame(error, about))

    def _why_not(self, kind: type[f.Frame]) -> str:
        name = kind.__struct_config__.tag
        if self.state is ServerState.AWAIT_HELLO:
            return f"`{name}` before `hello`."
        if self.state is ServerState.AUTHENTICATING:
            return f"`{name}` before `welcome`."
        if kind is f.Hello:
            return "`hello` was said already."
        return f"`{name}` is not a frame a client sends."

    def _flooded(self, now: float) -> bool:
        """Whether refusals went on at `flood_factor` times the pace for `flood_s`."""
        limits = self._limits
        if self._flood_since is None or now > self._flood_since + limits.flood_s:
            self._flood_since, self._flood_count = now, 0
        self._flood_count += 1
        ceiling = limits.frames_per_s * limits.flood_factor * limits.flood_s
        return self._flood_count > ceiling


_HANDLERS: dict[type[f.Frame], Any] = {
    f.Hello: ServerSession._hello,
    f.Ping: ServerSession._ping,
    f.Pong: ServerSession._pong,
    f.Bye: ServerSession._bye,
    f.Send: ServerSession._send,
    f.Ack: ServerSession._ack,
    f.Read: ServerSession._ack,
    f.Follow: ServerSession._follow,
    f.Fetch: ServerSession._fetch,
    f.Typing: ServerSession._typing,
}
"""Frames with checks of their own; the rest are passed on as they are."""


def error_frame(error: KefuError, about: f.Frame | None = None) -> f.ErrorFrame:
    """Return how an error is told, naming the frame, key or id it answers."""
    name = about.__struct_config__.tag if about is not None else None
    return f.ErrorFrame(
        code=error.code,
        text=error.text,
        retry=error.retry,
        after_s=round(error.retry_after_s, 3),
        frame=str(name) if name else None,
        key=getattr(about, "key", None),
        id=getattr(about, "id", None),
        conversation=getattr(about, "conversation", None),
    )


def internal_error() -> KefuError:
    """Return what a peer is told of a fault of ours: nothing but that it was one."""
    error = KefuError("Something went wrong on our side.")
    assert error.code is ErrorCode.INTERNAL
    return error


def shared_limits(limits: Limits, me: Person) -> SharedLimits:
    """Return the limits this peer must know."""
    is_visitor = me.role == "visitor"
    return SharedLimits(
        frame_bytes=limits.frame_bytes_max,
        batch_frames=limits.batch_frames_max,
        text_chars=(
            limits.visitor_text_chars_max if is_visitor else limits.text_chars_max
        ),
        key_chars=limits.key_chars_max,
        unacknowledged_sends=limits.unacknowledged_sends_max,
        page_messages=limits.page_messages_max,
        cursors=limits.cursors_max,
        frames_per_s=limits.frames_per_s,
    )
