"""Every frame of the protocol, in the order of the tables in docs/protocol.md.

A frame is a struct whose `t` field names it. New fields always have defaults, so that
old peers keep working. A new frame also needs: a handler row in
`protocol/transitions.py`, a line in `docs/protocol.md`, `web/client/frames.d.ts`
(generated), a row in the authorisation matrix of `tests/security`.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from kefu_core.ids import ID_MAX
from kefu_core.limits import SharedLimits
from kefu_core.model import MessageKind, Person
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

PROTOCOL_VERSION = 1

# What comes from outside is bounded here, by the decoder: beyond this JavaScript
# cannot count, and beyond 64 bits neither can a database.
_Conversation = Annotated[ConversationId, Meta(ge=0, le=ID_MAX)]
_Seq = Annotated[Seq, Meta(ge=0, le=ID_MAX)]
_Count = Annotated[int, Meta(ge=0, le=ID_MAX)]


class Frame(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="t", omit_defaults=True
):
    """What every frame is: a tagged, immutable struct."""


# -- client to server --------------------------------------------------------------


class Hello(Frame, tag="hello", frozen=True, kw_only=True):
    """The first frame: who I am and what I hold."""

    v: _Count = PROTOCOL_VERSION
    token: str = ""
    client: str = ""
    """Name and version of the program, for the operator."""
    epoch: str = ""
    """The history that the cursors belong to; empty at the first connection."""
    cursors: dict[_Conversation, _Seq] = {}
    """Conversations to follow, each with the last seq held."""


class Auth(Frame, tag="auth", frozen=True, kw_only=True):
    """A fresh token on a live connection; must be the same principal."""

    token: str


class Follow(Frame, tag="follow", frozen=True, kw_only=True):
    """Send me this conversation from `after` on, and what is appended from now on."""

    conversation: _Conversation
    after: _Seq = Seq(0)


class Unfollow(Frame, tag="unfollow", frozen=True, kw_only=True):
    """Stop sending this conversation."""

    conversation: _Conversation


class Send(Frame, tag="send", frozen=True, kw_only=True):
    """Append a message; answered by `sent` or by an `error` with its key."""

    key: str
    conversation: _Conversation
    n: _Count
    """1, 2, 3 … per connection and conversation: keeps the sender's order (G14)."""
    kind: MessageKind = MessageKind.TEXT
    body: str = ""
    data: dict[str, Any] | None = None
    ref: _Seq | None = None


class Ack(Frame, tag="ack", frozen=True, kw_only=True):
    """Everything up to `seq` has arrived here."""

    conversation: _Conversation
    seq: _Seq


class Read(Frame, tag="read", frozen=True, kw_only=True):
    """Everything up to `seq` was shown to a person."""

    conversation: _Conversation
    seq: _Seq


class Fetch(Frame, tag="fetch", frozen=True, kw_only=True):
    """A page of history; give `before` or `after`, answered by `page` with the id."""

    id: str
    conversation: _Conversation
    before: _Seq | None = None
    after: _Seq | None = None
    limit: _Count = 50


class Typing(Frame, tag="typing", frozen=True, kw_only=True):
    """Somebody is typing; never stored, expires by itself after 6 s."""

    conversation: _Conversation
    text: str = ""
    """The unsent text, shown to agents only."""
    is_typing: bool = True


class Call(Frame, tag="call", frozen=True, kw_only=True):
    """A method of the desk; answered by `reply` or an `error` with the id."""

    id: str
    method: str
    params: dict[str, Any] = {}


class Watch(Frame, tag="watch", frozen=True, kw_only=True):
    """Send me a list as `snapshot`, then its changes as `event`s."""

    topic: str


class Unwatch(Frame, tag="unwatch", frozen=True, kw_only=True):
    """Stop sending a list."""

    topic: str


class Ping(Frame, tag="ping", frozen=True, kw_only=True):
    """Are you there?"""


class Bye(Frame, tag="bye", frozen=True, kw_only=True):
    """I am leaving on purpose."""


# -- server to client --------------------------------------------------------------


class Welcome(Frame, tag="welcome", frozen=True, kw_only=True):
    """The session is live."""

    session: str
    epoch: str
    resumed: bool
    """False: drop cached logs, keep the outbox, fetch anew."""
    heartbeat_s: float
    limits: SharedLimits
    me: Person
    heads: dict[ConversationId, Seq] = {}
    """A visitor's conversations, and those of `hello.cursors`, with their last seqs."""
    at: UnixMs = UnixMs(0)
    current: ConversationId | None = None
    """Of a visitor's several conversations the one that goes on."""


