"""What a message is to a webhook, and how a delivery is signed."""

import hashlib
import hmac
from typing import Any

import msgspec
import pytest

from kefu_core.hooks import HookEvent, delivery_of, events_of, signature, wants
from kefu_core.model import Message, MessageKind
from kefu_core.records import Webhook
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs


def message(seq: int, sender: str, kind: str = "text") -> Message:
    return Message(
        conversation=ConversationId(7),
        seq=Seq(seq),
        sender=ParticipantId(sender),
        key=f"k{seq}",
        kind=MessageKind(kind),
        body="x",
        at=UnixMs(seq),
    )


QUESTION, ANSWER = message(1, "v1"), message(2, "a1")
CLOSE = message(3, "a1", "close")


@pytest.mark.parametrize(
    ("said", "earlier", "more"),
    [
        (QUESTION, [], ["conversation.opened"]),
        (ANSWER, [QUESTION], []),
        (message(2, "a1", "note"), [QUESTION], []),
        (message(2, "a1", "assignment"), [QUESTION], ["conversation.assigned"]),
        (CLOSE, [QUESTION, ANSWER], ["conversation.closed"]),
        (message(4, "a1", "reopen"), [CLOSE], ["conversation.reopened"]),
        (message(4, "v1"), [QUESTION, ANSWER, CLOSE], ["conversation.reopened"]),
        (message(5, "v1"), [CLOSE, message(4, "a1")], ["conversation.reopened"]),
        (message(4, "a1"), [CLOSE], []),
        (message(5, "v1"), [CLOSE, message(4, "v1")], []),
        (message(5, "v1"), [CLOSE, message(4, "a1", "assignment")], []),
    ],
)
def test_a_message_is_told_as_what_it_does(
    said: Message, earlier: list[Message], more: list[str]
) -> None:
    assert events_of(said, earlier) == ["message.created", *more]


def hook(**changed: Any) -> Webhook:
    values: dict[str, Any] = {"events": ("message.created",), "site_id": 0}
    return Webhook(id=1, url="https://a.example", secret="s", **values | changed)


def test_a_webhook_wants_its_events_of_its_site_while_it_is_on() -> None:
    event = HookEvent.MESSAGE
    assert wants(hook(), event, 1)
    assert wants(hook(site_id=1), event, 1)
    assert not wants(hook(site_id=2), event, 1)
    assert not wants(hook(events=("offline.left",)), event, 1)
    assert not wants(hook(is_active=False), event, 1)


def test_a_delivery_says_what_when_and_where() -> None:
    told = delivery_of(
        hook(),
        HookEvent.MESSAGE,
        9,
        source="message.created:7:1",
        site_id=5,
        at=UnixMs(1),
        now=UnixMs(2),
        content={"message": {"body": "</script>"}},
    )
    assert msgspec.json.decode(told.payload) == {
        "id": 9,
        "event": "message.created",
        "at": 1,
        "site_id": 5,
        "message": {"body": "</script>"},
    }


def test_a_signature_is_over_the_time_and_the_body() -> None:
    expected = hmac.new(b"whsec_x", b'1760000000.{"a":1}', hashlib.sha256).hexdigest()
    assert signature("whsec_x", b'{"a":1}', 1_760_000_000) == (
        f"t=1760000000,v1={expected}"
    )
