"""Reports: what was done, by day and by agent, from figures that are kept up."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import msgspec

from kefu_core.abc.records import PAGE_MAX
from kefu_core.desk.methods import Method, Methods, Params
from kefu_core.errors import Invalid
from kefu_core.ids import ID_MAX, agent_participant
from kefu_core.model import Principal, Role
from kefu_core.records import DayFigures
from kefu_core.types import ParticipantId

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

ROWS_MAX = 20_000
"""Figures behind one report: fifty agents on four sites for a hundred days."""
Day = Annotated[int, msgspec.Meta(ge=19_700_101, le=99_991_231)]


class GetReport(Params, frozen=True, kw_only=True):
    """`reports.get`: what was done from one day to another, both included.

    Admins see everybody, agents themselves.
    """

    first_day: Day
    """20260131, in the time zone of each site."""
    last_day: Day
    site_id: Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)] = 0
    """0 for all sites."""


class Sums(msgspec.Struct, kw_only=True):
    """Figures added up; see `kefu_core.followers.figures` for what counts."""

    opened: int = 0
    closed: int = 0
    missed: int = 0
    messages_in: int = 0
    messages_out: int = 0
    first_reply_ms: int = 0
    first_replies: int = 0
    handling_ms: int = 0
    handled: int = 0
    rating_sum: int = 0
    ratings: int = 0

    def add(self, figures: DayFigures) -> None:
        """Add one row."""
        for field in self.__struct_fields__:
            setattr(self, field, getattr(self, field) + getattr(figures, field))


class DaySums(msgspec.Struct, frozen=True, kw_only=True):
    """One day."""

    day: int
    sums: Sums


class AgentSums(msgspec.Struct, frozen=True, kw_only=True):
    """One agent; of what nobody did there is none."""

    agent: ParticipantId
    sums: Sums


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was done."""

    total: Sums
    days: list[DaySums]
    """Those on which anything happened, ascending."""
    agents: list[AgentSums]


async def _get(desk: "Desk", principal: Principal, params: GetReport) -> Report:
    if params.first_day > params.last_day:
        raise Invalid("reports.get: the first day comes after the last.")
    rows = [
        row
        for row in await _rows(desk, params)
        if principal.role is Role.ADMIN
        or agent_participant(row.agent_id) == principal.participant
    ]
    return report_of(rows)


async def _rows(desk: "Desk", params: GetReport) -> list[DayFigures]:
    rows: list[DayFigures] = []
    after = 0
    while page := await desk.store.list_records(
        DayFigures,
        where={"site_id": params.site_id} if params.site_id else None,
        at_least={"day": params.first_day},
        at_most={"day": params.last_day},
        after=after,
        limit=PAGE_MAX,
    ):
        rows += page
        if len(rows) > ROWS_MAX:
            raise Invalid("reports.get: too much for one report; ask for fewer days.")
        after = page[-1].id
    return rows


def report_of(rows: Iterable[DayFigures]) -> Report:
    """Add rows up, by day and by agent."""
    total = Sums()
    days: dict[int, Sums] = {}
    agents: dict[int, Sums] = {}
    for row in rows:
        if not any(getattr(row, field) for field in total.__struct_fields__):
            continue  # A change of the time zone has moved all of it to another day.
        total.add(row)
        days.setdefault(row.day, Sums()).add(row)
        if row.agent_id:
            agents.setdefault(row.agent_id, Sums()).add(row)
    return Report(
        total=total,
        days=[DaySums(day=day, sums=days[day]) for day in sorted(days)],
        agents=[
            AgentSums(agent=agent_participant(agent), sums=sums)
            for agent, sums in sorted(agents.items())
        ],
    )


METHODS: Methods = {
    "reports.get": Method(
        params=GetReport,
        run=_get,
        result=Report,
        http="GET /reports",
        scope="reports:read",
    ),
}
