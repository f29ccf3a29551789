"""What is known of a visitor besides its name, in an archive and back from it."""

import math
from typing import Any

import msgspec

from kefu_core.abc.store import Store
from kefu_core.errors import Invalid
from kefu_core.ids import ID_MAX
from kefu_core.records import VisitorProfile
from kefu_core.upkeep.records import PersonRecord

_CHARS = {
    "email": 320,
    "phone": 64,
    "notes": 20_000,
    "language": 16,
    "chosen_language": 35,
}
_ATTRIBUTES_MAX, _NAME_CHARS, _TEXT_CHARS = 100, 100, 2_000


def facts_of(profile: VisitorProfile | None) -> dict[str, Any]:
    """Return what a visitor's line says besides number, name and role."""
    if profile is None:
        return {}
    return {name: getattr(profile, name) for name in (*_CHARS, "attributes")}


def check_facts(record: PersonRecord) -> None:
    """Refuse what a database or a page would choke on. Raises `Invalid`."""
    for name, chars in _CHARS.items():
        _check_text(name, getattr(record, name), chars)
    if len(record.attributes) > _ATTRIBUTES_MAX:
        raise Invalid(f"has more than {_ATTRIBUTES_MAX} attributes")
    for name, value in record.attributes.items():
        _check_text("an attribute", name, _NAME_CHARS)
        if isinstance(value, str):
            _check_text("an attribute", value, _TEXT_CHARS)
        elif isinstance(value, float) and not math.isfinite(value):
            raise Invalid("an attribute is no finite number")
        elif isinstance(value, int) and not -ID_MAX <= value <= ID_MAX:
            raise Invalid("an attribute is a whole number beyond 53 bits")


def _check_text(what: str, text: str, chars: int) -> None:
    if len(text) > chars or "\0" in text:
        raise Invalid(f"{what} has more than {chars} characters, or a NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid(f"{what} has half of a surrogate pair") from None


async def restore(store: Store, record: PersonRecord) -> None:
    """Fill in what is known of a visitor who has just come in.

    Only where nothing is known and nothing ever was: what was changed or erased here
    stays as it is.
    """
    facts = {name: getattr(record, name) for name in (*_CHARS, "attributes")}
    facts = {name: value for name, value in facts.items() if value}
    if not facts:
        return
    profile = await store.find_record(VisitorProfile, int(record.id[1:]))
    if profile is None or profile.revision or any(facts_of(profile).values()):
        return
    filled = msgspec.structs.replace(profile, **facts, revision=1)
    await store.change_record(filled, when={"revision": 0})
