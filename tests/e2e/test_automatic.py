"""What a site says by itself: set in the console, read as automatic on both sides."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def test_texts_that_are_set_in_the_console_are_said_and_are_no_answer(
    world: World, browsers: Browsers
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    admin = AgentPerson(world, browsers.context(), "chief")
    page = admin.page
    page.goto(f"{world.url}/console#/settings/talk")
    card = page.get_by_role("form", name="Tea & <b>Co</b>")
    card.get_by_label("Greeting").fill("Welcome to {site} <i>")
    card.get_by_label("To who waits").fill("One moment, please.")
    card.get_by_label("After so many seconds").fill("5")
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_role("status")).to_have_text("Saved")
    visitor = Visitor(world, browsers.context()).open().live()
    greeting = visitor.view.get_by_text("Welcome to Tea & <b>Co</b> <i>")
    expect(greeting).to_have_class("greeting")
    visitor.write("Is anybody there?")
    expect(visitor.view.locator(".message.auto")).to_have_count(2, timeout=20_000)
    assert visitor.texts() == [
        "Welcome to Tea & <b>Co</b> <i>",
        "Is anybody there?",
        "One moment, please.",
    ]
    expect(visitor.view.locator(".message.auto").last).to_contain_text("Automatic")
    expect(visitor.view.locator(".greeting")).to_be_hidden()
    page.goto(f"{world.url}/console#/")
    row = page.locator("#tab-queue .count")
    expect(row).to_have_text("1")
    admin.open_first("queue")
    expect(page.locator(".message.auto.mine")).to_have_count(2)
    expect(page.locator(".row .waits").first).to_be_visible()
