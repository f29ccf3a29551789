"""What people say that they read is kept, told to who needs it, and wins."""

from typing import Any

import pytest
from msgspec.structs import replace

from kefu_core.client import Client, Rejected
from kefu_core.desk.introducing import INTRODUCTIONS_PER_H
from kefu_core.desk.merging import facts_together
from kefu_core.errors import TooMany
from kefu_core.model import MessageKind
from kefu_core.records import VisitorProfile
from kefu_core.site import Sayings, SiteSettings, Talk
from tests.core.desk.test_translating import translated
from tests.core.desk.world import PRINCIPALS, World, world

pytestmark = pytest.mark.anyio


async def profile(w: World) -> VisitorProfile:
    found = await w.store.find_record(VisitorProfile, 1)
    assert found is not None
    return found


async def choose(visitor: Client, language: str) -> bool:
    told = await visitor.call("visitor.language", {"language": language})
    return bool(told["is_kept"])


async def test_a_visitors_choice_is_kept_from_its_first_conversation_on() -> None:
    async with world() as w, w.client("v1") as visitor, w.client("a1") as agent:
        words = await translated(w)
        assert not await choose(visitor, "pt-BR")
        params: dict[str, Any] = {"language": "en-GB", "chosen_language": "pt_br"}
        opened = await visitor.call("conversation.open", params)
        number = opened["conversation"]["id"]
        known = await profile(w)
        assert (known.language, known.chosen_language) == ("en-GB", "pt-BR")
        # What the browser says later changes nothing of it.
        await visitor.call("conversation.open", {"language": "fr"})
        told = (await agent.call("visitor.get", {"visitor": 1}))["visitor"]
        assert (told["language"], told["chosen_language"]) == ("fr", "pt-BR")
        assert not words.looked
        assert await choose(visitor, "pt-BR")
        assert not words.looked
        assert await choose(visitor, "")
        assert words.looked == [number]
        assert (await profile(w)).chosen_language == ""
        with pytest.raises(Rejected) as refused:
            await choose(visitor, "Portuguese")
        assert refused.value.wire_code == "bad_request"


async def test_nobody_chooses_all_the_time() -> None:
    async with world() as w:
        await w.conversation()
        for at in range(INTRODUCTIONS_PER_H):
            params = {"language": ("en", "pt")[at % 2]}
            await w.desk.call(PRINCIPALS["v1"], "visitor.language", params)
        with pytest.raises(TooMany):
            await w.desk.call(PRINCIPALS["v1"], "visitor.language", {"language": "fr"})


async def test_a_site_speaks_the_language_that_its_visitor_has_chosen() -> None:
    async with world() as w, w.client("v1") as visitor:
        site = (await w.store.sites())[0]
        texts = (Sayings(language="pt", greeting="Olá"),)
        talk = Talk(greeting="您好", translations=texts)
        await w.store.put_site(replace(site, settings=SiteSettings(talk=talk)))
        params = {"language": "zh-CN", "chosen_language": "pt-BR"}
        opened = await visitor.call("conversation.open", params)
        (line,) = await w.store.history(opened["conversation"]["id"])
        assert (line.kind, line.body) == (MessageKind.AUTO, "Olá")


def test_a_choice_goes_along_to_who_the_visitor_turns_out_to_be() -> None:
    before = VisitorProfile(id=1, site_id=1, chosen_language="en")
    known = VisitorProfile(id=2, site_id=1)
    assert facts_together(known, before) == {"chosen_language": "en"}
    known = replace(known, chosen_language="pt")
    assert facts_together(known, before) == {}
