"""What a site's hours do: what visitors are told, and what waits."""

import msgspec
import pytest

from kefu_core.client import Rejected
from kefu_core.protocol import frames as f
from kefu_core.site import Hours, RoutingMethod, SiteSettings
from tests.core.desk.test_router import shop
from tests.core.desk.world import World, world

pytestmark = pytest.mark.anyio

NEVER = Hours(is_on=True, zone="Asia/Shanghai", week=((),) * 7)


async def close(w: World, *, is_strict: bool) -> None:
    site = (await w.store.sites())[0]
    hours = msgspec.structs.replace(NEVER, is_strict=is_strict)
    await w.store.put_site(
        msgspec.structs.replace(site, settings=SiteSettings(hours=hours))
    )
    w.at_s += 60  # What was read of sites is old.


async def test_outside_the_hours_nobody_is_there_even_if_an_agent_is() -> None:
    async with world() as w:
        agent = await w.live("a1")
        visitor = await w.live("v1")
        await visitor.send(f.Watch(topic="staffed.1"))
        await visitor.until(f.Snapshot)
        assert (await visitor.until(f.Event)).put == {"id": 1, "staffed": True}
        await close(w, is_strict=True)
        closed = {"id": 1, "staffed": False, "closed": True, "opens_at": None}
        assert (await visitor.until(f.Event)).put == closed
        await close(w, is_strict=False)
        assert (await visitor.until(f.Event)).put == {"id": 1, "staffed": True}
        agent.cut()
        visitor.cut()


async def test_what_comes_outside_the_hours_waits_until_they_begin() -> None:
    async with shop(method=RoutingMethod.LEAST_BUSY) as s:
        site = (await s.store.sites())[0]
        closed = msgspec.structs.replace(site.settings, hours=NEVER)
        await s.store.put_site(msgspec.structs.replace(site, settings=closed))
        await s.come(1)
        row = await s.ask(1)
        await s.turn()
        assert (await s.row(row.id)).assignee is None
        await s.store.put_site(site)
        await s.turn()
        assert (await s.row(row.id)).assignee == "a1"


async def test_a_zone_that_is_none_is_refused_and_nothing_is_changed() -> None:
    async with world() as w, w.client("a2") as admin:
        hours = {"is_on": True, "zone": "Asia/Shanghay"}
        with pytest.raises(Rejected, match="no time zone 'Asia/Shanghay'") as refused:
            await admin.call("site.put", {"site": 1, "settings": {"hours": hours}})
        assert refused.value.wire_code == "bad_request"
        assert not (await w.store.sites())[0].settings.hours.is_on
        hours["zone"] = "Asia/Shanghai"
        put = await admin.call("site.put", {"site": 1, "settings": {"hours": hours}})
        assert put["site"]["settings"]["hours"]["zone"] == "Asia/Shanghai"
