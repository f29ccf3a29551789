"""What a visitor is typing: seen where the site says so, dropped elsewhere."""

import msgspec
import pytest

from kefu_core.desk.previews import Previews
from kefu_core.errors import StoreUnavailable
from kefu_core.model import Site
from kefu_core.protocol import frames as f
from kefu_core.site import SiteSettings, Talk
from tests.core.desk.world import World, eventually, world

pytestmark = pytest.mark.anyio

SHOWN = SiteSettings(talk=Talk(shows_typing=True))
UNSENT = "my card number is canary"


async def typed(w: World) -> f.TypingEvent:
    """Let a visitor type; return what an agent is told."""
    number = await w.conversation()
    agent, visitor = await w.live("a1"), await w.live("v1")
    for wire in (agent, visitor):
        await wire.send(f.Follow(conversation=number))
        await wire.until(f.Head)
    await visitor.send(f.Typing(conversation=number, text=UNSENT))
    event = await agent.until(f.TypingEvent)
    assert await w.store.history(number) == []
    agent.cut()
    visitor.cut()
    assert isinstance(event, f.TypingEvent)
    return event


async def test_what_is_typed_is_dropped_where_the_site_says_nothing() -> None:
    async with world() as w:
        event = await typed(w)
        assert event.is_typing
        assert event.text == ""


async def test_a_site_that_says_so_shows_it_at_once_and_hides_it_at_once() -> None:
    async with world() as w, w.client("a2") as admin:
        for shows, text in ((True, UNSENT), (False, "")):
            settings = {"talk": {"shows_typing": shows}}
            await admin.call("site.put", {"site": 1, "settings": settings})
            assert (await typed(w)).text == text
            assert not w.desk.shows_typing(2)


async def test_another_node_hears_of_it_and_nothing_is_shown_while_nobody_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kefu_core.desk.previews.INTERVAL_S", 0.001)
    async with world() as w:
        previews = Previews(w.store)
        assert not previews.shows(1)
        site = (await w.store.sites())[0]
        await w.store.put_site(msgspec.structs.replace(site, settings=SHOWN))
        w.tasks.start_soon(previews.run)
        await eventually(lambda: previews.shows(1))

        async def away() -> list[Site]:
            raise StoreUnavailable

        monkeypatch.setattr(w.store, "sites", away)
        await eventually(lambda: not previews.shows(1))
