"""The form before the chat: set in the console, filled in by the visitor."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)> 李雷"


def test_a_visitor_answers_what_the_site_asks_and_the_question_is_the_first_message(
    world: World, browsers: Browsers
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    admin = AgentPerson(world, browsers.context(), "chief")
    page = admin.page
    page.goto(f"{world.url}/console#/settings/teams")
    page.get_by_role("button", name="Add a team").click()
    page.get_by_label("Name").fill("After <i>sales</i>")
    page.get_by_role("button", name="Save").click()
    page.goto(f"{world.url}/console#/settings/talk")
    card = page.get_by_role("form", name="Tea & <b>Co</b>")
    card.get_by_label("Name").select_option("must")
    card.get_by_label("E-mail").select_option("may")
    card.get_by_label("Question").select_option("must")
    card.get_by_text("After <i>sales</i>").click()
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_role("status")).to_have_text("Saved")

    visitor = Visitor(world, browsers.context())
    visitor.launcher.click()
    handle = visitor.page.locator("#kefu-launcher iframe").element_handle()
    frame = handle.content_frame()
    assert frame is not None
    visitor.view = frame
    form = frame.get_by_role("form", name="Before we begin")
    expect(form).to_be_visible()
    expect(frame.locator(".composer-input")).to_be_hidden()
    form.get_by_label("Name").fill(HOSTILE)
    form.get_by_label("E-mail (optional)").fill("li@example.cn")
    form.get_by_label("Who can help?").select_option("After <i>sales</i>")
    form.get_by_role("button", name="Start").click()
    # The question is required as well.
    expect(form).to_be_visible()
    form.get_by_label("What is it about?").fill("Is it in stock?")
    form.get_by_role("button", name="Start").click()
    expect(frame.locator(".composer-input")).to_be_visible()
    expect(form).to_be_hidden()
    visitor.sees("Is it in stock?")
    page.goto(f"{world.url}/console#/")
    admin.open_first("queue")
    expect(page.locator(".room-head")).to_contain_text(HOSTILE)
    expect(page.locator(".room-head")).to_contain_text("After <i>sales</i>")
    admin.sees("Is it in stock?")
    # Whoever comes back is not asked again.
    visitor.reload()
    visitor.sees("Is it in stock?")
    expect(visitor.view.get_by_role("form", name="Before we begin")).to_be_hidden()
