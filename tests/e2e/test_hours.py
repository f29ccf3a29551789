"""Business hours: set in the console, told by the widget."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def test_a_closed_shop_says_when_it_opens_and_asks_for_a_message(
    world: World, browsers: Browsers, visitor: Visitor
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    admin = AgentPerson(world, browsers.context(), "chief")
    page = admin.page
    status = visitor.view.locator(".head-status")
    expect(status).to_have_text("We answer here")
    page.goto(f"{world.url}/console#/settings/hours")
    card = page.get_by_role("form", name="Tea & <b>Co</b>")
    card.get_by_label("There are hours").check()
    card.get_by_label("Time zone").fill("Asia/Shanghay")
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"):
        card.get_by_label(day).fill("")
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_role("alert")).to_contain_text("no time zone 'Asia/Shanghay'")
    expect(status).to_have_text("We answer here")
    card.get_by_label("Time zone").fill("Asia/Shanghai")
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_role("status")).to_have_text("Saved")
    # Nobody has written yet, so the form stands there by itself, though one is there.
    expect(status).to_have_text("We are closed")
    form = visitor.view.get_by_role("form", name="Leave a message")
    expect(form).to_be_visible()
    expect(form).to_contain_text("We are closed")
    card.get_by_label("Holidays").fill("2199-01-01 Far away")
    card.get_by_label("Monday").fill("nonsense")
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_label("Monday")).to_have_value("nonsense")
    card.get_by_label("Monday").fill("03:00-03:01")
    card.get_by_role("button", name="Save").click()
    expect(status).to_contain_text("We are closed until ")
    expect(form).to_contain_text("We are closed until ")
    # Whoever writes all the same is heard, and is not sent away while being answered.
    form.get_by_role("button", name="Back").click()
    visitor.write("Is anybody there?")
    page.goto(f"{world.url}/console#/")
    admin.open_first("queue")
    admin.write("By chance.")
    visitor.sees("By chance.")
