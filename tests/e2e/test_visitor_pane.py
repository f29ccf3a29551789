"""Who the visitor is, beside the conversation: two agents who know it and change it."""

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.payloads import PAYLOADS
from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.test_accessible import assert_everybody_can_use
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def pane_of(agent: AgentPerson) -> Locator:
    return agent.page.get_by_role("complementary", name="Visitor")


def test_agents_say_who_a_visitor_is_and_never_overwrite_each_other(
    world: World, browsers: Browsers, visitor: Visitor
) -> None:
    visitor.write("hello")
    visitor.sees_all_stored(1)
    world.add_agent("chief", "掌柜", is_admin=True)
    one = AgentPerson(world, browsers.context())
    other = AgentPerson(world, browsers.context(), "chief")
    for agent in (one, other):
        agent.open_first()
    mine, theirs = pane_of(one), pane_of(other)
    name = next(text for text in PAYLOADS if "<img" in text and "\n" not in text)[:90]
    mine.get_by_label("Name").fill(name)
    mine.get_by_label("E-mail").fill("lin@example")
    mine.get_by_role("button", name="Save").click()
    expect(mine.get_by_role("alert").first).to_contain_text("e-mail")
    mine.get_by_label("E-mail").fill("lin@example.cn")
    mine.get_by_role("button", name="Save").click()
    # What was stored is seen by the others at once, and in every list.
    expect(theirs.get_by_label("Name")).to_have_value(name.strip())
    expect(theirs.get_by_label("E-mail")).to_have_value("lin@example.cn")
    for agent in (one, other):
        expect(agent.page.locator(".row-name").first).to_contain_text(name.strip()[:10])
        expect(agent.page.locator(".room-title h2")).to_contain_text(name.strip()[:10])
    # Both write at the same: the second is told what is there now.
    mine.get_by_label("Notes").fill("VIP")
    mine.get_by_label("Telephone").fill("+86 10 1234")
    theirs.get_by_label("Notes").fill("calls back")
    mine.get_by_role("button", name="Save").click()
    expect(mine.get_by_role("button", name="Save")).to_be_hidden()
    expect(theirs.get_by_text("Now: VIP")).to_be_visible()
    expect(theirs.get_by_label("Telephone")).to_have_value("+86 10 1234")
    expect(theirs.get_by_label("Notes")).to_have_value("calls back")
    theirs.get_by_role("button", name="Take this").click()
    theirs.get_by_label("Notes").fill("VIP, calls back")
    theirs.get_by_role("button", name="Save").click()
    expect(mine.get_by_label("Notes")).to_have_value("VIP, calls back")
    # It can be put away, and stays so.
    one.page.get_by_role("button", name="Hide the visitor").click()
    expect(mine).to_be_hidden()
    one.page.reload()
    one.open_first()
    expect(mine).to_be_hidden()
    one.page.get_by_role("button", name="Show the visitor").click()
    expect(mine.get_by_label("Notes")).to_have_value("VIP, calls back")
    # On a phone it lies over the conversation, and Escape puts it away.
    one.page.set_viewport_size({"width": 390, "height": 780})
    expect(mine).to_be_hidden()
    one.page.get_by_role("button", name="Show the visitor").click()
    expect(mine.get_by_label("Notes")).to_have_value("VIP, calls back")
    one.page.keyboard.press("Escape")
    expect(mine).to_be_hidden()
    expect(one.page.locator(".composer-input")).to_be_visible()
    assert one.page.evaluate("window.__pwned === undefined")


def test_the_pane_tells_where_the_visitor_is_and_was(
    world: World, browsers: Browsers, visitor: Visitor
) -> None:
    visitor.write("hello")
    visitor.sees_all_stored(1)
    agent = AgentPerson(world, browsers.context())
    agent.open_first()
    visit = pane_of(agent).get_by_role("region", name="Visit", exact=True)
    expect(visit.get_by_text("On the site now")).to_be_visible()
    expect(visit.get_by_text("directly")).to_be_visible()
    # It goes on while it is looked at, and what a page is called is only text.
    title = next(text for text in PAYLOADS if "<img" in text and "\n" not in text)[:50]
    visitor.page.evaluate(
        "title => { history.pushState({}, '', '/tea'); document.title = title }", title
    )
    trail = visit.get_by_role("list", name="Pages of this visit").get_by_role(
        "listitem"
    )
    expect(trail).to_have_count(2)
    expect(visit.locator(".visit-now")).to_contain_text("/tea")
    assert_everybody_can_use(agent.page)
    # Folded it asks for nothing, and stays folded.
    agent.page.get_by_role("button", name="Visit", exact=True).click()
    expect(trail.first).to_be_hidden()
    agent.page.reload()
    agent.open_first()
    expect(pane_of(agent).get_by_label("Name")).to_be_visible()
    expect(visit.get_by_text("On the site now")).to_be_hidden()
    agent.page.get_by_role("button", name="Visit", exact=True).click()
    expect(trail).to_have_count(2)
    # Who leaves is told to be gone; the pages stay, and are an earlier visit next time.
    visitor.page.goto("about:blank")
    expect(visit.get_by_text("Not on the site; last seen")).to_be_visible(
        timeout=15_000
    )
    expect(trail).to_have_count(2)
    visitor.page.goto(world.shop.url)
    expect(visit.get_by_text("On the site now")).to_be_visible()
    earlier = visit.locator(".visit-earlier")
    expect(earlier).to_have_count(1)
    earlier.get_by_role("button").click()
    expect(earlier.get_by_role("listitem")).to_have_count(2)
    assert agent.page.evaluate("window.__pwned === undefined")
