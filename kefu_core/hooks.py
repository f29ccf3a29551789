"""What webhooks are told: which events a message is, and how they are written.

Pure: the same message gives the same events, whoever looks and whenever.
"""

import hashlib
import hmac
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from kefu_core.model import SPOKEN_KINDS, Conversation, Message, MessageKind
from kefu_core.records import OfflineMessage, Webhook, WebhookDelivery
from kefu_core.types import UnixMs


class HookEvent(StrEnum):
    """What can be told."""

    OPENED = "conversation.opened"
    """With the first message: a conversation that nobody wrote in is none."""
    ASSIGNED = "conversation.assigned"
    CLOSED = "conversation.closed"
    REOPENED = "conversation.reopened"
    MESSAGE = "message.created"
    """Every entry of the log, of whatever kind."""
    LEFT = "offline.left"
    RATED = "rating.created"
    PING = "ping"
    """Sent by hand, to try a webhook."""


CONTEXT = 50
"""Earlier messages from which it is known whether a conversation was closed."""

# By their words, so that a kind which a build does not have is no fault.
_BY_KIND = {
    "assignment": HookEvent.ASSIGNED,
    "close": HookEvent.CLOSED,
    "reopen": HookEvent.REOPENED,
    "rating": HookEvent.RATED,
}


def events_of(message: Message, earlier: Sequence[Message]) -> list[HookEvent]:
    """Return what a message is; `earlier` are those before it, in order."""
    events = [HookEvent.MESSAGE]
    if message.seq == 1:
        events.append(HookEvent.OPENED)
    if message.kind.value in _BY_KIND:
        events.append(_BY_KIND[message.kind.value])
    elif _is_visitors_text(message) and _was_closed(earlier):
        events.append(HookEvent.REOPENED)
    return events


def _is_visitors_text(message: Message) -> bool:
    return message.kind in SPOKEN_KINDS and message.sender.startswith("v")


def _was_closed(earlier: Sequence[Message]) -> bool:
    for message in reversed(earlier):
        if message.kind is MessageKind.CLOSE:
            return True
        is_open = message.kind in {MessageKind.ASSIGNMENT, MessageKind.REOPEN}
        if is_open or _is_visitors_text(message):
            return False
    return False


def wants(hook: Webhook, event: HookEvent, site_id: int) -> bool:
    """Whether a webhook is told of something on a site."""
    is_its_site = hook.site_id in {0, site_id}
    return hook.is_active and is_its_site and event.value in hook.events


def message_content(row: Conversation, message: Message) -> dict[str, Any]:
    """Return what is told of a message; the conversation is as it is now."""
    return {
        "conversation": {
            "id": row.id,
            "site_id": row.site_id,
            "visitor": row.visitor,
            "status": row.status.value,
            "assignee": row.assignee,
            "last_seq": row.last_seq,
            "opened_at": row.opened_at,
            "labels": list(row.labels),
        },
        "message": {
            "seq": message.seq,
            "sender": message.sender,
            "kind": message.kind.value,
            "body": message.body,
            "data": message.data,
            "ref": message.ref,
            "at": message.at,
        },
    }


def left_content(left: OfflineMessage) -> dict[str, Any]:
    """Return what is told of a message that was left."""
    names = ("id", "visitor", "name", "email", "phone", "body", "page", "language")
    values = {name: getattr(left, name) for name in names}
    return {"left": {**values, "at": left.created_at}}


def delivery_of(
    hook: Webhook,
    event: HookEvent,
    number: int,
    *,
    source: str,
    site_id: int,
    at: UnixMs,
    now: UnixMs,
    content: dict[str, Any],
) -> WebhookDelivery:
    """Return a delivery that waits to be sent; its body is the same at every try."""
    told = {"id": number, "event": event.value, "at": at, "site_id": site_id}
    return WebhookDelivery(
        id=number,
        webhook_id=hook.id,
        event=event.value,
        source=source,
        payload=msgspec.json.encode({**told, **content}).decode(),
        created_at=now,
        next_at=now,
    )


def signature(secret: str, body: bytes, at_s: int) -> str:
    """Return the value of `Kefu-Signature` for a body sent at this second."""
    signed = f"{at_s}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"
