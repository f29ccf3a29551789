"""Who is on a shop's pages, as the agent sees it while it changes."""

from playwright.sync_api import Page, expect

from tests.e2e.people import Browsers, Visitor
from tests.e2e.world import World


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
