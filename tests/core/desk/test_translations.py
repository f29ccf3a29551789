"""Admins see what translating comes to; agents try a translation before they use it."""

import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from kefu_core.abc.translator import Translated, TranslationFailed, Translator, Trouble
from kefu_core.client import Rejected
from kefu_core.ids import IdGenerator
from kefu_core.node import monotonic, unix_ms
from kefu_core.site import SiteSettings, Translation
from kefu_core.translators.chain import Chain
from kefu_core.translators.economy import Economy
from tests.core.desk.world import World, world

pytestmark = pytest.mark.anyio
PREVIEW = {"site": 1, "texts": ["olá", "123"], "source": "pt-br", "target": "zh-cn"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Service(Translator):
    name = "words"
    texts_max = 10
    trouble: Trouble | None = None

    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        if self.trouble is not None:
            raise TranslationFailed("words: no more", self.trouble)
        return [Translated(text=f"{text} [{target}]") for text in texts]


async def turn_on(w: World, **settings: Any) -> None:
    site = (await w.store.sites())[0]
    rules = Translation(**{"is_on": True, "language": "zh-CN", **settings})
    await w.store.put_site(replace(site, settings=SiteSettings(translation=rules)))


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def w(service: Service) -> AsyncIterator[World]:
    async with world() as w:
        economy = Economy(
            Chain([service], now=monotonic, rng=random.Random(1)),
            w.store,
            ids=IdGenerator(unix_ms),
            now=monotonic,
            now_ms=unix_ms,
        )
        w.desk.translations = economy
        await turn_on(w)
        yield w


async def test_a_preview_is_made_and_sent_to_nobody(w: World) -> None:
    number = await w.conversation()
    async with w.client("a1") as agent:
        told = await agent.call("translation.preview", PREVIEW)
    first, second = told["texts"]
    assert (first["text"], first["provider"]) == ("olá [zh-CN]", "words")
    assert (second["text"], second["provider"]) == ("123", "")
    assert await w.store.history(number) == []


async def test_a_preview_says_why_there_is_none(w: World, service: Service) -> None:
    async with w.client("a1") as agent:
        service.trouble = Trouble.ACCOUNT
        told = await agent.call("translation.preview", PREVIEW)
        assert told == {"texts": [], "trouble": "account"}
        await turn_on(w, chars_per_day=1)
        told = await agent.call("translation.preview", PREVIEW)
        assert told == {"texts": [], "trouble": "budget"}
        await turn_on(w, is_on=False)
        refusals = [(PREVIEW, "conflict"), ({**PREVIEW, "site": 404}, "not_found")]
        refusals += [({**PREVIEW, "target": "?"}, "bad_request")]
        for params, code in refusals:
            with pytest.raises(Rejected) as refused:
                await agent.call("translation.preview", params)
            assert refused.value.wire_code == code
        # Without services there is nothing to switch on.
        w.desk.translations = None
        told = await agent.call("translation.preview", PREVIEW)
        assert told["trouble"] == "account"


async def test_admins_see_services_and_what_sites_have_used(
    w: World, service: Service
) -> None:
    await turn_on(w, chars_per_day=10, warn_at=0.5)
    async with w.client("a2") as admin:
        for texts in (["olá"], ["olá"]):
            await admin.call("translation.preview", {**PREVIEW, "texts": texts})
        told = await admin.call("translation.figures", {})
        (row,) = told["services"]
        assert (row["provider"], row["calls"], row["chars"]) == ("words", 1, 3)
        assert (row["hits"], row["failures"], row["paused_s"]) == (1, {}, 0)
        (usage,) = told["sites"]
        assert (usage["chars"], usage["hits"], usage["chars_per_day"]) == (3, 0, 10)
        assert (usage["is_near"], usage["is_spent"]) == (False, False)
        await admin.call("translation.preview", {**PREVIEW, "texts": ["bom"]})
        (usage,) = (await admin.call("translation.figures", {}))["sites"]
        assert (usage["is_near"], usage["is_spent"]) == (True, False)
        # What is left does not suffice for this one: from here on it is said.
        await admin.call("translation.preview", {**PREVIEW, "texts": ["obrigado"]})
        told = await admin.call("translation.figures", {})
        assert told["refusals"] == 1
        assert told["sites"][0]["is_spent"]


async def test_a_service_that_is_left_alone_is_shown_as_such(
    w: World, service: Service
) -> None:
    service.trouble = Trouble.ACCOUNT
    async with w.client("a2") as admin:
        await admin.call("translation.preview", PREVIEW)
        (row,) = (await admin.call("translation.figures", {}))["services"]
    assert row["failures"] == {"account": 1}
    assert row["last_failure"] == "words: no more"
    assert 0 < row["paused_s"] <= 60


async def test_a_server_without_services_says_so(w: World) -> None:
    w.desk.translations = None
    async with w.client("a2") as admin:
        told = await admin.call("translation.figures", {})
    assert told["services"] == []
    assert [usage["site"] for usage in told["sites"]] == [1]
