"""Canned replies: made on their page, put in with `/`, by keyboard alone."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def test_a_reply_is_made_found_by_its_shortcut_and_put_in_with_the_visitors_name(
    world: World, browsers: Browsers, visitor: Visitor
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    agent = AgentPerson(world, browsers.context(), "chief")
    page = agent.page
    page.goto(f"{world.url}/console#/canned")
    page.reload()
    for shortcut, title, body in (
        ("hi", "Greeting <b>", "您好 {visitor}，我是{agent}，{site}。"),
        ("ship", "发货", "今天发货。"),
    ):
        page.get_by_role("button", name="Add a reply").click()
        page.get_by_label("Shortcut").fill(shortcut)
        page.get_by_label("Title").fill(title)
        page.get_by_label("Text", exact=False).first.fill(body)
        page.get_by_label("Who has it").select_option("all")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".card", has_text=title)).to_be_visible()
    visitor.write("Is it in stock?")
    page.goto(f"{world.url}/console#/")
    agent.open_first("queue")
    composer = page.locator(".composer-input")
    composer.press_sequentially("/h")
    menu = page.get_by_role("listbox", name="Canned replies")
    first = menu.get_by_role("option").first
    expect(first).to_contain_text("Greeting <b>")
    expect(first).to_have_attribute("aria-selected", "true")
    composer.press("Enter")
    expect(menu).to_be_hidden()
    text = composer.input_value()
    assert text.startswith("您好 ")
    assert "我是掌柜，Tea & <b>Co</b>。" in text
    assert "{" not in text
    composer.press("Enter")
    visitor.sees("我是掌柜")
    # By a word of the text, the second with the arrows, and away again with Esc.
    composer.press_sequentially("/")
    expect(menu.get_by_role("option")).to_have_count(2)
    composer.press("ArrowDown")
    expect(menu.get_by_role("option").nth(1)).to_have_attribute("aria-selected", "true")
    composer.press("Escape")
    expect(menu).to_be_hidden()
    composer.fill("/发货")
    expect(menu.get_by_role("option")).to_have_count(1)
    composer.press("Tab")
    assert composer.input_value() == "今天发货。"
    # What no canned reply fits goes out as it was written.
    composer.fill("see /nowhere")
    composer.press("Enter")
    visitor.sees("see /nowhere")
