"""Two agents: one hands a conversation to the other, with a note, and closes it."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def test_a_conversation_is_handed_over_with_a_note_closed_and_opened_again(
    world: World, browsers: Browsers, visitor: Visitor, agent: AgentPerson
) -> None:
    world.add_agent("bo", "小博")
    other = AgentPerson(world, browsers.context(), "bo")
    visitor.write("I need a person for teapots")
    agent.open_first("queue")
    agent.write("One moment.")
    agent.page.get_by_role("button", name="Hand over").click()
    panel = agent.page.get_by_role("group", name="Hand over")
    panel.get_by_role("combobox").select_option("小博 · Online · 0")
    panel.get_by_label("A note").fill("wants the big one")
    panel.get_by_role("button", name="Hand over").click()
    other.open_first("mine")
    other.sees("wants the big one")
    other.write("Here I am.")
    visitor.sees("Here I am.")
    expect(visitor.view.get_by_text("wants the big one")).to_have_count(0)
    expect(visitor.view.get_by_text("小博").first).to_be_visible()
    other.page.get_by_role("button", name="Close conversation").click()
    other.page.get_by_role("button", name="Open again").click()
    expect(other.page.get_by_role("button", name="Take", exact=True)).to_be_visible()
