"""Agents keep on a page how texts are to be translated; admins delete anybody's."""

import msgspec
import pytest
from playwright.sync_api import Page, expect

from kefu_core.abc.store import Store
from kefu_core.languages import text_key
from kefu_core.model import Site
from kefu_core.records import GlossaryEntry
from kefu_core.types import UnixMs
from tests.e2e.payloads import BREAKS, VECTORS
from tests.e2e.people import AgentPerson, Browsers
from tests.e2e.test_hostile_fields import FIRST, in_store
from tests.e2e.world import World

pytestmark = pytest.mark.browser

COUNT = 120
"""More than the server gives at once, and than are shown at once."""


def opened(person: AgentPerson, world: World) -> Page:
    person.page.goto(f"{world.url}/console#/settings/translation")
    kept = person.page.get_by_role("region", name="Kept translations")
    expect(kept.get_by_role("button", name="Add a translation")).to_be_visible()
    return person.page


def fill(page: Page, text: str, translation: str, source: str, target: str) -> None:
    page.get_by_label("Text", exact=False).first.fill(text)
    page.get_by_label("Translation", exact=True).fill(translation)
    page.get_by_label("Language of the text").fill(source)
    page.get_by_label("Language of the translation").fill(target)
    page.get_by_role("button", name="Save", exact=True).last.click()


def test_agents_keep_translations_and_delete_their_own(
    world: World, browsers: Browsers
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    world.add_agent("bo", "小博 <b>")
    agent = opened(AgentPerson(world, browsers.context(), "bo"), world)
    # How sites translate is for admins.
    expect(agent.get_by_label("Translate messages")).to_have_count(0)
    kept = agent.get_by_role("region", name="Kept translations")
    expect(kept.get_by_text("None is kept yet.")).to_be_visible()
    kept.get_by_role("button", name="Add a translation").click()
    fill(agent, "Cadê o <b>pedido</b>?", "订单在哪里？", "pt-br", "Chinese")
    expect(kept.get_by_role("alert")).to_contain_text("A language is a tag")
    fill(agent, "Cadê o <b>pedido</b>?", "订单在哪里？", "pt-br", "zh-cn")
    card = kept.locator(".card", has_text="Cadê o <b>pedido</b>?")
    expect(card).to_contain_text("pt-BR → zh-CN")
    expect(card).to_contain_text("订单在哪里？")

    # The admin changes the translation in place, which makes it the admin's.
    admin = opened(AgentPerson(world, browsers.context(), "chief"), world)
    assert admin.get_by_label("Translate messages").count() == 1
    theirs = admin.get_by_role("region", name="Kept translations")
    card = theirs.locator(".card")
    expect(card).to_contain_text("小博 <b>")
    card.get_by_role("button", name="Change").click()
    card.get_by_label("Translation", exact=True).fill("您的订单到哪儿了？")
    card.get_by_role("button", name="Save").click()
    expect(card).to_contain_text("您的订单到哪儿了？")
    expect(card).to_have_count(1)

    # Now the agent may say it otherwise, but neither delete it nor change its text.
    agent.reload()
    card = kept.locator(".card")
    expect(card).to_contain_text("掌柜")
    expect(card.get_by_role("button", name="Delete")).to_have_count(0)
    card.get_by_role("button", name="Change").click()
    expect(card.get_by_label("Text", exact=False).first).not_to_be_editable()
    card.get_by_label("Translation", exact=True).fill("订单呢？")
    card.get_by_role("button", name="Save").click()
    expect(card).to_contain_text("订单呢？")

    # Another text is another entry: the old one goes.
    card.get_by_role("button", name="Change").click()
    card.get_by_label("Text", exact=False).first.fill("Cadê?")
    card.get_by_role("button", name="Save").click()
    expect(card).to_have_count(1)
    expect(card).to_contain_text("Cadê?")
    expect(card).not_to_contain_text("pedido")

    # Admins delete anybody's, when asked twice.
    admin.reload()
    card = theirs.locator(".card")
    expect(card).to_contain_text("小博 <b>")
    card.get_by_role("button", name="Delete").click()
    card.get_by_role("button", name="Delete; services").click()
    expect(theirs.get_by_text("None is kept yet.")).to_be_visible()
    agent.reload()
    expect(kept.get_by_text("None is kept yet.")).to_be_visible()


async def _fill(store: Store) -> None:
    (site,) = await store.sites()
    await store.put_site(Site(id=FIRST, name=VECTORS[2], embed_key="other"))
    hostile = BREAKS[2] + VECTORS[2] + BREAKS[1] + VECTORS[0]
    first = GlossaryEntry(
        id=FIRST,
        site_id=site.id,
        source="",
        target="zh-CN",
        text_key="",
        body="",
        translation=hostile,
        agent_id=1,
        updated_at=UnixMs(1_800_000_000_000),
    )
    texts = [f"{hostile} number {at}" for at in range(COUNT)]
    entries = [
        msgspec.structs.replace(
            first, id=FIRST + at, body=text, text_key=text_key(text)
        )
        for at, text in enumerate(texts)
    ]
    text = "of the other site"
    other = msgspec.structs.replace(
        first, id=FIRST + COUNT, site_id=FIRST, body=text, text_key=text_key(text)
    )
    for entry in [*entries, other]:
        await store.put_records(entry)


def test_many_of_several_sites_are_found_and_are_only_text(
    world: World, browsers: Browsers
) -> None:
    world.add_agent("bo", "小博")
    world.kill()
    in_store(world, _fill)
    world.start()
    page = opened(AgentPerson(world, browsers.context(), "bo"), world)
    kept = page.get_by_role("region", name="Kept translations")
    cards = kept.locator(".card")
    kept.get_by_label("Site").select_option("Tea & <b>Co</b>")
    expect(cards).to_have_count(50)
    expect(cards.first).to_contain_text(f"number {COUNT - 1}")
    kept.get_by_role("button", name="Show more").click()
    kept.get_by_role("button", name="Show more").click()
    expect(cards).to_have_count(COUNT)
    expect(kept.get_by_role("button", name="Show more")).to_have_count(0)
    kept.get_by_label("Find").fill("NUMBER __pwned 77")
    expect(cards).to_have_count(1)
    kept.get_by_label("Find").fill("zh-cn number 11")
    # 11 and 110 to 119.
    expect(cards).to_have_count(11)
    cards.first.get_by_role("button", name="Change").click()
    assert page.evaluate("window.__pwned === undefined")
    assert page.locator("[onerror], #app iframe, #app img").count() == 0
    kept.get_by_label("Find").fill("number 999")
    expect(kept.get_by_text("None of them fits.")).to_be_visible()
    kept.get_by_label("Find").fill("")
    kept.get_by_label("Site").select_option(VECTORS[2])
    expect(cards).to_have_count(1)
    expect(cards).to_contain_text("of the other site")
