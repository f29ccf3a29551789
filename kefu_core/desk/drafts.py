"""What a `send` must be before it may become a message."""

import math
from typing import Any

import msgspec

from kefu_core.desk.access import readable, rights_of
from kefu_core.errors import Invalid, NotAllowed, TooLarge
from kefu_core.ids import ID_MAX
from kefu_core.limits import Limits
from kefu_core.model import OWN_KEYS, SENDABLE_KINDS, Conversation, Principal
from kefu_core.protocol.frames import Send

VISITOR_DATA_BYTES_MAX = 1_024
"""The structured part of a visitor's text: enough for the page it was written on."""


def check_send(
    principal: Principal, conversation: Conversation, send: Send, limits: Limits
) -> None:
    """Let a send through or say why not. Raises `RefusedError`."""
    readable(principal, conversation)
    if send.kind not in SENDABLE_KINDS:
        raise NotAllowed(f"A message of kind {send.kind.value!r} cannot be sent.")
    if send.kind not in rights_of(principal).kinds:
        raise NotAllowed(f"You may not send a message of kind {send.kind.value!r}.")
    _check_text(principal, send, limits)
    if send.ref is not None and not 1 <= send.ref <= ID_MAX:
        raise Invalid("`ref` is the seq of a message, 1 or more.")
    if send.data is not None:
        visitors_max = min(VISITOR_DATA_BYTES_MAX, limits.data_bytes_max)
        _check_data(
            send.data, limits.data_bytes_max if principal.is_agent else visitors_max
        )


def _check_text(principal: Principal, send: Send, limits: Limits) -> None:
    if not send.body.strip():
        raise Invalid("The text is empty.")
    maximum = (
        limits.text_chars_max if principal.is_agent else limits.visitor_text_chars_max
    )
    if len(send.body) > maximum:
        raise TooLarge(f"{len(send.body)} characters; at most {maximum}.")
    check_characters(send.body, "The text")
    check_key(send.key)


def check_key(key: str) -> None:
    """Refuse a client's key that is none. Raises `Invalid`."""
    check_characters(key, "The key")
    if key.startswith(OWN_KEYS):
        raise Invalid(f"A key may not begin with {OWN_KEYS!r}.")


def check_characters(text: str, what: str) -> None:
    """Refuse what some database or encoding cannot hold. Raises `Invalid`."""
    if "\0" in text:
        raise Invalid(f"{what} holds a NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid(f"{what} holds half a surrogate pair.") from None


def _check_data(data: dict[str, Any], bytes_max: int) -> None:
    _check_value(data)
    size = len(msgspec.json.encode(data))
    if size > bytes_max:
        raise TooLarge(f"`data` has {size} bytes; at most {bytes_max}.")


def _check_value(value: Any) -> None:
    """Refuse what JSON or JavaScript cannot hold; the codec has bounded the depth."""
    match value:
        case None | bool():
            pass
        case int() | float():
            _check_number(value)
        case str():
            check_characters(value, "`data`")
        case list():
            for item in value:
                _check_value(item)
        case dict():
            for name, item in value.items():
                if not isinstance(name, str):
                    raise Invalid("A name in `data` is not a text.")
                _check_value(name)
                _check_value(item)
        case _:
            raise Invalid("`data` holds a value that JSON does not have.")


def _check_number(value: float) -> None:
    if isinstance(value, int):
        if not -ID_MAX <= value <= ID_MAX:
            raise Invalid("`data` holds a whole number beyond 53 bits.")
    elif not math.isfinite(value):
        raise Invalid("`data` holds a number that is not finite.")
