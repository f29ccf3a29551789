"""Internal notes: written in the composer, read by colleagues, never by the visitor."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def test_a_note_is_for_colleagues_and_its_text_never_becomes_a_reply(
    world: World, browsers: Browsers, visitor: Visitor
) -> None:
    visitor.write("Is it in stock?")
    agent = AgentPerson(world, browsers.context())
    page = agent.page
    agent.open_first("queue")
    composer = page.locator(".composer-input")
    reply = page.get_by_role("button", name="Reply", exact=True)
    note = page.get_by_role("button", name="Note", exact=True)
    expect(reply).to_have_attribute("aria-pressed", "true")
    composer.press("Alt+n")
    expect(note).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Attach")).to_be_hidden()
    composer.fill("He asked last week as well <b>")
    composer.press("Enter")
    expect(page.locator(".message.note .bubble")).to_contain_text("last week")
    expect(page.locator(".message.note .foot")).to_contain_text("Note")
    # It takes no conversation: the visitor still waits.
    expect(page.get_by_role("button", name="Take", exact=True)).to_be_visible()

    # What was written as a note stays one, whatever is switched.
    composer.fill("Do not tell him")
    reply.click()
    expect(composer).to_have_value("")
    composer.fill("Yes, three of them.")
    note.click()
    expect(composer).to_have_value("Do not tell him")
    page.get_by_role("button", name="中文").click()
    expect(page.locator(".kinds [aria-pressed=true]")).to_have_text("备注")
    expect(composer).to_have_value("Do not tell him")
    composer.press("Alt+n")
    expect(composer).to_have_value("Yes, three of them.")
    composer.press("Enter")
    visitor.sees("Yes, three of them.")
    assert visitor.texts() == ["Is it in stock?", "Yes, three of them."]
    assert "last week" not in visitor.view.content()

    # A reply that turns out to be a note takes its text along.
    composer.fill("回头客")
    composer.press("Alt+n")
    composer.press("Enter")
    expect(page.locator(".message.note")).to_have_count(2)
    visitor.write("Thanks")
    agent.sees("Thanks")
    assert "回头客" not in visitor.view.content()
