"""Who is on the sites now, as the table holds it and as agents are told."""

from typing import Any

import msgspec
import pytest

from kefu_core.desk.visiting import Answered, InvitationReply, Report
from kefu_core.desk.visits import LEFT_S, TOLD_MAX, TOPIC, TRAIL_MAX, Visits
from kefu_core.errors import Conflict, Invalid, NotFound, TooMany
from kefu_core.hub.lists import WatchedList
from kefu_core.limits import Limits
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON
from tests.core.desk.world import PRINCIPALS, World, eventually, world

pytestmark = pytest.mark.anyio
SHOP = "https://shop.example"


class Table:
    """A table whose clock is set by the test."""

    def __init__(self, **limits: Any) -> None:
        self.s = 100.0
        self.topic = WatchedList(TOPIC)
        self.visits = Visits(
            Limits(**limits), lambda: self.s, lambda: int(self.s * 1000)
        )
        self.visits._topic = self.topic

    def report(self, visitor: int = 1, path: str = "/", **more: Any) -> None:
        """Report a page, some seconds after the one before."""
        site, address = more.pop("site", 1), more.pop("address", "")
        report = Report(**{"page": "p", "url": SHOP + path} | more)
        self.visits.report(site, visitor, report, address=address)

    def row(self, visitor: int = 1) -> dict[str, Any] | None:
        """Tell, and return what agents see."""
        self.visits.tell()
        return self.topic.rows.get(visitor)

    def after(self, s: float) -> None:
        self.s += s


def test_a_visit_is_a_row_with_its_pages() -> None:
    t = Table()
    t.report(title="Teas  of\nspring", referrer="https://so.example/s?q=1")
    t.after(9)
    t.report(path="/green", title="Green", referrer=SHOP, language="en")
    row = t.row()
    assert row is not None
    assert (row["url"], row["title"], row["pages"]) == (f"{SHOP}/green", "Green", 2)
    assert (row["source"], row["language"]) == ("so.example/s", "en")
    assert (row["since"], row["at"]) == (100_000, 109_000)
    t.after(4)
    visit = t.visits.find(1)
    assert visit is not None
    pages = [(p.title, p.seconds) for p in t.visits.trail(visit)]
    assert pages == [("Teas of spring", 9), ("Green", 4)]


def test_a_page_that_reports_again_or_loads_again_is_the_same_page() -> None:
    t = Table()
    for page in ("p", "p", "q"):
        t.report(page=page, title=page)
        t.after(5)
    row = t.row()
    assert row is not None
    assert (row["pages"], row["at"], row["title"]) == (1, 100_000, "q")


def test_who_does_not_report_is_gone_when_the_lease_ends() -> None:
    t = Table(visit_lease_s=45.0)
    t.report()
    t.after(40)
    t.report()
    t.after(44)
    assert t.row()
    t.after(2)
    assert t.row() is None
    assert t.visits.rows() == []


def test_a_page_that_is_hidden_stays_longer() -> None:
    t = Table(visit_lease_s=45.0)
    t.report(is_hidden=True)
    t.after(170)
    row = t.row()
    assert row is not None
    assert row["is_hidden"]
    t.report()
    t.after(46)
    assert t.row() is None


def test_who_leaves_is_gone_unless_another_page_comes() -> None:
    t = Table()
    t.report(page="a")
    t.report(page="a", has_left=True)
    t.after(LEFT_S - 1)
    t.report(page="b", path="/next")
    t.after(LEFT_S)
    row = t.row()
    assert row is not None
    assert row["pages"] == 2
    # The tab that was left before is not the one that is looked at.
    t.report(page="a", has_left=True)
    t.after(LEFT_S + 1)
    assert t.row()
    t.report(page="b", has_left=True)
    t.after(LEFT_S + 1)
    assert t.row() is None


def test_of_two_tabs_the_one_that_is_looked_at_counts() -> None:
    t = Table()
    t.report(page="a", path="/seen")
    t.report(page="b", path="/behind", is_hidden=True)
    row = t.row()
    assert row is not None
    assert (row["url"], row["is_hidden"], row["pages"]) == (f"{SHOP}/seen", False, 1)


