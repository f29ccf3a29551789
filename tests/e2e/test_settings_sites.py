"""An admin makes a site in the console, puts its line into a page, and it works."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def test_a_site_made_in_the_console_chats_from_the_line_that_it_shows(
    world: World, browsers: Browsers
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    page = AgentPerson(world, browsers.context(), "chief").page
    page.goto(world.url + "/console#/settings/sites")
    page.get_by_role("button", name="Add a site").click()
    page.get_by_label("Name").fill("<b>Second</b> shop")
    page.get_by_label("Pages that may show the chat").fill(world.shop.url + "/")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="cannot be saved")).to_be_visible()
    page.get_by_label("Pages that may show the chat").fill(world.shop.url)
    page.get_by_role("button", name="Save").click()
    card = page.locator(".card", has_text="<b>Second</b> shop")
    expect(card).to_be_visible()
    line = card.locator("pre").inner_text()
    assert re.fullmatch(r'<script async src="[^"]+" data-site="\w+"></script>', line)
    world.shop.pages["/second"] = world.page(line)
    visitor = Visitor(world, browsers.context(), "/second").open().live()
    visitor.write("from the second shop")
    page.get_by_role("link", name="Chats").click()
    expect(page.locator(".row", has_text="from the second shop")).to_be_visible()


def test_an_agent_who_is_no_admin_has_no_sites_to_set(agent: AgentPerson) -> None:
    page = agent.page
    page.goto(page.url.partition("#")[0] + "#/settings/sites")
    expect(page.get_by_role("heading", name="Notices")).to_be_visible()
    nav = page.get_by_role("navigation", name="Settings")
    expect(nav.get_by_role("link", name="Sites")).to_have_count(0)
