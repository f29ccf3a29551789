"""Query strings: the parameters of a GET as a struct; wrong ones refused by name."""

from collections.abc import Collection, Iterable
from functools import cache
from types import NoneType
from typing import Any, TypeVar, Union, get_args

import msgspec
from starlette.requests import Request

from kefu_core.errors import Invalid

T = TypeVar("T", bound=msgspec.Struct)
_NAME_CHARS = 40


class NoParameters(msgspec.Struct, frozen=True):
    """For a route that takes none."""


def read_query(request: Request, shape: type[T]) -> T:
    """Return the parameters as a struct; a field's alias is its name in the URL.

    Raises:
        Invalid: A parameter is unknown, missing, wrong or given twice; says which.
    """
    known = _fields(shape)
    given = read_texts(request.query_params.multi_items(), shape)
    for name, (field, _) in known.items():
        if field.required and name not in given:
            raise Invalid(f"The parameter '{name}' is missing.")
    return shape(**{known[name][0].name: value for name, value in given.items()})


def read_texts(
    texts: Iterable[tuple[str, str]],
    shape: type[msgspec.Struct],
    *,
    without: Collection[str] = (),
) -> dict[str, Any]:
    """Return what these texts of a URL mean to a struct, by the names in the URL.

    Raises:
        Invalid: One is unknown (or in `without`), wrong or given twice; says which.
    """
    known = {name: each for name, each in _fields(shape).items() if name not in without}
    given: dict[str, Any] = {}
    for name, text in texts:
        if name not in known:
            there_are = ", ".join(known) or "none"
            raise Invalid(
                f"There is no parameter {name[:_NAME_CHARS]!r} here; "
                f"there are: {there_are}."
            )
        if name in given:
            raise Invalid(f"The parameter '{name}' is given twice.")
        given[name] = _convert(name, text, known[name][1])
    return given


def _convert(name: str, text: str, type_: Any) -> Any:
    # No database holds it, and nobody types it.
    if "\0" in text:
        raise Invalid(f"The parameter '{name}' is wrong: it holds a NUL.")
    try:
        return msgspec.convert(text, type_, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"The parameter '{name}' is wrong: {error}.") from None


@cache
def _fields(
    shape: type[msgspec.Struct],
) -> dict[str, tuple[msgspec.structs.FieldInfo, Any]]:
    """Return each parameter's field, and its type without None.

    None is what a parameter that is left out means; the text `null` is not to mean it.
    """
    found = {}
    for field in msgspec.structs.fields(shape):
        options = [each for each in get_args(field.type) if each is not NoneType]
        is_optional = NoneType in get_args(field.type)
        type_ = Union[tuple(options)] if is_optional else field.type  # noqa: UP007
        found[field.encode_name] = field, type_
    return found
