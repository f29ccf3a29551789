"""A shop's page steers the widget: `kefu("open")` and the like."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser

BEFORE = """<script>
window.told = [];
window.kefu = window.kefu || function () { (kefu.q = kefu.q || []).push(arguments); };
for (const name of ["open", "close", "unread", "message"])
  kefu("on", name, (...given) => told.push([name, ...given].join(" ").trim()));
kefu("on", "open", () => { throw new Error("the page's own mistake"); });
kefu("open");
</script>"""


def test_a_page_steers_the_chat_from_before_it_is_loaded(
    world: World, browsers: Browsers
) -> None:
    world.shop.pages["/calls"] = world.page(BEFORE + world.embed)
    visitor = Visitor(world, browsers.context(), "/calls")
    visitor.enter()
    visitor.live()
    page = visitor.page
    assert page.evaluate("kefu('version')") == 1
    assert page.evaluate("told") == ["open"]
    visitor.write("hello")
    visitor.view.locator(".composer-input").fill("half a sen")
    page.evaluate("kefu('setLanguage', 'zh-CN')")
    expect(visitor.launcher).to_have_attribute("aria-label", "关闭聊天")
    visitor.enter()
    expect(visitor.view.locator("html")).to_have_attribute("lang", "zh-CN")
    visitor.live()
    visitor.sees("hello")
    page.evaluate("kefu('toggle')")
    agent = AgentPerson(world, browsers.context())
    agent.open_first()
    agent.write("good day")
    page.wait_for_function("told.includes('unread 1') && told.includes('message')")
    assert "good day" not in page.evaluate("told.join()")
    page.evaluate("kefu('open')")
    page.wait_for_function("told.includes('unread 0')")
    # What does not exist does nothing, and neither does what others send.
    before = page.evaluate("told.length")
    page.evaluate("kefu('constructor'); kefu('on', '__proto__', () => {})")
    page.evaluate("kefu('setLanguage', '<b>')")
    page.evaluate("postMessage({ type: 'kefu:close' }, '*')")
    page.evaluate("postMessage({ type: 'kefu:unread', count: 7 }, '*')")
    page.evaluate("new Promise((done) => setTimeout(done))")
    assert page.evaluate("told.length") == before
    page.evaluate("kefu('close')")
    assert page.evaluate("told.at(-1)") == "close"
