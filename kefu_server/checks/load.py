"""Whether a running server keeps up: judged by its own figures of the last minute."""

import msgspec

from kefu_server.checks import Check, problem, warning

_LATE_MS = 100.0
_VERY_LATE_MS = 500.0
_SLOW_MS = 500.0
_WAITING_MAX = 500
_UNANSWERED_S = 600.0
_HOURS_FROM_MIN = 120.0
"""Who reads "3,297 minutes" has to divide."""
_POLLS_MIN = 20


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged."""

    lag_ms: float
    """How late the event loop came in 99 of 100 looks."""
    commit_ms: float
    """How long 99 of 100 transactions took."""
    messages_waiting: int
    """Not yet stored."""
    is_database_away: bool
    conversations_waiting: int
    waiting_s: float
    """How long the first of them has waited."""
    agents_online: int
    slow_readers: int
    """Connections that were cut because they did not read."""
    connections: dict[str, int]
    """By transport."""


def judge_load(load: Load) -> list[Check]:
    """Return what is wrong; nothing where all is well."""
    return [*_of_machine(load), *_of_people(load)]


def _of_machine(load: Load) -> list[Check]:
    found: list[Check] = []
    if load.is_database_away:
        found.append(problem("load", "away"))
    elif load.messages_waiting > _WAITING_MAX:
        found.append(problem("load", "stands", messages=f"{load.messages_waiting:,}"))
    elif load.commit_ms > _SLOW_MS:
        found.append(warning("load", "slow", ms=f"{load.commit_ms:,.0f}"))
    if load.lag_ms > _LATE_MS:
        is_bad = load.lag_ms > _VERY_LATE_MS
        found.append(
            (problem if is_bad else warning)("load", "late", ms=f"{load.lag_ms:,.0f}")
        )
    return found


def _of_people(load: Load) -> list[Check]:
    found: list[Check] = []
    waiting = f"{load.conversations_waiting:,}"
    if load.conversations_waiting and not load.agents_online:
        found.append(problem("load", "nobody", conversations=waiting))
    elif load.waiting_s > _UNANSWERED_S:
        found.append(_unanswered(waiting, load.waiting_s / 60))
    if load.slow_readers:
        found.append(warning("load", "readers", count=f"{load.slow_readers:,}"))
    polls, all_of_them = load.connections.get("longpoll", 0), 0
    all_of_them = sum(load.connections.values())
    if polls >= _POLLS_MIN and polls * 2 > all_of_them:
        share = f"{polls / all_of_them:.0%}"
        found.append(warning("load", "polls", share=share))
    return found


def _unanswered(waiting: str, minutes: float) -> Check:
    if minutes < _HOURS_FROM_MIN:
        how_long = f"{minutes:.0f}"
        return warning("load", "unanswered", conversations=waiting, minutes=how_long)
    return warning("load", "hours", conversations=waiting, hours=f"{minutes / 60:,.0f}")
