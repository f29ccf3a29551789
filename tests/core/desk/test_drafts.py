"""What a send must be before it becomes a message."""

from typing import Any

import pytest

from kefu_core.desk.drafts import VISITOR_DATA_BYTES_MAX, check_send
from kefu_core.errors import Invalid, NotAllowed, NotFound, RefusedError, TooLarge
from kefu_core.limits import Limits
from kefu_core.model import Conversation, MessageKind
from kefu_core.protocol.frames import Send
from kefu_core.types import ConversationId, ParticipantId, Seq
from tests.core.desk.world import PRINCIPALS

LIMITS = Limits()
ROW = Conversation(id=ConversationId(5), site_id=1, visitor=ParticipantId("v1"))


def check(who: str, **fields: Any) -> None:
    values = {"key": "k", "body": "hello", **fields}
    send = Send(conversation=ROW.id, n=1, **values)
    check_send(PRINCIPALS[who], ROW, send, LIMITS)


def test_a_visitor_and_an_agent_may_say_something() -> None:
    check("v1", body="你好 😀")
    check("a1", body="您好", ref=Seq(1), data={"a": [1, 1.5, None, True, {"b": "c"}]})
    check("a1", kind=MessageKind.NOTE)


@pytest.mark.parametrize("who", ["v2", "v1@2"])
def test_a_stranger_learns_nothing(who: str) -> None:
    with pytest.raises(NotFound):
        check(who)


@pytest.mark.parametrize("who", ["v1", "a1", "a2"])
@pytest.mark.parametrize(
    "kind",
    [
        MessageKind.ASSIGNMENT,
        MessageKind.CLOSE,
        MessageKind.REOPEN,
        MessageKind.PLACEHOLDER,
    ],
)
def test_lines_of_the_desk_cannot_be_sent(who: str, kind: MessageKind) -> None:
    with pytest.raises(NotAllowed):
        check(who, kind=kind)


def test_a_visitor_writes_no_notes() -> None:
    with pytest.raises(NotAllowed):
        check("v1", kind=MessageKind.NOTE)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"body": ""}, Invalid),
        ({"body": " \n\t　"}, Invalid),
        ({"body": "a\0b"}, Invalid),
        ({"body": "a\ud800b"}, Invalid),
        ({"key": "a\0b"}, Invalid),
        ({"key": "\udfff"}, Invalid),
        ({"ref": 0}, Invalid),
        ({"ref": -1}, Invalid),
        ({"ref": 2**53}, Invalid),
        ({"data": {"a": 2**53}}, Invalid),
        ({"data": {"a": float("nan")}}, Invalid),
        ({"data": {"a": [float("inf")]}}, Invalid),
        ({"data": {"a": b"bytes"}}, Invalid),
        ({"data": {"a": "\0"}}, Invalid),
        ({"data": {"\ud800": 1}}, Invalid),
        ({"data": {"a": {1: 2}}}, Invalid),
        ({"data": {"a": "x" * LIMITS.data_bytes_max}}, TooLarge),
    ],
)
def test_what_a_database_or_a_browser_cannot_hold_is_refused(
    fields: dict[str, Any], error: type[RefusedError]
) -> None:
    for who in ("v1", "a1"):
        with pytest.raises(error):
            check(who, **fields)


def test_each_role_has_its_own_longest_text() -> None:
    check("v1", body="x" * LIMITS.visitor_text_chars_max)
    check("a1", body="x" * LIMITS.text_chars_max)
    with pytest.raises(TooLarge):
        check("v1", body="x" * (LIMITS.visitor_text_chars_max + 1))
    with pytest.raises(TooLarge):
        check("a1", body="x" * (LIMITS.text_chars_max + 1))


def test_a_visitors_data_is_small() -> None:
    check("v1", data={"page": "https://shop.example/"})
    check("a1", data={"a": "x" * VISITOR_DATA_BYTES_MAX})
    with pytest.raises(TooLarge):
        check("v1", data={"a": "x" * VISITOR_DATA_BYTES_MAX})