def test_when_the_tab_that_was_looked_at_is_closed_the_other_one_counts() -> None:
    t = Table()
    t.report(page="a", path="/seen")
    t.report(page="b", path="/behind", is_hidden=True)
    t.report(page="a", has_left=True)
    t.report(page="b", path="/behind", is_hidden=True)
    t.after(LEFT_S + 60)
    row = t.row()
    assert row is not None
    assert (row["url"], row["is_hidden"]) == (f"{SHOP}/behind", True)


def test_nobody_is_there_who_only_leaves() -> None:
    t = Table()
    t.report(has_left=True)
    assert t.row() is None


def test_there_is_room_for_so_many_and_of_one_address_for_fewer() -> None:
    t = Table(visits_max=3, address_visits_max=2)
    for visitor in (1, 2, 3):
        t.report(visitor, address="192.0.2.1")
    assert [row["id"] for row in t.visits.rows()] == [1, 2]
    for visitor in (4, 5):
        t.report(visitor, address="192.0.2.2")
    assert [row["id"] for row in t.visits.rows()] == [1, 2, 4]
    t.after(50)
    t.row()
    t.report(3, address="192.0.2.1")
    assert t.row(3)


def test_a_page_that_reports_too_often_waits() -> None:
    t = Table()
    for _ in range(20):
        t.report()
    with pytest.raises(TooMany):
        t.report()
    t.report(2)


def test_an_address_that_reports_too_often_waits() -> None:
    t = Table(address_visits_per_s=1.0, address_visits_burst=2)
    for _ in range(2):
        t.visits.count_request("192.0.2.1")
    with pytest.raises(TooMany):
        t.visits.count_request("192.0.2.1")
    t.visits.count_request("192.0.2.2")


def test_many_changes_are_told_a_few_at_a_time_and_each_row_once() -> None:
    t = Table()
    people = range(1, 3 * TOLD_MAX)
    for path in ("/a", "/b"):
        for visitor in people:
            t.report(visitor, path)
    before = t.topic.version
    t.visits.tell()
    assert t.topic.version == before + TOLD_MAX
    for _ in range(2):
        t.visits.tell()
    assert t.topic.version == before + len(people)
    assert {row["url"] for row in t.topic.rows.values()} == {f"{SHOP}/b"}
    t.visits.tell()
    assert t.topic.version == before + len(people)


def test_a_row_is_small_whatever_the_page_says() -> None:
    t = Table()
    for step in range(2 * TRAIL_MAX):
        # Slowly, since a page may not report without end.
        t.after(1)
        t.report(
            path=f"/{step}" + "\x00茶\u202e" * 900,
            title="茶\x07\n" * 600,
            language="茶" * 40,
            screen="x" * 40,
        )
    row = t.row()
    assert row is not None
    assert len(msgspec.json.encode(row)) < 1_000
    visit = t.visits.find(1)
    assert visit is not None
    assert len(t.visits.trail(visit)) == TRAIL_MAX
    assert row["pages"] == 2 * TRAIL_MAX


def invited(t: Table) -> str:
    row = t.row()
    return row["invitation"] if row else "nobody"


def test_an_invitation_is_told_until_it_is_answered_and_never_again() -> None:
    t = Table()
    t.report()
    visit = t.visits.find(1)
    assert visit is not None
    sent = t.visits.invite(visit, "May I help?", name="Ana", by="a1")
    assert invited(t) == "sent"
    for state in ("shown", "shown", "refused", "accepted"):
        assert (t.visits.invitation_for(visit) is sent) is (state != "accepted")
        t.report(invitation=InvitationReply(id=sent.id, state=Answered(state)))
    # The first answer counts; another page of the same browser changes nothing.
    assert invited(t) == "refused"
    assert t.visits.invitation_for(visit) is None
    with pytest.raises(Conflict):
        t.visits.invite(visit, "", name="Bo", by="a2")
    t.after(60)
    assert invited(t) == "nobody"
    t.report(has_refused=True)
    again = t.visits.find(1)
    assert again is not None
    with pytest.raises(Conflict):
        t.visits.invite(again, "", name="Bo", by="a2")


