"""What sessions tell their drivers, besides the frames that passed every check."""

import msgspec

from kefu_core.errors import CloseCode
from kefu_core.protocol.frames import (
    Ack,
    Auth,
    Call,
    Drain,
    ErrorFrame,
    Event,
    Fetch,
    Follow,
    Head,
    Hello,
    MessageFrame,
    Page,
    Read,
    Receipt,
    Reply,
    Send,
    Sent,
    Snapshot,
    Typing,
    TypingEvent,
    Unfollow,
    Unwatch,
    Watch,
    Welcome,
)
from kefu_core.types import ConversationId


class CloseRequested(msgspec.Struct, frozen=True):
    """End the connection once the frames that wait are written."""

    code: CloseCode
    reason: str = ""


ServerEvent = (
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
    | CloseRequested
)
"""A frame as an event means: accepted in this state and in order; act on it."""


class SendRejected(msgspec.Struct, frozen=True):
    """A message of ours will never be stored."""

    key: str
    conversation: ConversationId
    code: str
    text: str


class HistoryReplaced(msgspec.Struct, frozen=True):
    """The history is another one: drop cached logs, keep what is unsent (G13)."""

    epoch: str


ClientEvent = (
    Welcome
    | MessageFrame
    | Sent
    | Head
    | Page
    | Reply
    | Receipt
    | TypingEvent
    | Snapshot
    | Event
    | ErrorFrame
    | Drain
    | SendRejected
    | HistoryReplaced
    | CloseRequested
)
"""What a client session tells the program that uses it."""
