"""The methods of `call`, all of them; who may call which is in `access.py`."""

from typing import TYPE_CHECKING, Any

from kefu_core.desk import (
    absence,
    accounts,
    answers,
    attendance,
    banning,
    canned,
    conversations,
    editing,
    glossary,
    handing,
    introducing,
    messages,
    offline,
    opening,
    people,
    profiles,
    programs,
    ratings,
    reading,
    recalling,
    reports,
    sites,
    teams,
    translating,
    translations,
    watching,
    webhooks,
)
from kefu_core.desk.access import check_scope, rights_of
from kefu_core.desk.methods import Method, Methods, run_method
from kefu_core.errors import NotFound
from kefu_core.model import Principal

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

CALLS: Methods = {
    **absence.METHODS,
    **accounts.METHODS,
    **answers.METHODS,
    **canned.METHODS,
    **attendance.METHODS,
    **banning.METHODS,
    **conversations.METHODS,
    **glossary.METHODS,
    **handing.METHODS,
    **introducing.METHODS,
    **messages.METHODS,
    **offline.METHODS,
    **opening.METHODS,
    **people.METHODS,
    **profiles.METHODS,
    **programs.METHODS,
    **ratings.METHODS,
    **reading.METHODS,
    **editing.METHODS,
    **recalling.METHODS,
    **reports.METHODS,
    **sites.METHODS,
    **teams.METHODS,
    **translating.METHODS,
    **translations.METHODS,
    **watching.METHODS,
    **webhooks.METHODS,
}


async def run_call(
    desk: "Desk", principal: Principal, method: str, params: dict[str, Any]
) -> dict[str, Any]:
    """Check the right and the parameters, then run. Raises `RefusedError`."""
    found = find_method(principal, method)
    return await run_method(method, found, desk, principal, params)


def find_method(principal: Principal, method: str) -> Method:
    """Return a method that this principal may call.

    Raises:
        NotFound: There is none, or not for this role.
        NotAllowed: The role may, but not with this token.
    """
    found = CALLS.get(method)
    if found is None or method not in rights_of(principal).calls:
        raise NotFound("There is no such method.")
    check_scope(principal, found.scope)
    return found


def scope_of_topic(topic: str) -> str:
    """Return what a token needs to watch a list: what it needs to ask for it."""
    listing = CALLS.get(f"{topic}.list")
    return listing.scope if listing else ""
