"""What docs/howto/translation.md says, done as it is written there."""

import re
import tomllib
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from kefu_core.desk import glossary
from kefu_core.followers import retention
from kefu_core.node import monotonic, unix_ms
from kefu_core.site import SiteSettings, Translation
from kefu_core.store.memory import MemoryStore
from kefu_core.testing.stores import SITE
from kefu_core.translators import chain, corrections
from kefu_core.translators.registry import GROUP, find_translator, translator_names
from kefu_core.translators.service import ServiceSettings
from tests.core.translators.answering import Answering, answering

ROOT = Path(__file__).parents[2]
ENGLISH = ROOT / "docs" / "howto" / "translation.md"
CHINESE = ROOT / "docs" / "zh-CN" / "translation.md"
PAGES = [ENGLISH.read_text("utf-8"), CHINESE.read_text("utf-8")]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGES[0], re.DOTALL)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_pages_lines_translate() -> None:
    ask, find_out, economy = blocks("python")
    store = MemoryStore(now=monotonic, now_ms=unix_ms)
    rules = Translation(is_on=True, language="zh-CN")
    site = msgspec.structs.replace(SITE, settings=SiteSettings(translation=rules))
    scope: dict[str, Any] = {"store": store}
    first = Answering({"message": "Quota exceeded"}, status=456)
    second = Answering(
        {"translatedText": ["订单呢"]}, {"translatedText": ["您好"]}, b"a proxy's page"
    )
    async with answering(first), answering(second):
        told = ask.replace('"key": "…"', f'"key": "k", "url": "{first.url}"')
        exec(told.replace("http://127.0.0.1:5000", second.url), scope)
        await store.put_site(site)
        with anyio.fail_after(10):
            # The first has no quota left, so the second one does it.
            assert await scope["ask"]() == "libretranslate: 订单呢"
            assert len(first.asked) == 1
            await anyio.to_thread.run_sync(exec, find_out, scope)
            exec(economy, scope)
            read = scope["read"]
            assert await read(site, "olá", "pt-BR") == "您好"
            assert second.asked[-1].json["source"] == "pt"
            # Nothing is asked for twice, nor while the site does not want it.
            assert await read(site, "olá", "pt-BR") == "您好"
            assert await read(SITE, "tudo bem?", "pt-BR") == "tudo bem?"
            assert len(second.asked) == 2
            # Nobody can say it: the original stays.
            assert await read(site, "obrigado", "pt-BR") == "obrigado"
    assert scope["economy"].figures.hits == {"libretranslate": 1}


@pytest.mark.parametrize("page", PAGES)
def test_the_services_and_their_settings_on_the_page_are_those_of_the_code(
    page: str,
) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (`.*?) \| ?(.*) ?\|$", page, re.MULTILINE)
    rows = [row for row in rows if row[0] in translator_names()]
    assert {name for name, _, _ in rows} == set(translator_names())
    usual = {field.name for field in msgspec.structs.fields(ServiceSettings)}
    for name, must, may in rows:
        fields = msgspec.structs.fields(find_translator(name).settings)
        needed = {field.name for field in fields if field.required}
        others = {field.name for field in fields} - needed - usual
        assert set(re.findall(r"`(\w+)`", must)) == needed, name
        assert set(re.findall(r"`(\w+)`", may)) == others, name


@pytest.mark.parametrize("page", PAGES)
def test_a_sites_settings_on_the_page_are_those_of_the_code(page: str) -> None:
    lines = re.findall(r"^\| `(\w+)` \| [^|]* \| ([^ |]+) \|$", page, re.MULTILINE)
    rows = {name: shown for name, shown in lines if name not in translator_names()}
    fields = msgspec.structs.fields(Translation)
    assert [*rows] == [field.name for field in fields]
    for field in fields:
        shown = msgspec.json.encode(field.default).decode()
        assert rows[field.name] in {f"`{shown}`", "empty", "空"}, field.name


@pytest.mark.parametrize("page", PAGES)
def test_the_numbers_on_the_page_are_those_of_the_code(page: str) -> None:
    prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    found = set(re.findall(r"(?<![\d.])\d+(?![\d.])", prose))
    for number in (
        chain.FAILURES_MAX,
        chain.PAUSE_S,
        chain.PAUSE_MAX_S,
        chain.ACCOUNT_PAUSE_S,
        chain.ACCOUNT_PAUSE_MAX_S,
        corrections.FRESH_S,
        retention.CACHED_DAYS,
        glossary.ENTRIES_MAX,
        glossary.TEXT_CHARS,
    ):
        assert f"{number:.0f}" in found, number


def test_the_entry_point_on_the_page_is_the_one_that_is_looked_for() -> None:
    services, text = blocks("toml")
    assert set(tomllib.loads(services)) <= set(translator_names())
    assert list(tomllib.loads(text)["project"]["entry-points"]) == [GROUP]
