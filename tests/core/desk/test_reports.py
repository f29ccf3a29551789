"""Reports add up what is asked for, and show agents only what is theirs."""

import pytest

from kefu_core.client import Rejected
from kefu_core.desk.reports import report_of
from kefu_core.records import DayFigures
from tests.core.desk.world import world

pytestmark = pytest.mark.anyio

ROWS = (
    DayFigures(id=1, day=20260101, site_id=1, opened=3, missed=1),
    DayFigures(id=2, day=20260101, site_id=1, agent_id=1, closed=2, first_replies=2),
    DayFigures(id=3, day=20260102, site_id=2, agent_id=1, closed=1, first_reply_ms=9),
    DayFigures(id=4, day=20260102, site_id=1, agent_id=2, closed=4, ratings=1),
    DayFigures(id=5, day=20260201, site_id=1, agent_id=2, closed=8),
)
JANUARY = {"first_day": 20260101, "last_day": 20260131}


async def test_an_admin_sees_everybody_day_by_day() -> None:
    async with world() as w, w.client("a2") as admin:
        await w.store.put_records(*ROWS)
        report = await admin.call("reports.get", JANUARY)
        assert [day["day"] for day in report["days"]] == [20260101, 20260102]
        assert report["total"]["closed"] == 7
        assert report["total"]["opened"] == 3
        assert {a["agent"]: a["sums"]["closed"] for a in report["agents"]} == {
            "a1": 3,
            "a2": 4,
        }


async def test_an_agent_sees_only_their_own_work() -> None:
    async with world() as w, w.client("a1") as agent:
        await w.store.put_records(*ROWS)
        report = await agent.call("reports.get", JANUARY)
        assert [a["agent"] for a in report["agents"]] == ["a1"]
        assert (report["total"]["closed"], report["total"]["opened"]) == (3, 0)


async def test_one_site_is_reported_alone() -> None:
    async with world() as w, w.client("a2") as admin:
        await w.store.put_records(*ROWS)
        report = await admin.call("reports.get", {**JANUARY, "site_id": 2})
        assert report["total"]["closed"] == 1


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"first_day": 20260131, "last_day": 20260101},
        {"first_day": 0, "last_day": 1},
        {**JANUARY, "site_id": -1},
    ],
)
async def test_days_that_make_no_sense_are_refused(params: dict[str, int]) -> None:
    async with world() as w, w.client("a1") as agent:
        with pytest.raises(Rejected, match=r"reports\.get"):
            await agent.call("reports.get", params)


def test_nothing_comes_to_nothing() -> None:
    report = report_of([])
    assert (report.days, report.agents, report.total.opened) == ([], [], 0)
