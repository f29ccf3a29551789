"""The methods of `call`, all of them; who may call which is in `access.py`."""

from typing import TYPE_CHECKING, Any

from kefu_core.desk import (
    absence,
    answers,
    conversations,
    offline,
    people,
    reports,
    sites,
    webhooks,
)
from kefu_core.desk.access import rights_of
from kefu_core.desk.methods import Methods, run_method
from kefu_core.errors import NotFound
from kefu_core.model import Principal

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

CALLS: Methods = {
    **absence.METHODS,
    **answers.METHODS,
    **conversations.METHODS,
    **offline.METHODS,
    **people.METHODS,
    **reports.METHODS,
    **sites.METHODS,
    **webhooks.METHODS,
}


async def run_call(
    desk: "Desk", principal: Principal, method: str, params: dict[str, Any]
) -> dict[str, Any]:
    """Check the right and the parameters, then run. Raises `RefusedError`."""
    found = CALLS.get(method)
    if found is None or method not in rights_of(principal).calls:
        raise NotFound("There is no such method.")
    return await run_method(method, found, desk, principal, params)