def test_an_answer_to_another_invitation_is_none() -> None:
    t = Table()
    t.report(invitation=InvitationReply(id=1, state=Answered.REFUSED))
    visit = t.visits.find(1)
    assert visit is not None
    t.visits.invite(visit, "", name="Ana", by="a1")
    second = t.visits.invite(visit, "", name="Ana", by="a1")
    t.report(invitation=InvitationReply(id=second.id - 1, state=Answered.ACCEPTED))
    assert invited(t) == "sent"
    t.report(invitation=InvitationReply(id=second.id, state=Answered.ACCEPTED))
    assert invited(t) == "accepted"


def test_pages_report_soon_where_few_are_and_somebody_looks_on() -> None:
    t = Table(visit_lease_s=45.0)
    for visitor in range(100):
        t.report(visitor)
    assert t.visits.every_s == 15

    class Somebody:
        codec = JSON

        def deliver_list(self, frame: f.Frame, encoded: bytes | None) -> bool:
            return True

    t.topic.watch(Somebody())
    assert t.visits.every_s == 5
    for visitor in range(100, 900):
        t.report(visitor, address=f"192.0.2.{visitor % 10}")
    assert t.visits.every_s == 15


async def see(w: World, visitor: int, site: int = 1) -> None:
    w.desk.visits.report(site, visitor, Report(page="p", url=f"{SHOP}/"))


def row_of(w: World, visitor: int) -> dict[str, Any]:
    return w.hub.lists.topic(TOPIC).rows.get(visitor, {})


async def test_the_row_of_who_talks_says_so_with_the_place_of_who_waits() -> None:
    async with world() as w:
        for visitor in (1, 2):
            await see(w, visitor)
        first = await w.conversation("v1")
        await w.say(first, "v1", "hello")
        second = await w.conversation("v2")
        await w.say(second, "v2", "hello")
        await eventually(lambda: row_of(w, 2).get("place") == 2)
        assert row_of(w, 2)["conversation"] == second
        await w.desk.call(
            PRINCIPALS["a1"], "conversation.take", {"conversation": first}
        )
        await eventually(lambda: row_of(w, 1).get("status") == "active")
        assert (row_of(w, 1)["assignee"], row_of(w, 1)["place"]) == ("a1", None)
        await eventually(lambda: row_of(w, 2).get("place") == 1)
        await w.desk.call(
            PRINCIPALS["a1"], "conversation.close", {"conversation": first}
        )
        await eventually(lambda: row_of(w, 1).get("status") == "")
        assert row_of(w, 1)["conversation"] is None


async def test_an_agent_of_one_site_sees_its_visitors_only() -> None:
    async with world() as w:
        await see(w, 1)
        await see(w, 5, site=2)
        await eventually(lambda: bool(row_of(w, 5)))
        wire = await w.live("a3")
        await wire.send(f.Watch(topic=TOPIC))
        assert [row["id"] for row in (await wire.until(f.Snapshot)).rows] == [5]
        listed = await w.desk.call(PRINCIPALS["a3"], "visitors.list", {})
        assert [row["id"] for row in listed["rows"]] == [5]
        for visitor in (1, 404):
            with pytest.raises(NotFound):
                await w.desk.call(PRINCIPALS["a3"], "visit.get", {"visitor": visitor})
        seen = await w.desk.call(PRINCIPALS["a3"], "visit.get", {"visitor": 5})
        assert [page["url"] for page in seen["pages"]] == [f"{SHOP}/"]
        of_one = await w.desk.call(PRINCIPALS["a2"], "visitors.list", {"site": 1})
        assert [row["id"] for row in of_one["rows"]] == [1]
        wire.cut()


async def test_who_talks_is_not_invited() -> None:
    async with world() as w:
        await see(w, 1)
        conversation = await w.conversation("v1")
        await w.say(conversation, "v1", "hello")
        await eventually(lambda: row_of(w, 1).get("status") == "queued")
        with pytest.raises(Conflict):
            await w.desk.call(PRINCIPALS["a1"], "visit.invite", {"visitor": 1})
        for text in ("x" * 301, "a\x00b"):
            params = {"visitor": 1, "text": text}
            with pytest.raises(Invalid):
                await w.desk.call(PRINCIPALS["a1"], "visit.invite", params)
