"""An admin adds an agent in the console, who logs in; switched off, they are out."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers
from tests.e2e.world import PASSWORD, World

pytestmark = pytest.mark.browser


def test_an_account_is_added_used_and_switched_off(
    world: World, browsers: Browsers
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    page = AgentPerson(world, browsers.context(), "chief").page
    page.goto(world.url + "/console#/settings/accounts")
    page.get_by_role("button", name="Add an agent").click()
    page.get_by_label("Login").fill("bo")
    page.get_by_label("Name").fill("小博 <i>")
    page.get_by_label("Password").fill("too short")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="cannot be saved")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Save").click()
    card = page.locator(".card", has_text="小博 <i>")
    expect(card).to_be_visible()
    agent = AgentPerson(world, browsers.context(), "bo")
    card.get_by_role("button", name="Switch off").click()
    expect(card.get_by_text("switched off")).to_be_visible()
    expect(agent.page.locator(".alarm")).to_be_visible()
    mine = page.locator(".card", has_text="chief")
    mine.get_by_role("button", name="Change").click()
    page.get_by_label("Admin").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="last admin")).to_be_visible()
