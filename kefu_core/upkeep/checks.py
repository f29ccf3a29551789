"""Whether a line of an archive may go in, as far as it can be told by itself: pure.

An archive comes from anywhere. Nothing in it is a path, a command or a template here;
what is refused is what a database, a client or a later reader would choke on.
"""

import math
import re
from typing import Any

import msgspec

from kefu_core.errors import Invalid
from kefu_core.folding import is_visitor
from kefu_core.ids import ID_MAX
from kefu_core.model import CONTENT_KINDS, Message, MessageKind
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs
from kefu_core.upkeep.records import (
    ConversationRecord,
    CursorRecord,
    MessageRecord,
    PersonRecord,
    SiteRecord,
)

NAME_CHARS_MAX = 200
_EMBED_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PARTICIPANT = re.compile(r"[va][1-9][0-9]{0,15}|s0")
_KINDS = {str(kind): kind for kind in MessageKind if kind != MessageKind.PLACEHOLDER}
_KEY_CHARS_MAX = 64
_CONTENT_BYTES_MAX = 60_000
"""A message fits into one frame of 64 KiB, or nobody could ever fetch it."""
_DEPTH_MAX = 16
_SLACK_MS = 86_400_000
"""What comes from later than a day from now would put the whole log there."""
_encode = msgspec.json.Encoder().encode


def check_site(record: SiteRecord) -> None:
    """Refuse a site that cannot be. Raises `Invalid`."""
    _check_number("id", record.id)
    _check_text("the name", record.name, NAME_CHARS_MAX)
    if not _EMBED_KEY.fullmatch(record.embed_key):
        raise Invalid("the embed key has other characters than letters and digits")
    if not 0 <= record.retention_days <= 36_500:
        raise Invalid(f"retention_days is {record.retention_days}")


def check_person(record: PersonRecord) -> None:
    """Refuse a person that cannot be. Raises `Invalid`."""
    _check_participant(record.id)
    _check_text("the name", record.name, NAME_CHARS_MAX)
    if is_visitor(ParticipantId(record.id)) != (record.role == "visitor"):
        raise Invalid("the role is not one of this id")


def check_conversation(record: ConversationRecord, now: UnixMs) -> None:
    """Refuse a conversation that cannot be. Raises `Invalid`."""
    _check_number("id", record.id)
    _check_number("site", record.site)
    _check_participant(record.visitor)
    if not is_visitor(ParticipantId(record.visitor)):
        raise Invalid(f"{record.visitor} is no visitor")
    _check_moment(record.opened_at, now)


def read_message(record: MessageRecord, visitor: ParticipantId, now: UnixMs) -> Message:
    """Return the message of a record. Raises `Invalid`."""
    _check_number("seq", record.seq)
    _check_participant(record.sender)
    if is_visitor(ParticipantId(record.sender)) and record.sender != visitor:
        raise Invalid(f"{record.sender} is not this conversation's visitor")
    kind = _KINDS.get(record.kind)
    if kind is None:
        raise Invalid("it is of an unknown kind")
    if not record.key:
        raise Invalid("the key is empty")
    _check_text("the key", record.key, _KEY_CHARS_MAX)
    _check_text("the text", record.body, _CONTENT_BYTES_MAX)
    _check_moment(record.at, now)
    if record.ref is not None:
        _check_number("ref", record.ref)
    _check_data(record.data)
    size = len(record.body.encode()) + len(_encode(record.data))
    if size > _CONTENT_BYTES_MAX:
        raise Invalid(f"it has {size:,} bytes; at most {_CONTENT_BYTES_MAX:,}")
    if kind is MessageKind.ERASED and (
        record.body or str((record.data or {}).get("was")) not in CONTENT_KINDS
    ):
        raise Invalid("it is erased and has content")
    return Message(
        conversation=ConversationId(record.conversation),
        seq=Seq(record.seq),
        sender=ParticipantId(record.sender),
        key=record.key,
        kind=kind,
        body=record.body,
        at=UnixMs(record.at),
        data=record.data,
        ref=None if record.ref is None else Seq(record.ref),
    )


def check_cursor(record: CursorRecord, head: Seq) -> None:
    """Refuse a cursor that cannot be. Raises `Invalid`."""
    _check_participant(record.participant)
    if not 0 <= record.read <= record.delivered <= head:
        raise Invalid("it is beyond what there is")


def _check_number(name: str, number: int) -> None:
    if not 1 <= number <= ID_MAX:
        raise Invalid(f"`{name}` is not 1 to {ID_MAX}")


def _check_participant(who: str) -> None:
    if not _PARTICIPANT.fullmatch(who) or int(who[1:]) > ID_MAX:
        raise Invalid("somebody in it is no participant")


def _check_moment(at: int, now: UnixMs) -> None:
    if not 0 <= at <= now + _SLACK_MS:
        raise Invalid("its time is in the future, or none")


def _check_text(what: str, text: str, chars_max: int) -> None:
    if len(text) > chars_max:
        raise Invalid(f"{what} has {len(text):,} characters; at most {chars_max:,}")
    if "\0" in text:
        raise Invalid(f"{what} has a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid(f"{what} has half of a surrogate pair") from None


def _check_data(value: Any, depth: int = 1) -> None:
    if depth > _DEPTH_MAX:
        raise Invalid(f"the data is deeper than {_DEPTH_MAX} levels")
    match value:
        case None | bool():
            pass
        case int() | float():
            if not math.isfinite(value) or abs(value) > ID_MAX:
                raise Invalid("the data has a number beyond 53 bits")
        case str():
            _check_text("the data", value, _CONTENT_BYTES_MAX)
        case list():
            for item in value:
                _check_data(item, depth + 1)
        case dict():
            for name, item in value.items():
                _check_text("the data", name, _CONTENT_BYTES_MAX)
                _check_data(item, depth + 1)
