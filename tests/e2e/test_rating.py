"""The end of a conversation: the visitor ends it and says how it was."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def test_a_visitor_ends_rates_and_changes_it_and_the_agent_follows(
    world: World, browsers: Browsers, visitor: Visitor
) -> None:
    view = visitor.view
    card = view.get_by_role("region", name="How was this conversation?")
    visitor.write("Is it in stock?")
    agent = AgentPerson(world, browsers.context())
    agent.open_first("queue")
    agent.write("Yes.")
    visitor.sees("Yes.")
    expect(card).to_be_hidden()
    end = view.get_by_role("button", name="End the conversation")
    end.click()
    view.get_by_role("button", name="Go on").click()
    expect(view.get_by_role("alertdialog")).to_be_hidden()
    end.click()
    view.get_by_role("button", name="End", exact=True).click()
    expect(card).to_be_visible()
    expect(end).to_be_hidden()
    expect(card.get_by_role("button", name="Send")).to_be_hidden()
    card.get_by_role("radio", name="4 of 5").check(force=True)
    card.get_by_role("textbox").fill("quick <b>")
    card.get_by_role("button", name="Send").click()
    expect(card).to_contain_text("Thank you")
    expect(view.locator(".system.rating")).to_have_text("Rated ★★★★☆")
    line = agent.page.locator(".log .system.rating")
    expect(line).to_contain_text("★★★★☆")
    expect(line).to_contain_text("quick <b>")
    # A reload knows what was said, and it can be changed.
    visitor.reload()
    card = visitor.view.get_by_role("region", name="How was this conversation?")
    card.get_by_role("button", name="Change").click()
    expect(card.get_by_role("radio", name="4 of 5")).to_be_checked()
    card.get_by_role("radio", name="5 of 5").check(force=True)
    card.get_by_role("button", name="Send").click()
    expect(line).to_have_count(2)
    expect(line.last).to_contain_text("★★★★★")
    # Whoever writes again has a conversation again.
    visitor.write("One more thing")
    agent.sees("One more thing")
    expect(card).to_be_hidden()
