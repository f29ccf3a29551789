"""The pages of those who talk are kept with them, of nobody else."""

import pytest

from kefu_core.desk.visiting import Report
from kefu_core.desk.visits import LEFT_S
from kefu_core.errors import NotFound
from kefu_core.records import PageView, Record, Visit
from kefu_core.types import ParticipantId
from kefu_core.upkeep.erasing import erase_visitor
from tests.core.desk.world import PRINCIPALS, World, world

pytestmark = pytest.mark.anyio
SHOP = "https://shop.example"
AGENT = PRINCIPALS["a1"]


async def see(w: World, path: str, visitor: int = 1, *, has_left: bool = False) -> None:
    """Report a page, and let all that follows from it be done."""
    report = Report(page="p", url=SHOP + path, title=path, has_left=has_left)
    w.desk.visits.report(1, visitor, report)
    w.desk.visits.tell()
    await w.desk.trails.keep()


async def talk(w: World, visitor: str = "v1") -> None:
    number = await w.conversation(visitor)
    await w.say(number, visitor, "hello")
    w.desk.visits.tell()
    await w.desk.trails.keep()


async def kept(w: World) -> list[str]:
    """Return the titles of the pages that are stored."""
    return [page.title for page in await w.store.list_records(PageView, after=0)]


async def test_who_only_looks_is_not_stored_and_who_talks_is_from_the_first_page() -> (
    None
):
    async with world() as w:
        await see(w, "/a")
        await see(w, "/other", visitor=2)
        assert await kept(w) == []
        await talk(w)
        assert await kept(w) == ["/a"]
        await see(w, "/b")
        assert await kept(w) == ["/a", "/b"]
        (visit,) = await w.store.list_records(Visit)
        assert (visit.visitor, visit.site_id, visit.pages) == ("v1", 1, 2)


async def test_agents_see_the_pages_of_who_has_left() -> None:
    async with world() as w:
        await see(w, "/a")
        await see(w, "/nobody", visitor=2)
        await talk(w)
        await see(w, "/b")
        seen = await w.desk.call(AGENT, "visit.get", {"visitor": 1})
        assert seen["is_here"]
        for visitor in (1, 2):
            await see(w, "/b", visitor=visitor, has_left=True)
        w.at_s += LEFT_S + 60
        w.desk.visits.tell()
        await w.desk.trails.keep()
        seen = await w.desk.call(AGENT, "visit.get", {"visitor": 1})
        assert not seen["is_here"]
        assert [page["title"] for page in seen["pages"]] == ["/a", "/b"]
        for who, visitor in (("a3", 1), ("a1", 2), ("a1", 404)):
            with pytest.raises(NotFound):
                await w.desk.call(PRINCIPALS[who], "visit.get", {"visitor": visitor})


async def test_agents_see_earlier_visits_and_the_pages_of_each() -> None:
    async with world() as w:
        await see(w, "/a")
        await talk(w)
        await see(w, "/a", has_left=True)
        w.at_s += LEFT_S + 60
        w.desk.visits.tell()
        await w.desk.trails.keep()
        await see(w, "/b")
        now = await w.desk.call(AGENT, "visit.get", {"visitor": 1})
        assert [page["title"] for page in now["pages"]] == ["/b"]
        # What goes on is stored too, and stands once.
        (earlier,) = now["earlier"]
        assert now["is_here"]
        assert earlier["id"] != now["visit"]["id"]
        assert (earlier["page_count"], earlier["site_id"]) == (1, 1)
        asked = {"visitor": 1, "visit": earlier["id"]}
        then = await w.desk.call(AGENT, "visit.get", asked)
        assert [page["title"] for page in then["pages"]] == ["/a"]
        assert not then["is_here"]
        assert then["visit"] == earlier
        assert [each["id"] for each in then["earlier"]] == [now["visit"]["id"]]
        same = await w.desk.call(
            AGENT, "visit.get", {"visitor": 1, "visit": now["visit"]["id"]}
        )
        assert same["is_here"]
        assert same["pages"] == now["pages"]
        # A visit is asked for with whose it is, and by who serves its site.
        for who, visitor in (("a3", 1), ("a1", 2)):
            with pytest.raises(NotFound):
                await w.desk.call(
                    PRINCIPALS[who], "visit.get", {**asked, "visitor": visitor}
                )


async def test_who_leaves_while_others_are_being_kept_is_kept_next() -> None:
    async with world() as w:
        for visitor in (2, 1):
            await see(w, f"/{visitor}", visitor=visitor)
            await talk(w, f"v{visitor}")
        put = w.store.put_records

        async def then_leave(*records: Record) -> None:
            await put(*records)
            w.desk.visits.report(
                1, 2, Report(page="p", url=f"{SHOP}/last", title="/last")
            )
            w.at_s += 600
            w.desk.visits.tell()

        w.store.put_records = then_leave  # type: ignore[method-assign]
        await see(w, "/next")
        w.store.put_records = put  # type: ignore[method-assign]
        assert w.desk.visits.rows() == []
        await w.desk.trails.keep()
        assert "/last" in await kept(w)
        assert not w.desk.visits.ended


async def test_what_is_erased_stays_so_while_the_visitor_goes_on() -> None:
    async with world() as w:
        await see(w, "/a")
        await talk(w)
        await see(w, "/b")
        # Another process erased it, and this server has not noticed yet.
        await erase_visitor(w.store, ParticipantId("v1"))
        assert await kept(w) == []
        await see(w, "/c")
        assert await kept(w) == []
        w.hub.forget()
        await see(w, "/d")
        # Not even the page that was shown just then.
        assert await kept(w) == ["/d"]
        seen = await w.desk.call(AGENT, "visit.get", {"visitor": 1})
        assert [page["title"] for page in seen["pages"]] == ["/c", "/d"]
        await erase_visitor(w.store, ParticipantId("v1"))
        assert await kept(w) == []
        assert await w.store.list_records(Visit) == []


async def test_an_erasure_in_the_midst_of_keeping_leaves_no_page_behind() -> None:
    async with world() as w:
        await see(w, "/a")
        await talk(w)
        put = w.store.put_records

        async def erased_before(*records: Record) -> None:
            if isinstance(records[0], PageView):
                await erase_visitor(w.store, ParticipantId("v1"))
            await put(*records)

        w.store.put_records = erased_before  # type: ignore[method-assign]
        await see(w, "/b")
        w.store.put_records = put  # type: ignore[method-assign]
        assert await kept(w) == []
        assert await w.store.list_records(Visit) == []
