"""What a visitor's page tells of the visitor: unchecked, and treated so.

It fills in what is not known and never replaces what is there; only attributes change
with what the page says. Whoever has opened no conversation is nobody yet: nothing is
stored of it.
"""

import math
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from kefu_core.desk.methods import Method, Methods, Params
from kefu_core.desk.offline import check_line
from kefu_core.desk.profiles import (
    EMAIL_CHARS,
    NAME_CHARS,
    PHONE_CHARS,
    change_profile,
    check_fact,
)
from kefu_core.errors import Busy, Invalid, TooMany
from kefu_core.ids import ID_MAX
from kefu_core.model import Principal
from kefu_core.records import VisitorProfile

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

ATTRIBUTES_MAX, ATTRIBUTE_CHARS, VALUE_CHARS = 20, 40, 200
INTRODUCTIONS_PER_H = 30
"""So often what is known of one visitor may change by its page."""
_TRIES = 5

Value = str | int | float | bool | None
Attributes = Annotated[dict[str, Value], msgspec.Meta(max_length=ATTRIBUTES_MAX)]


class Introduce(Params, frozen=True, kw_only=True):
    """`visitor.introduce`: what the page that shows the chat says of its visitor.

    It fills in what is not known; attributes are kept by name, null takes one away.
    """

    name: Annotated[str, msgspec.Meta(max_length=NAME_CHARS)] = ""
    email: Annotated[str, msgspec.Meta(max_length=EMAIL_CHARS)] = ""
    phone: Annotated[str, msgspec.Meta(max_length=PHONE_CHARS)] = ""
    attributes: Attributes = msgspec.field(default_factory=dict)
    """At most 20: names of 1 to 40 characters, texts of at most 200, numbers, true and
    false."""


class Introduced(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it is kept: only of who has opened a conversation."""

    is_kept: bool


async def _introduce(
    desk: "Desk", principal: Principal, params: Introduce
) -> Introduced:
    told = {name: check_fact(name, text) for name, text in _facts(params).items()}
    attributes = {
        _check_name(name): _check_value(value)
        for name, value in params.attributes.items()
    }
    for is_first in (True, *[False] * _TRIES):
        number = int(principal.participant[1:])
        profile = await desk.store.find_record(VisitorProfile, number)
        if profile is None or profile.site_id != principal.site_id:
            return Introduced(is_kept=False)
        changes = _changes(profile, told, attributes)
        if not changes:
            return Introduced(is_kept=True)
        wait_s = desk.introductions.take(principal.participant) if is_first else 0.0
        if wait_s:
            raise TooMany("You changed who you are too often.", retry_after_s=wait_s)
        if await change_profile(desk, profile, changes) is not None:
            return Introduced(is_kept=True)
    raise Busy("What is known of you changes all the time.", retry_after_s=1.0)


def _facts(params: Introduce) -> dict[str, str]:
    return {"name": params.name, "email": params.email, "phone": params.phone}


def _changes(
    profile: VisitorProfile, told: dict[str, str], attributes: dict[str, Value]
) -> dict[str, Any]:
    """Return what is new. Raises `Invalid` for more attributes than are kept."""
    changes: dict[str, Any] = {
        name: text for name, text in told.items() if text and not getattr(profile, name)
    }
    merged = {**profile.attributes, **attributes}
    merged = {name: value for name, value in merged.items() if value is not None}
    if len(merged) > ATTRIBUTES_MAX:
        raise Invalid(f"At most {ATTRIBUTES_MAX} attributes are kept of a visitor.")
    # By their text: to Python 1, 1.0 and true are the same.
    if msgspec.json.encode(merged) != msgspec.json.encode(profile.attributes):
        changes["attributes"] = merged
    return changes


def _check_name(name: str) -> str:
    name = check_line(name, "The name of an attribute")
    if not 0 < len(name) <= ATTRIBUTE_CHARS:
        raise Invalid(f"The name of an attribute has 1 to {ATTRIBUTE_CHARS} letters.")
    return name


def _check_value(value: Value) -> Value:
    if isinstance(value, str):
        if len(value) > VALUE_CHARS:
            raise Invalid(f"An attribute has at most {VALUE_CHARS} letters.")
        return check_line(value, "An attribute")
    if isinstance(value, float) and not math.isfinite(value):
        raise Invalid("An attribute is no finite number.")
    if isinstance(value, int) and not -ID_MAX <= value <= ID_MAX:
        raise Invalid("An attribute is a whole number beyond 53 bits.")
    return value


METHODS: Methods = {
    "visitor.introduce": Method(
        params=Introduce,
        run=_introduce,
        result=Introduced,
        http="POST /visitors/introduce",
    ),
}
