"""The page of operations: what is wrong stands first, and it rests when hidden."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.test_accessible import assert_everybody_can_use
from tests.e2e.test_looks import NARROW, WIDE, picture
from tests.e2e.world import World

pytestmark = pytest.mark.browser

_HIDE = """hidden => {
  Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def test_an_admin_sees_at_a_glance_what_is_wrong(
    world: World, browsers: Browsers, tmp_path: Path
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    chief = AgentPerson(world, browsers.context(viewport=WIDE), "chief")
    page = chief.page
    page.get_by_role("link", name="System").click()
    online = page.locator(".tile", has_text="Agents online").locator("b")
    connected = page.locator(".tile", has_text="Connections").locator("b")
    expect(online).to_have_text("1")
    expect(connected).to_have_text("1")
    expect(page.locator(".trouble.problem")).to_have_count(0)

    visitor = Visitor(world, browsers.context()).open().live()
    visitor.write("Is somebody there?")
    expect(connected).to_have_text("2")
    page.locator(".status-button").click()
    page.get_by_role("radio", name="Away").check()
    page.keyboard.press("Escape")
    trouble = page.locator(".trouble.problem")
    expect(trouble).to_contain_text("No agent is online; waiting in the queue: 1.")
    expect(page.locator(".tile.problem", has_text="Waiting")).to_have_count(1)
    expect(page.locator(".spark").first).to_be_visible()
    assert_everybody_can_use(page)
    picture(page, "operations-wide-en")
    page.get_by_role("button", name="中文").click()
    expect(page.locator(".trouble.problem")).to_contain_text("没有客服在线")
    page.set_viewport_size(NARROW)
    picture(page, "operations-narrow-zh-CN")

    # Nobody looks: nothing is asked. Somebody looks again: at once.
    page.evaluate(_HIDE, True)
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url))
    page.evaluate("() => { const now = Date.now; Date.now = () => now() + 60_000; }")
    ticks = "() => (window.ticks = (window.ticks ?? 0) + 1) > 3"
    page.wait_for_function(ticks, polling=700)
    assert [url for url in asked if "/api/operations" in url] == []
    with page.expect_request("**/api/operations*"):
        page.evaluate(_HIDE, False)
    world.kill()
    expect(page.get_by_role("alert").filter(has_text="服务器没有应答")).to_be_visible()

    agent = browsers.context()
    world.start()
    other = AgentPerson(world, agent).page
    expect(other.locator(".rail a").first).to_be_visible()
    expect(other.locator(".rail a[href='#/operations']")).to_have_count(0)
