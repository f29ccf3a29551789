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
    page.get_by_label("Login", exact=True).fill("bo")
    page.get_by_label("Name").fill("小博 <i>")
    page.get_by_label("One-time password").fill("too short")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="cannot be saved")).to_be_visible()
    page.get_by_role("button", name="Make one").click()
    page.get_by_role("button", name="Save").click()
    given = page.get_by_role("status").filter(has_text="小博 <i>")
    once = given.locator("code").inner_text()
    # What was made is shown above the list.
    card = page.locator(".card", has_text="小博 <i>").last
    expect(card).to_be_visible()
    # Whoever was given the password chooses another with the first login.
    first = browsers.context().new_page()
    first.goto(world.url + "/console")
    first.get_by_label("Login").fill("bo")
    first.get_by_label("Password").fill(once)
    first.get_by_role("button", name="Log in").click()
    expect(first.get_by_text("Somebody else has set this password")).to_be_visible()
    first.get_by_label("New password").fill("short")
    first.get_by_role("button", name="Log in").click()
    expect(first.get_by_role("alert")).to_contain_text("Choose another")
    first.get_by_label("New password").fill(PASSWORD)
    first.get_by_role("button", name="Log in").click()
    expect(first.locator(".desk")).to_be_visible()
    agent = AgentPerson(world, browsers.context(), "bo")
    card.get_by_role("button", name="Switch off").click()
    expect(card.get_by_text("switched off")).to_be_visible()
    expect(agent.page.locator(".alarm")).to_be_visible()
    mine = page.locator(".card", has_text="chief")
    mine.get_by_role("button", name="Change").click()
    page.get_by_label("Admin").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="last admin")).to_be_visible()