class AuthOk(Frame, tag="auth_ok", frozen=True, kw_only=True):
    """The fresh token was taken."""

    expires_at: UnixMs


class Sent(Frame, tag="sent", frozen=True, kw_only=True):
    """Stored: committed by the database under this seq."""

    key: str
    conversation: ConversationId
    seq: Seq
    at: UnixMs
    duplicate: bool = False


class MessageFrame(Frame, tag="message", frozen=True, kw_only=True):
    """A message of a followed conversation, in seq order without holes."""

    conversation: ConversationId
    seq: Seq
    sender: ParticipantId
    kind: MessageKind
    at: UnixMs
    body: str = ""
    data: dict[str, Any] | None = None
    ref: Seq | None = None
    key: str | None = None
    """Only on the reader's own messages; counts as the acknowledgement of that key."""


class Head(Frame, tag="head", frozen=True, kw_only=True):
    """There is more in this conversation than was sent to you."""

    conversation: ConversationId
    last_seq: Seq


class PageMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message inside a `page`: as `message`, without what the page says once."""

    seq: Seq
    sender: ParticipantId
    kind: MessageKind
    at: UnixMs
    body: str = ""
    data: dict[str, Any] | None = None
    ref: Seq | None = None
    key: str | None = None


class Page(Frame, tag="page", frozen=True, kw_only=True):
    """Answer to `fetch`: ascending, contiguous."""

    id: str
    conversation: ConversationId
    messages: list[PageMessage] = []
    more: bool = False
    """There are further messages in the direction asked for."""
    head: Seq = Seq(0)


class Reply(Frame, tag="reply", frozen=True, kw_only=True):
    """Answer to `call`."""

    id: str
    result: dict[str, Any] = {}


class Receipt(Frame, tag="receipt", frozen=True, kw_only=True):
    """How far somebody else has come; latest wins."""

    conversation: ConversationId
    who: ParticipantId
    delivered: Seq = Seq(0)
    read: Seq = Seq(0)


class TypingEvent(Frame, tag="typing_event", frozen=True, kw_only=True):
    """Somebody else is typing, or has stopped."""

    conversation: ConversationId
    who: ParticipantId
    text: str = ""
    is_typing: bool = True


class Snapshot(Frame, tag="snapshot", frozen=True, kw_only=True):
    """A watched list as it is now."""

    topic: str
    version: int
    rows: list[dict[str, Any]] = []


class Event(Frame, tag="event", frozen=True, kw_only=True):
    """A change of a watched list: `version` is one more, else watch again."""

    topic: str
    version: int
    put: dict[str, Any] | None = None
    """The new state of the row with this `id`."""
    drop: int | None = None
    """The id of a row that left the list."""


class ErrorFrame(Frame, tag="error", frozen=True, kw_only=True):
    """Something was refused. `key`, `id` or `frame` say what."""

    code: str
    text: str
    retry: str = "none"
    """none: it cannot help; same: the same may succeed; later: after a while."""
    after_s: float = 0.0
    key: str | None = None
    id: str | None = None
    frame: str | None = None
    conversation: ConversationId | None = None


class Pong(Frame, tag="pong", frozen=True, kw_only=True):
    """I am here."""


class Drain(Frame, tag="drain", frozen=True, kw_only=True):
    """This node is going away: reconnect at a random moment within so many seconds."""

    within_s: float


class Closed(Frame, tag="closed", frozen=True, kw_only=True):
    """The last frame, where a transport has no close code of its own."""

    code: int
    reason: str = ""


ClientFrame = (
    Hello
    | Auth
    | Follow
    | Unfollow
    | Send
    | Ack
    | Read
    | Fetch
    | Typing
    | Call
    | Watch
    | Unwatch
    | Ping
    | Pong
    | Bye
)
"""Frames a server receives."""

ServerFrame = (
    Welcome
    | AuthOk
    | Sent
    | MessageFrame
    | Head
    | Page
    | Reply
    | Receipt
    | TypingEvent
    | Snapshot
    | Event
    | ErrorFrame
    | Ping
    | Pong
    | Drain
    | Closed
)
"""Frames a client receives."""
