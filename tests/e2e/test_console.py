"""The console around its pages: the rail, the keys and the notices."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Visitor

pytestmark = pytest.mark.browser

NOTED = """
window.noted = document.body.appendChild(document.createElement("output"));
window.Notification = class {
  static permission = "granted";
  static requestPermission = async () => "granted";
  constructor(title, options) { noted.append(`${title}: ${options.body}; `); }
  close() {}
};
document.hasFocus = () => false;
"""


def test_the_rail_leads_to_every_page_and_the_url_names_it(agent: AgentPerson) -> None:
    page = agent.page
    pages = page.get_by_role("navigation", name="Pages")
    for link, title in (("Settings", "Settings"), ("History", "History")):
        pages.get_by_role("link", name=link).click()
        expect(page).to_have_title(f"{title} · kefu")
        expect(pages.locator("[aria-current=page]")).to_have_text(link)
    page.go_back()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Notices")).to_be_visible()
    page.goto(page.url.partition("#")[0] + "#/nowhere")
    expect(pages.locator("[aria-current=page]")).to_have_text("Chats")


def test_a_row_that_is_drawn_anew_while_it_is_pressed_opens_all_the_same(
    visitor: Visitor, agent: AgentPerson
) -> None:
    visitor.write("hello")
    page = agent.page
    page.locator("#tab-queue").click()
    line = page.locator(".row .row-line")
    expect(line).to_have_text("hello")
    line.hover()
    page.mouse.down()
    visitor.write("Is anybody there?")
    expect(line).to_have_text("Is anybody there?")
    page.mouse.up()
    expect(page.locator(".composer-input")).to_be_visible()


def test_a_question_mark_shows_the_keys_but_not_while_one_writes(
    visitor: Visitor, agent: AgentPerson
) -> None:
    page = agent.page
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    visitor.write("hello")
    agent.open_first("queue")
    page.locator(".composer-input").press_sequentially("why?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".composer-input")).to_have_value("why?")


def test_what_comes_while_one_looks_elsewhere_is_noted_once(
    visitor: Visitor, agent: AgentPerson
) -> None:
    page = agent.page
    visitor.write("before")
    expect(page.locator("#tab-queue .count")).to_have_text("1")
    page.evaluate(NOTED)
    page.evaluate("location.hash = '#/settings'")
    page.get_by_text("Notices on the desktop").click()
    expect(page.get_by_label("Notices on the desktop")).to_be_checked()
    visitor.write("is anybody there?")
    expect(page.locator("body > output")).to_have_text(
        re.compile(r"^Visitor \d+: is anybody there\?; $")
    )
