"""Typing preview: agents read what is being typed where a site shows it."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)> not sure ye"


def test_an_agent_reads_what_is_typed_where_the_site_shows_it(
    world: World, browsers: Browsers
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    first = Visitor(world, browsers.context()).open().live()
    first.write("Hello")
    agent = AgentPerson(world, browsers.context(), "chief")
    agent.open_first("queue")
    agent.sees("Hello")
    typing = agent.page.locator(".room-typing")
    first.view.locator(".composer-input").press_sequentially("private", delay=20)
    # As delivered it is told that somebody types, and not what.
    expect(typing).to_be_visible()
    expect(typing).not_to_contain_text("private")
    agent.page.goto(f"{world.url}/console#/settings/talk")
    card = agent.page.get_by_role("form", name="Tea & <b>Co</b>")
    card.get_by_text("Show what visitors are typing").click()
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_role("status")).to_have_text("Saved")
    agent.page.goto(f"{world.url}/console#/")
    agent.open_first("all")
    # A page that comes from here on asks for it; what is typed is never stored.
    first.reload()
    first.live()
    field = first.view.locator(".composer-input")
    field.press_sequentially(HOSTILE, delay=20)
    expect(typing).to_contain_text("not sure", timeout=10_000)
    expect(typing.locator("img")).to_have_count(0)
    field.fill("")
    expect(typing).to_be_hidden(timeout=10_000)
    assert agent.texts() == ["Hello"]
