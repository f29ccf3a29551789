"""An agent bans a visitor beside the conversation, and lifts it in the settings."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.test_visitor_pane import pane_of
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def test_a_visitor_is_banned_cut_off_and_let_back(
    world: World, browsers: Browsers, visitor: Visitor
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    visitor.write("buy now")
    visitor.sees_all_stored(1)
    agent = AgentPerson(world, browsers.context(), "chief")
    agent.open_first()
    other = AgentPerson(world, browsers.context())
    other.open_first()
    page, pane = agent.page, pane_of(agent)
    pane.get_by_role("button", name="Ban…").click()
    pane.get_by_label("Reason").fill("<b>spam</b>")
    pane.get_by_label("Ends").select_option(label="in an hour")
    pane.get_by_role("button", name="Ban", exact=True).click()
    expect(pane.get_by_text("Banned")).to_be_visible()
    # A colleague who looks at the same visitor sees it too.
    expect(pane_of(other).get_by_text("Banned")).to_be_visible()
    expect(pane.get_by_text("<b>spam</b>")).to_be_visible()
    stopped = "The chat has stopped on this page."
    expect(visitor.view.get_by_text(stopped)).to_be_visible(timeout=2_000)
    visitor.page.reload()
    visitor.open()
    expect(visitor.view.get_by_text(stopped)).to_be_visible()
    assert "spam" not in visitor.view.content()
    # A network that is none is refused in a sentence; one that is, is listed.
    page.goto(world.url + "/console#/settings/bans")
    page.get_by_role("button", name="Ban an address").click()
    page.get_by_label("Address or network").fill("shop.example")
    page.get_by_label("Site").select_option(label="Every site")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="no address")).to_be_visible()
    page.get_by_label("Address or network").fill("198.51.100.7/24")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".card", has_text="198.51.100.0/24")).to_be_visible()
    card = page.locator(".card", has_text="<b>spam</b>")
    card.get_by_role("button", name="Lift").click()
    card.get_by_role("button", name="Press again to lift it").click()
    expect(card).to_have_count(0)
    page.goto(world.url + "/console#/settings/audit")
    expect(page.locator(".changes").get_by_text("ban.lift")).to_be_visible()
    visitor.page.reload()
    visitor.open().live()
    visitor.sees("buy now")
