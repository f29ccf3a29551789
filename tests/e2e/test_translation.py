"""An admin says on a page how a site translates."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def test_an_admin_says_how_a_site_translates(world: World, browsers: Browsers) -> None:
    world.add_agent("root", "管理", is_admin=True)
    admin = AgentPerson(world, browsers.context(), "root")
    admin.page.goto(f"{world.url}/console#/settings/translation")
    card = admin.page.get_by_role("form").first
    card.get_by_label("Translate messages").check()
    card.get_by_label("The agents' language").fill("Chinese")
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_text("A language is a tag")).to_be_visible()
    card.get_by_label("The agents' language").fill("zh-CN")
    card.get_by_label("Seconds an agent's message waits").fill("5")
    card.get_by_label("Characters a day").fill("20000")
    card.get_by_label("Warn in the log").fill("70")
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_text("Saved", exact=True)).to_be_visible()
    admin.page.reload()
    card = admin.page.get_by_role("form").first
    expect(card.get_by_label("Translate messages")).to_be_checked()
    expect(card.get_by_label("The agents' language")).to_have_value("zh-CN")
    expect(card.get_by_label("Seconds an agent's message waits")).to_have_value("5")
    expect(card.get_by_label("Characters a day")).to_have_value("20000")
    expect(card.get_by_label("Warn in the log")).to_have_value("70")
