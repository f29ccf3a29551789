"""Nobody is there: a visitor leaves a message, and an agent answers it later."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def leave(visitor: Visitor, body: str) -> None:
    """Fill in the form and send it."""
    view = visitor.view
    view.get_by_role("button", name="Leave a message").click()
    view.get_by_label("Name").fill("李雷")
    view.get_by_label("E-mail").fill("li@example.cn")
    view.get_by_label("Message", exact=True).fill(body)
    view.get_by_role("button", name="Send", exact=True).click()
    expect(view.get_by_text("Your message has arrived")).to_be_visible()


def test_the_form_comes_when_nobody_is_there_and_goes_when_somebody_is(
    world: World, browsers: Browsers, visitor: Visitor
) -> None:
    expect(visitor.view.locator(".head-status")).to_have_text("Away")
    visitor.view.get_by_role("button", name="Leave a message").click()
    visitor.view.get_by_label("Message", exact=True).fill("no way to answer")
    visitor.view.get_by_role("button", name="Send", exact=True).click()
    expect(visitor.view.get_by_role("alert")).to_contain_text("e-mail address or")
    visitor.view.get_by_role("button", name="Back").click()
    AgentPerson(world, browsers.context()).live()
    expect(visitor.view.locator(".head-status")).to_have_text("We answer here")
    button = visitor.view.get_by_role("button", name="Leave a message")
    expect(button).to_be_hidden()


def test_a_message_is_left_and_the_chat_goes_on(visitor: Visitor) -> None:
    leave(visitor, "你们几点上班？")
    visitor.view.get_by_role("button", name="Back").click()
    visitor.write("I am still here")
    visitor.sees_all_stored(1)
