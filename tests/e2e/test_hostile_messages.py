"""Windows that are none of ours talk to the page and to both frames: nobody listens."""

import json

import pytest
from playwright.sync_api import expect

from tests.e2e.people import Browsers, Visitor
from tests.e2e.test_hostile_fields import tokens_of
from tests.e2e.world import World

pytestmark = pytest.mark.browser

TO_THE_PAGE = (
    *({"type": f"kefu:{name}"} for name in ("ready", "close", "message", "active")),
    *({"type": f"kefu:{name}"} for name in ("visit-ready", "visit-off")),
    {"type": "kefu:invite", "height": 400, "title": "x"},
    {"type": "kefu:invite-accept"},
    {"type": "kefu:unread", "count": 77},
)
TO_THE_FRAMES = (
    *({"type": f"kefu:{name}"} for name in ("open", "closed", "chat-open", "token")),
    {"type": "kefu:page", "url": "/hostile", "title": "hostile", "referrer": ""},
    {"type": "kefu:language", "locale": "zh-CN"},
    {"type": "kefu:about", "isNew": True},
    {"type": "kefu:about", "attributes": {"hostile": 1}},
    {"type": ["kefu:about"]},
    {"type": {"toString": "kefu:about"}},
    *(None, 1, "kefu:about", [], {}, {"type": None}),
)
STRANGER = """<script>
setInterval(() => {
  for (const data of FOR_THE_PAGE) parent.postMessage(data, "*");
  parent.postMessage("done", "*");
}, 30);
</script>"""
SIBLING = """<script>
addEventListener("message", ({ data }) => parent.heard.push(["sibling", data]));
setInterval(() => {
  for (const host of parent.document.querySelectorAll("#kefu-launcher, #kefu-visit")) {
    const frame = host.shadowRoot.querySelector("iframe")?.contentWindow;
    for (const data of FOR_THE_FRAMES) frame?.postMessage(data, "*");
  }
}, 30);
</script>"""
ATTACK = """<script>
window.heard = [];
window.happened = [];
for (const name of ["open", "close", "unread", "message"])
  kefu("on", name, () => happened.push(name));
addEventListener("message", ({ data, origin }) => heard.push([origin, data]));
for (const [html, sandbox] of ATTACKERS) {
  const evil = document.createElement("iframe");
  if (sandbox) evil.setAttribute("sandbox", sandbox);
  if (html.startsWith("http")) evil.src = html;
  else evil.srcdoc = html;
  document.body.append(evil);
}
</script>"""
WAITING = """<script>
window.kefu = function () { (kefu.q = kefu.q || []).push(arguments); };
</script>"""


def _script(text: str, **values: object) -> str:
    for name, value in values.items():
        text = text.replace(name, json.dumps(value).replace("</", "<\\/"))
    return text


def test_no_other_window_is_heard_by_the_page_or_by_its_frames(
    world: World, browsers: Browsers
) -> None:
    stranger = _script(STRANGER, FOR_THE_PAGE=TO_THE_PAGE)
    sibling = _script(SIBLING, FOR_THE_FRAMES=TO_THE_FRAMES)
    elsewhere = world.shop.url.replace("127.0.0.1", "localhost")
    world.shop.pages["/stranger"] = stranger
    attackers = [
        (f"{elsewhere}/stranger", ""),
        (stranger, "allow-scripts"),
        (stranger, ""),
        (sibling, ""),
    ]
    attack = _script(ATTACK, ATTACKERS=attackers)
    world.shop.pages["/evil"] = world.page(WAITING + world.embed + attack)
    visitor = Visitor(world, browsers.context(), "/evil")
    page = visitor.page
    count = "heard.filter(([, data]) => data === 'done').length"
    page.wait_for_function(f"{count} > 30")
    world.network.wait_until_said(b'"url"')
    # What the page itself tells arrives, and nothing of the others'.
    page.evaluate("history.pushState({}, '', '/after')")
    world.network.wait_until_said(b"/after")
    frame = page.locator("#kefu-visit iframe")
    expect(frame).not_to_have_class("is-shown")
    expect(visitor.launcher).to_have_attribute("aria-expanded", "false")
    expect(page.locator("#kefu-launcher .badge")).to_be_hidden()
    assert page.locator("#kefu-launcher iframe").count() == 0
    assert page.evaluate("sessionStorage.length") == 0
    assert page.evaluate("localStorage.length") == 0
    assert page.evaluate("happened") == []
    # So with the chat open.
    visitor.open().live()
    visitor.write("hello")
    visitor.sees_all_stored(1)
    tokens = tokens_of(visitor)
    before = int(page.evaluate(count))
    page.wait_for_function(f"{count} > {before + 30}")
    visitor.write("still here")
    visitor.sees_all_stored(2)
    expect(visitor.launcher).to_have_attribute("aria-expanded", "true")
    expect(visitor.view.locator("html")).to_have_attribute("lang", "en")
    assert page.evaluate("[...new Set(happened)]") == ["open"]
    assert tokens_of(visitor) == tokens
    # Who opens the chat in a window of its own is not around it.
    key = f"{world.url}/widget/{world.site}#origin={world.shop.url}"
    with page.expect_popup() as opened:
        page.evaluate("(url) => void (window.popup = open(url))", key)
    popup = opened.value
    expect(popup.locator(".light.live")).to_be_visible(timeout=20_000)
    page.evaluate(
        "(all) => { for (const data of all) popup.postMessage(data, '*') }",
        list(TO_THE_FRAMES),
    )
    popup.locator(".composer-input").fill("from the window")
    popup.keyboard.press("Enter")
    # In the same conversation: it is the same visitor.
    visitor.sees("from the window")
    tokens |= tokens_of(visitor)
    assert b"hostile" not in world.network.heard
    # The page has heard what it must, and no secret; the sibling nothing.
    heard = page.evaluate("heard")
    assert not [data for whom, data in heard if whom == "sibling"]
    ours = json.dumps([data for whom, data in heard if whom == world.url])
    assert "kefu:ready" in ours
    assert not [token for token in tokens if token in ours]
    assert "hello" not in ours
