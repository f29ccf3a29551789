"""No text is paid for twice, no budget is exceeded, and no store stands in the way."""

import logging
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from kefu_core.abc.translator import Translated, TranslationFailed, Translator, Trouble
from kefu_core.errors import StoreUnavailable
from kefu_core.followers import retention
from kefu_core.followers.retention import DAY_MS, Retention
from kefu_core.ids import IdGenerator
from kefu_core.languages import text_key
from kefu_core.model import Site
from kefu_core.records import (
    CachedTranslation,
    GlossaryEntry,
    TranslationUsage,
)
from kefu_core.site import Hours, SiteSettings, Translation
from kefu_core.store.memory import MemoryStore
from kefu_core.testing.stores import SITE, VISITOR, Clock, draft
from kefu_core.translators import cache
from kefu_core.translators.chain import Chain
from kefu_core.translators.economy import Economy
from kefu_core.types import UnixMs

pytestmark = pytest.mark.anyio
NOON_MS = 1_770_000_000_000 // DAY_MS * DAY_MS + DAY_MS // 2


class Service(Translator):
    """Puts the target behind each text; counts what it was asked for."""

    name = "service"
    texts_max = 10
    chars_max = 10_000

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.trouble: Trouble | None = None
        self.goes_on: anyio.Event | None = None

    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        self.asked.append([*texts])
        if self.goes_on is not None:
            await self.goes_on.wait()
        if self.trouble is not None:
            raise TranslationFailed("no", self.trouble)
        return [Translated(text=f"{each} [{target}]", source="pt") for each in texts]


