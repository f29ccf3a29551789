"""Taking a message back: gone from both screens, and after a reload too."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def test_what_is_taken_back_leaves_the_other_screen_at_once(
    world: World, browsers: Browsers, visitor: Visitor
) -> None:
    visitor.write("My password is canary", "Is it in stock?")
    agent = AgentPerson(world, browsers.context())
    agent.open_first("queue")
    agent.sees("canary")
    agent.write("Wrong window, sorry")
    visitor.sees("Wrong window")
    for person, text in ((visitor, "canary"), (agent, "Wrong window")):
        message = person.view.locator(".message", has_text=text)
        message.hover()
        button = message.get_by_role("button", name="Take back")
        button.click()
        message.get_by_role("button", name="Really?").click()
        for each in (visitor, agent):
            expect(each.view.locator(".message", has_text=text)).to_have_count(0)
    for person in (visitor, agent):
        assert person.texts() == ["Is it in stock?"]
        expect(person.view.locator(".system.erased")).to_have_count(2)
    # What was taken back may be put right and sent again, by who has sent it.
    expect(visitor.view.get_by_role("button", name="Edit again")).to_have_count(1)
    agent.view.get_by_role("button", name="Edit again").click()
    composer = agent.view.locator(".composer-input")
    expect(composer).to_have_value("Wrong window, sorry")
    agent.write("The right window")
    visitor.sees("The right window")
    visitor.reload()
    visitor.sees("Is it in stock?")
    assert "canary" not in visitor.view.content()


def test_a_tick_between_the_question_and_its_answer_does_not_ask_again(
    world: World, browsers: Browsers, visitor: Visitor
) -> None:
    visitor.write("My password is canary", "Is it in stock?")
    message = visitor.view.locator(".message", has_text="canary")
    message.hover()
    message.get_by_role("button", name="Take back").click()
    sure = message.get_by_role("button", name="Really?")
    expect(sure).to_be_focused()
    agent = AgentPerson(world, browsers.context())
    agent.open_first("queue")
    expect(message).to_have_attribute("data-state", "read")
    expect(sure).to_be_focused()
    sure.press("Enter")
    expect(agent.view.locator(".message", has_text="canary")).to_have_count(0)
