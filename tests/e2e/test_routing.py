"""Two agents and several visitors: who is there, who gets what, and who waits."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.test_accessible import assert_everybody_can_use
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def choose(page: Page, status: str) -> None:
    """Say what one is for others."""
    page.locator(".status-button").click()
    page.get_by_role("radio", name=status).check()
    dot = page.locator(f".status-button .presence.{status.lower()}")
    expect(dot).to_be_visible()
    assert_everybody_can_use(page)
    page.keyboard.press("Escape")


def test_conversations_go_to_who_is_there_and_has_room(
    world: World, browsers: Browsers
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    world.add_agent("bo", "小博")
    chief = AgentPerson(world, browsers.context(), "chief")
    page = chief.page
    page.goto(world.url + "/console#/settings/accounts")
    page.locator(".card", has_text="小博").get_by_role("button", name="Change").click()
    page.get_by_label("Conversations at once").fill("1")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".card", has_text="小博")).to_contain_text("1 at once")
    page.get_by_role("link", name="Teams").click()
    page.get_by_role("button", name="Add a team").click()
    page.get_by_label("Name").fill("售前 <b>tea</b>")
    page.get_by_label("小博").check()
    assert_everybody_can_use(page)
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".card", has_text="售前 <b>tea</b>")).to_contain_text("小博")
    page.get_by_role("link", name="Routing").click()
    page.get_by_role("combobox", name="New conversations").select_option("least_busy")
    assert_everybody_can_use(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_role("link", name="Chats").click()

    bo = AgentPerson(world, browsers.context(), "bo")
    page.locator(".status-button").click()
    colleague = page.locator(".colleague", has_text="小博")
    expect(colleague).to_contain_text("Online")
    expect(colleague.locator(".count")).to_have_text("0/1")
    page.keyboard.press("Escape")
    visitors = []
    for number in range(3):
        visitor = Visitor(world, browsers.context()).open().live()
        visitor.write(f"question {number}")
        # One after the other: the next goes to who has less to do then.
        expect(visitor.view.get_by_text("Assigned to")).to_be_visible()
        visitors.append(visitor)
    expect(bo.page.locator("#tab-mine .count")).to_have_text("1")
    expect(page.locator("#tab-mine .count")).to_have_text("2")

    # Who is busy gets nothing new, and who has no room neither.
    choose(page, "Busy")
    waiting = Visitor(world, browsers.context()).open().live()
    waiting.write("and who helps me?")
    expect(bo.page.locator("#tab-queue .count")).to_have_text("1")
    place = waiting.view.locator(".queue-bar")
    expect(place).to_contain_text("You are next")
    expect(place).to_contain_text("waiting 0:0")
    behind = Visitor(world, browsers.context()).open().live()
    behind.write("me too")
    expect(behind.view.locator(".queue-bar")).to_contain_text("One person is ahead")
    assert_everybody_can_use(behind.view)
    bo.open_first("mine")
    bo.page.get_by_role("button", name="Close conversation").click()
    expect(waiting.view.get_by_text("Assigned to 小博")).to_be_visible()
    expect(place).to_be_hidden()
    expect(behind.view.locator(".queue-bar")).to_contain_text("You are next")
    bo.open_first("mine")
    bo.sees("and who helps me?")

    # Handed to the team by the other, it comes to who is in it, with the note.
    bo.page.get_by_role("button", name="Close conversation").click()
    expect(behind.view.get_by_text("Assigned to 小博")).to_be_visible()
    bo.open_first("mine")
    bo.sees("me too")
    bo.page.get_by_role("button", name="Close conversation").click()
    chief.open_first("mine")
    page.get_by_role("button", name="Hand over").click()
    panel = page.get_by_role("group", name="Hand over")
    panel.get_by_role("combobox").select_option("售前 <b>tea</b>")
    panel.get_by_label("A note").fill("knows the teapots")
    panel.get_by_role("button", name="Hand over").click()
    bo.open_first("mine")
    bo.sees("knows the teapots")
    expect(bo.page.get_by_text("In the queue of 售前 <b>tea</b>")).to_be_visible()
    expect(page.locator("#tab-mine .count")).to_have_text("1")


def test_an_agent_who_receives_nothing_is_told_in_red_and_by_a_sound(
    world: World, browsers: Browsers
) -> None:
    context = browsers.context()
    context.add_init_script(
        "window.tones = 0; const start = OscillatorNode.prototype.start;"
        "OscillatorNode.prototype.start = function (...at) {"
        " window.tones += 1; return start.apply(this, at); };"
    )
    agent = AgentPerson(world, context)
    expect(agent.page.locator(".status-button .presence.online")).to_be_visible()
    before = agent.page.evaluate("window.tones")
    world.network.cut()
    expect(agent.page.locator(".alarm")).to_be_visible()
    expect(agent.page.locator(".status-button .presence.offline")).to_be_visible()
    agent.page.wait_for_function("before => window.tones >= before + 4", arg=before)
    world.network.mend()
    expect(agent.page.locator(".alarm")).to_be_hidden()
    expect(agent.page.locator(".status-button .presence.online")).to_be_visible()
