"""Who is on a shop's pages, as the agent sees it while it changes."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.test_accessible import assert_everybody_can_use
from tests.e2e.world import World

pytestmark = pytest.mark.browser

HOSTILE = "document.title = '<img src=x onerror=alert(1)>'"


def test_a_page_reports_where_the_visitor_is(world: World, browsers: Browsers) -> None:
    visitor = Visitor(world, browsers.context())
    page = visitor.page
    world.network.wait_until_said(b"POST /api/visit ")
    world.network.wait_until_said(b'"title":"Shop"')
    reports = world.network.said(b'"url"')
    # A page that changes without loading.
    page.evaluate(
        "history.pushState({}, '', '/green?token=s3cr3t'); document.title = '绿茶'"
    )
    world.network.wait_until_said("绿茶".encode())
    assert world.network.said(b'"url"') == reports + 1
    # The same visitor opens the chat: one token was asked for, with no cookie.
    visitor.open().live()
    assert page.context.cookies() == []
    assert world.network.said(b'"token":null') == 1
    page.goto("about:blank")
    world.network.wait_until_said(b'"has_left":true')


def test_an_agent_watches_who_comes_goes_and_talks(
    world: World, browsers: Browsers
) -> None:
    agent = AgentPerson(world, browsers.context())
    page = agent.page
    page.get_by_role("link", name="Visitors").click()
    expect(page.get_by_text("Nobody is on the site")).to_be_visible()
    visitor = Visitor(world, browsers.context())
    line = page.locator(".visits tbody")
    expect(line.locator(".visit-page b")).to_have_text("Shop")
    visitor.page.evaluate(f"history.pushState({{}}, '', '/t?pin=1'); {HOSTILE}")
    expect(line.locator(".visit-page b")).to_have_text("<img src=x onerror=alert(1)>")
    expect(line.locator("td").nth(4)).to_contain_text("2")
    # By keyboard: the pages seen so far, which go on while they are shown.
    line.locator(".visit-name").focus()
    page.keyboard.press("Enter")
    expect(line.locator(".visit-trail li")).to_have_count(2)
    visitor.page.evaluate("history.pushState({}, '', '/cart'); document.title = 'Cart'")
    expect(line.locator(".visit-trail li")).to_have_count(3)
    expect(line.locator(".visit-name")).to_be_focused()
    assert_everybody_can_use(page)
    assert page.locator(".visits img").count() == 0
    # Invited, the visitor comes; one who declines is not asked again.
    page.get_by_role("textbox").fill("<b>Any</b> questions?")
    page.get_by_role("button", name="Invite to the chat").click()
    bubble = visitor.page.frame_locator("#kefu-visit iframe")
    expect(bubble.locator(".invitation-text")).to_have_text("<b>Any</b> questions?")
    expect(line.locator(".visit-state")).to_have_text("Sees the invitation")
    bubble.get_by_role("button", name="Chat").click()
    expect(line.locator(".visit-state")).to_have_text("Came by the invitation")
    visitor.enter()
    visitor.live()
    page.get_by_role("button", name="Invite to the chat").click()
    visitor.write("hello")
    expect(line.locator(".visit-state")).to_have_text("Waiting, number 1")
    page.get_by_role("button", name="Open the chat").click()
    agent.sees("hello")
    # What it was invited with begins the conversation, for both, in the agent's name.
    for view in (visitor.view, page):
        first = view.locator(".message").first
        expect(first.locator(".bubble")).to_contain_text("<b>Any</b> questions?")
        expect(first.locator(".tag")).to_have_text("Invitation")
    expect(visitor.view.locator(".message .who").first).to_have_text("小茶")
    page.get_by_role("button", name="Take", exact=True).first.click()
    page.get_by_role("link", name="Visitors").click()
    expect(line.locator(".visit-state")).to_contain_text("In a chat with")
    page.get_by_role("searchbox").fill("cart nobody")
    expect(page.get_by_text("Nobody matches")).to_be_visible()
    page.get_by_role("searchbox").fill("CART")
    expect(line).to_have_count(1)
    visitor.page.close()
    # Who declines is never asked again, in no page of this browser.
    page.get_by_role("searchbox").fill("")
    other = Visitor(world, browsers.context())
    fresh = line.filter(has_not_text="Cart")
    fresh.locator(".visit-name").click()
    fresh.get_by_role("button", name="Invite to the chat").click()
    bubble = other.page.frame_locator("#kefu-visit iframe")
    bubble.get_by_role("button", name="No, thanks").click()
    expect(fresh.locator(".visit-state")).to_have_text("Declined")
    expect(fresh.get_by_text("gets no other")).to_be_visible()
    expect(line).to_have_count(1)
    other.page.reload()
    world.network.wait_until_said(b'"has_refused":true')
    # Who only looks can be banned as well: of it nothing is stored.
    fresh.get_by_role("button", name="Ban…").click()
    fresh.get_by_label("Reason").fill("<i>spam</i>")
    fresh.get_by_role("button", name="Ban", exact=True).click()
    expect(fresh.get_by_text("<i>spam</i>")).to_be_visible()
    assert_everybody_can_use(page)
    fresh.get_by_role("button", name="Lift").click()
    fresh.get_by_role("button", name="Press again to lift it").click()
    expect(fresh.get_by_role("button", name="Ban…")).to_be_visible()


def test_a_rule_invites_by_itself(world: World, browsers: Browsers) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    page = AgentPerson(world, browsers.context(), "chief").page
    page.goto(world.url + "/console#/settings/visitors")
    page.get_by_role("button", name="Add a rule").click()
    page.get_by_label("Name, for agents").fill("tea")
    page.get_by_role("textbox", name="Pages Such as").fill("/t*")
    page.get_by_label("Seconds on this page").fill("1")
    page.get_by_label("What the invitation says").fill("Tea?")
    assert_everybody_can_use(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    world.shop.pages["/tea"] = world.page(world.embed)
    visitor = Visitor(world, browsers.context(), "/tea")
    bubble = visitor.page.frame_locator("#kefu-visit iframe")
    expect(bubble.locator(".invitation-text")).to_have_text("Tea?")
    page.get_by_role("navigation", name="Pages").get_by_role(
        "link", name="Visitors"
    ).click()
    state = page.locator(".visit-state")
    expect(state).to_have_text("Sees the invitation · tea")
    # The chat's own button is an answer as well.
    visitor.open()
    expect(state).to_have_text("Came by the invitation · tea")
    expect(bubble.locator(".invitation")).to_have_count(0)


def test_a_page_that_does_not_want_to_report_waits_for_a_call(
    world: World, browsers: Browsers
) -> None:
    quiet = world.embed.replace("data-site", 'data-visits="off" data-site')
    world.shop.pages["/"] = world.page(quiet)
    page: Page = browsers.context().new_page()
    page.goto(world.shop.url)
    expect(page.locator("#kefu-launcher")).to_be_attached()
    assert page.locator("#kefu-visit").count() == 0
    page.evaluate("kefu('watch'); kefu('watch')")
    world.network.wait_until_said(b"POST /api/visit ")
    assert page.locator("#kefu-visit").count() == 1