class World:
    """A node's economy over a store that can be away."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.s = 0.0
        self.service = Service()
        self.economy = self.node()

    def node(self, service: Service | None = None) -> Economy:
        """Return another node's, or this one's after a restart."""
        chain = Chain(
            [service or self.service], now=lambda: self.s, rng=random.Random(1)
        )
        return Economy(
            chain,
            self.store,
            ids=IdGenerator(self.clock),
            now=lambda: self.s,
            now_ms=self.clock,
        )

    async def ask(self, *texts: str, site: Site = SITE, target: str = "zh-CN") -> Any:
        told = await self.economy.translate(site, texts, source="pt", target=target)
        return [each.text for each in told]

    async def usage(self) -> list[tuple[int, int, int]]:
        await self.economy.flush()
        rows = await self.store.list_records(TranslationUsage, after=0)
        return [(row.chars, row.calls, row.hits) for row in rows]


@pytest.fixture
async def w() -> AsyncIterator[World]:
    clock = Clock()
    clock.ms = NOON_MS
    async with MemoryStore(now=lambda: 0.0, now_ms=clock) as store:
        await store.put_site(SITE)
        yield World(store, clock)


def limited(chars: int, **hours: Any) -> Site:
    rules = Translation(is_on=True, chars_per_day=chars)
    return replace(SITE, settings=SiteSettings(translation=rules, hours=Hours(**hours)))


def entry(number: int, text: str, translation: str, **more: Any) -> GlossaryEntry:
    values: dict[str, Any] = {"site_id": SITE.id, "target": "zh-CN", **more}
    return GlossaryEntry(
        id=number, text_key=text_key(text), body=text, translation=translation, **values
    )


async def failing(*_: Any, **__: Any) -> Any:
    raise StoreUnavailable


# -- what is known -------------------------------------------------------------------


async def test_a_text_is_paid_for_once_by_all_nodes_and_after_a_restart(
    w: World,
) -> None:
    first, second = "oi [zh-CN]", "tudo bem? [zh-CN]"
    assert await w.ask("oi", "tudo bem?", "oi") == [first, second, first]
    assert await w.ask("oi") == ["oi [zh-CN]"]
    await w.economy.flush()
    told = await w.node().translate(SITE, ["oi"], source="pt", target="zh-CN")
    assert told == [Translated(text="oi [zh-CN]", source="pt", provider="service")]
    assert w.service.asked == [["oi", "tudo bem?"]]
    assert await w.usage() == [(11, 1, 1)]
    assert w.economy.figures.hits == {"service": 1}
    assert w.economy.figures.services[0].chars == 11


async def test_languages_and_sites_do_not_share_what_they_know(w: World) -> None:
    await w.ask("oi")
    assert await w.ask("oi", target="en") == ["oi [en]"]
    await w.ask("oi", site=replace(SITE, id=2, embed_key="two"))
    assert len(w.service.asked) == 3


async def test_what_needs_no_translation_costs_nothing(w: World) -> None:
    texts = ["12:30", "👍", "https://a.example", " "]
    assert await w.ask(*texts) == texts
    assert await w.ask("olá", target="pt-BR") == ["olá"]
    assert w.service.asked == []
    assert await w.usage() == []


async def test_memory_comes_before_the_store_and_is_bounded(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "ENTRIES_MAX", 2)
    await w.ask("um")
    await w.ask("dois")
    await w.ask("um")
    await w.ask("três")
    await w.store.delete_records(
        CachedTranslation,
        [row.id for row in await w.store.list_records(CachedTranslation)],
    )
    await w.ask("um", "três")
    assert len(w.service.asked) == 3
    await w.ask("dois")  # It was not used for longest.
    assert w.service.asked[3] == ["dois"]


async def test_a_correction_wins_over_what_was_paid_for(w: World) -> None:
    await w.ask("frete")
    await w.store.put_records(
        entry(1, "frete", "运费"),
        entry(2, "frete", "shipping", target="en"),
        entry(3, "frete", "nicht", source="de"),
    )
    w.s += 60
    assert await w.ask(" frete ") == ["运费"]
    assert await w.ask("frete", target="en") == ["shipping"]
    assert len(w.service.asked) == 1
    assert w.economy.figures.hits == {"glossary": 2}


async def test_the_closest_correction_wins(w: World) -> None:
    await w.store.put_records(
        entry(1, "frete", "exact", source="pt"),
        entry(2, "frete", "any"),
        entry(3, "frete", "Hans", target="zh-Hans", source="pt"),
    )
    assert await w.ask("frete") == ["exact"]
    assert await w.ask("frete", target="zh") == ["Hans"]


# -- at once -------------------------------------------------------------------------


async def test_what_several_ask_for_at_once_is_asked_for_once(w: World) -> None:
    w.service.goes_on = anyio.Event()
    found: list[list[str]] = []

    async def ask(*texts: str) -> None:
        found.append(await w.ask(*texts))

    async with anyio.create_task_group() as tasks:
        for texts in (("um", "dois"), ("dois", "três"), ("um",)):
            tasks.start_soon(ask, *texts)
        await anyio.sleep(0.02)
        w.service.goes_on.set()
    assert sorted(text for texts in w.service.asked for text in texts) == [
        "dois",
        "três",
        "um",
    ]
    assert sorted(map(len, found)) == [1, 2, 2]
    assert w.economy.figures.joined == 2
    assert [chars for chars, _, _ in await w.usage()] == [10]


async def test_all_who_wait_hear_of_a_failure_and_the_next_one_asks_again(
    w: World,
) -> None:
    w.service.goes_on = anyio.Event()
    w.service.trouble = Trouble.TEXT
    failures: list[TranslationFailed] = []

    async def ask() -> None:
        try:
            await w.ask("oi")
        except TranslationFailed as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)
        await anyio.sleep(0.02)
        w.service.goes_on.set()
    assert [error.trouble for error in failures] == [Trouble.TEXT] * 3
    assert len({id(error) for error in failures}) == 3
    assert len(w.service.asked) == 1
    assert await w.usage() == [(0, 1, 0)]
    w.service.trouble = None
    assert await w.ask("oi") == ["oi [zh-CN]"]


async def test_who_waits_goes_on_when_the_first_is_cancelled(w: World) -> None:
    w.service.goes_on = anyio.Event()
    found: list[str] = []

    async def first(*, task_status: Any) -> None:
        with anyio.CancelScope() as scope:
            task_status.started(scope)
            await w.ask("oi")

    async def second() -> None:
        found.extend(await w.ask("oi"))

    async with anyio.create_task_group() as tasks:
        scope = await tasks.start(first)
        await anyio.sleep(0.01)
        tasks.start_soon(second)
        await anyio.sleep(0.01)
        scope.cancel()
        w.service.goes_on.set()
    assert found == ["oi [zh-CN]"]


# -- budgets -------------------------------------------------------------------------


async def test_spending_stops_at_the_budget_and_warns_once_before(
    w: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    site = limited(100)
    await w.ask("a" * 79, site=site)
    assert caplog.records == []
    await w.ask("b", site=site)
    await w.ask("c" * 20, site=site)
    for text in ("d", "e"):
        with pytest.raises(TranslationFailed, match="100 characters a day") as caught:
            await w.ask(text, site=site)
        assert caught.value.trouble is Trouble.BUDGET
        assert caught.value.retry_after_s == pytest.approx(12 * 3600)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "80 of the 100" in told[0]
    assert "nothing more is translated today" in told[1]
    assert await w.ask("b", site=site) == ["b [zh-CN]"]  # It is known.
    assert len(w.service.asked) == 3
    figures = w.economy.figures
    assert (figures.warnings, figures.refusals) == (1, 2)
    w.clock.ms += DAY_MS
    assert await w.ask("d", site=site) == ["d [zh-CN]"]
    assert sorted(await w.usage()) == [(1, 1, 0), (100, 3, 1)]


async def test_many_at_once_and_two_nodes_stay_within_one_budget(w: World) -> None:
    site, other = limited(50), Service()
    nodes = [w.economy, w.node(other)]
    outcomes: list[bool] = []

    async def ask(number: int) -> None:
        text = f"{chr(97 + number)}" * 10
        try:
            await nodes[number % 2].translate(site, [text], source="pt", target="zh-CN")
            outcomes.append(True)
        except TranslationFailed:
            outcomes.append(False)

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(ask, number)
    assert sum(outcomes) == 5
    assert len(w.service.asked) + len(other.asked) == 5
    assert await w.usage() == [(50, 5, 0)]


async def test_what_failed_is_not_counted(w: World) -> None:
    site = limited(10)
    w.service.trouble = Trouble.LANGUAGE
    for _ in range(3):
        with pytest.raises(TranslationFailed):
            await w.ask("a" * 10, site=site)
    w.service.trouble = None
    assert await w.ask("a" * 10, site=site)


async def test_a_process_that_is_killed_has_counted_too_much_and_not_too_little(
    w: World,
) -> None:
    site = limited(10_000)
    for text in ("a" * 30, "b" * 30, "c" * 90):
        await w.ask(text, site=site)

    async def written() -> int:
        (row,) = await w.store.list_records(TranslationUsage, after=0)
        return row.chars

    assert 150 <= await written() <= 250
    await w.economy.flush()
    assert await written() == 150
    # At the end of the day's budget, a block is no longer to be had, but a text is.
    await w.ask("d" * 9_840, site=site)
    await w.ask("e" * 10, site=site)
    with pytest.raises(TranslationFailed):
        await w.ask("f", site=site)
    assert await w.usage() == [(10_000, 5, 0)]


async def test_a_day_is_one_of_the_sites_time_zone(w: World) -> None:
    w.clock.ms = NOON_MS + 6 * 3_600_000
    site = limited(10, zone="Asia/Shanghai")
    await w.ask("a" * 10, site=site)
    await w.ask("b" * 10, site=limited(10))
    days = [row.day for row in await w.store.list_records(TranslationUsage, after=0)]
    assert days[0] == days[1] + 1 or days[0] % 100 == 1


# -- a store that fails --------------------------------------------------------------


async def test_without_the_store_texts_are_translated_and_the_budget_still_holds(
    w: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as broken:
        for name in ("list_records", "put_records", "add_records", "change_record"):
            broken.setattr(w.store, name, failing)
        site = limited(12)
        assert await w.ask("a" * 10, site=site) == ["a" * 10 + " [zh-CN]"]
        assert await w.ask("a" * 10, site=site) == ["a" * 10 + " [zh-CN]"]
        with pytest.raises(TranslationFailed):
            await w.ask("b" * 10, site=site)
    assert len(w.service.asked) == 1
    assert len([r for r in caplog.records if "without the store" in r.message]) == 1
    assert w.economy.figures.store_failures > 1
    assert await w.ask("cc", site=site) == ["cc [zh-CN]"]
    assert await w.usage() == [(12, 2, 1)]


async def test_a_store_that_hangs_holds_nobody_up_for_long(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "STORE_S", 0.02)
    for name in ("list_records", "put_records", "add_records", "change_record"):
        monkeypatch.setattr(w.store, name, lambda *_, **__: anyio.sleep(60))
    with anyio.fail_after(5):
        assert await w.ask("oi") == ["oi [zh-CN]"]


# -- forgetting ----------------------------------------------------------------------


async def test_what_is_taken_back_takes_its_translations_along(w: World) -> None:
    await w.ask("meu segredo", "oi")
    await w.economy.flush()
    await w.economy.forget_texts(SITE, ["meu segredo"])
    left = await w.store.list_records(CachedTranslation)
    assert [row.body for row in left] == ["oi [zh-CN]"]
    await w.ask("oi")
    assert len(w.service.asked) == 1
    await w.ask("meu segredo")
    assert len(w.service.asked) == 2
    # What was not written by then is not written later.
    await w.economy.forget_texts(SITE, ["meu segredo"])
    await w.economy.flush()
    left = await w.store.list_records(CachedTranslation)
    assert [row.body for row in left] == ["oi [zh-CN]"]


async def test_what_is_erased_elsewhere_before_its_translation_is_written_is_gone(
    w: World,
) -> None:
    conversation = (await w.store.open_conversation(SITE.id, VISITOR)).id
    said = await w.store.append(draft(conversation, 1))
    await w.ask("meu segredo")
    await w.store.erase_conversation(conversation, upto=said.message.seq)
    await w.economy.flush()
    assert await w.store.list_records(CachedTranslation) == []
    await w.ask("oi")
    await w.economy.flush()
    left = await w.store.list_records(CachedTranslation)
    assert [row.body for row in left] == ["oi [zh-CN]"]


async def test_what_two_nodes_found_out_at_once_is_kept_with_the_rest(
    w: World,
) -> None:
    other = w.node(Service())
    await other.translate(SITE, ["um"], source="pt", target="zh-CN")
    await w.ask("um", "dois")
    await other.flush()
    await w.economy.flush()
    left = await w.store.list_records(CachedTranslation)
    assert sorted(row.body for row in left) == ["dois [zh-CN]", "um [zh-CN]"]


async def test_memory_is_dropped_when_something_was_erased(w: World) -> None:
    await w.ask("oi")
    await w.store.delete_records(
        CachedTranslation,
        [row.id for row in await w.store.list_records(CachedTranslation)],
    )
    w.economy.forget()
    await w.ask("oi")
    assert len(w.service.asked) == 2


async def test_the_cache_is_swept_by_age_and_by_size(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cached(number: int, age_days: int, site_id: int = SITE.id) -> CachedTranslation:
        return CachedTranslation(
            id=number,
            site_id=site_id,
            key=str(number),
            text_key="",
            body="x",
            chars=100,
            created_at=UnixMs(w.clock.ms - age_days * DAY_MS),
        )

    await w.store.put_site(replace(SITE, id=2, embed_key="two", retention_days=5))
    await w.store.put_records(
        cached(1, 31), cached(2, 29), cached(3, 6, 2), cached(4, 1, 2), cached(5, 0)
    )
    follower = Retention(w.store, now=lambda: 0.0, now_ms=w.clock)
    await follower.erase_all()
    left = await w.store.list_records(CachedTranslation, after=0)
    assert [row.id for row in left] == [2, 4, 5]
    monkeypatch.setattr(retention, "CACHED_CHARS_MAX", 150)
    await w.store.put_records(*(cached(number, 0) for number in range(10, 210)))
    await follower.erase_all()
    assert (
        await w.store.sum_records(
            CachedTranslation, "chars", where={"site_id": SITE.id}
        )
        <= 150
    )
    assert await w.store.find_record(CachedTranslation, 4) is not None
