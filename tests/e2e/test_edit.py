"""Editing one's own message: on both screens, with the earlier text at hand."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def test_both_sides_read_the_new_text_and_find_the_old_one(
    world: World, browsers: Browsers, visitor: Visitor
) -> None:
    visitor.write("Is the read one in stock?")
    agent = AgentPerson(world, browsers.context())
    agent.open_first("queue")
    agent.write("Yes, 3 left")
    visitor.sees("Yes, 3 left")
    composer = visitor.view.locator(".composer-input")
    composer.fill("what I was writing")
    message = visitor.view.locator(".message", has_text="read one")
    message.hover()
    message.get_by_role("button", name="Edit").click()
    expect(composer).to_have_value("Is the read one in stock?")
    composer.fill("Is the red one in stock?")
    composer.press("Enter")
    # What was being written is there again.
    expect(composer).to_have_value("what I was writing")
    for person in (visitor, agent):
        person.sees("Is the red one in stock?")
        expect(person.view.locator(".message", has_text="read one")).to_have_count(0)
        shown = person.view.locator(".message", has_text="red one")
        shown.get_by_role("button", name="edited").click()
        expect(shown.locator(".earlier")).to_contain_text("Is the read one in stock?")
    # The agent's way: arrow up in an empty field; Escape leaves everything as it was.
    field = agent.view.locator(".composer-input")
    field.press("ArrowUp")
    expect(field).to_have_value("Yes, 3 left")
    expect(agent.view.get_by_text("You are editing your message")).to_be_visible()
    field.press("Escape")
    expect(field).to_have_value("")
    field.press("ArrowUp")
    field.fill("Yes, 2 left")
    field.press("Enter")
    visitor.sees("Yes, 2 left")
    expect(field).to_have_value("")
    visitor.reload()
    visitor.sees("Yes, 2 left")
    assert visitor.texts() == ["Is the red one in stock?", "Yes, 2 left"]


def test_what_cannot_be_saved_stays_in_the_field(
    world: World, browsers: Browsers, visitor: Visitor
) -> None:
    visitor.write("fiirst")
    visitor.sees_all_stored(1)
    composer = visitor.view.locator(".composer-input")
    composer.press("ArrowUp")
    expect(composer).to_have_value("fiirst")
    composer.fill("first")
    world.kill()
    composer.press("Enter")
    expect(visitor.view.get_by_text("Not saved. Try again, or cancel.")).to_be_visible()
    expect(composer).to_have_value("first")
    world.start()
    visitor.live()
    composer.press("Enter")
    visitor.sees("first")
    expect(composer).to_have_value("")
