"""What a method of the desk is: said once, offered by `call`, by HTTP and in OpenAPI.

A new method needs a function and a `Method` in one module of the desk, which `calls.py`
lists, a line in the table of `access.py`, a line in docs/protocol.md and a row in the
authorisation matrix of `tests/security`; then `python -m kefu_server.openapi
docs/openapi.json`.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from kefu_core.errors import Invalid
from kefu_core.ids import ID_MAX
from kefu_core.model import Principal

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

Id = Annotated[int, msgspec.Meta(ge=1, le=ID_MAX)]
ROWS_MAX = 100
Limit = Annotated[int, msgspec.Meta(ge=1, le=ROWS_MAX)]


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of a call; an unknown name is a mistake worth hearing of."""


Function = Callable[["Desk", Principal, Any], Awaitable[Any]]


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the desk does for somebody who may."""

    params: type[Params]
    """Its docstring says what the method does."""
    run: Function
    result: Any
    """The type of the answer: a struct or a typed dict."""
    http: str
    """Verb and path below `/api/v1`; `{names}` in it are parameters. Of a GET the
    others stand in the query, else in a JSON body."""
    scope: str = ""
    """What an API token needs; empty: no token may call it."""


Methods = dict[str, Method]


async def run_method(
    name: str,
    method: Method,
    desk: "Desk",
    principal: Principal,
    params: dict[str, Any],
) -> dict[str, Any]:
    """Check the parameters and run. Raises `Invalid`, and what the method raises."""
    try:
        checked = msgspec.convert(params, method.params)
    except msgspec.ValidationError as error:
        raise Invalid(f"{name}: {str(error)[:200]}.") from None
    result = await method.run(desk, principal, checked)
    built: dict[str, Any] = msgspec.to_builtins(result)
    return built
