"""The pages among strangers: hostile text, hostile pages, keyboards and phones."""

import json

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser

HOSTILE = [
    "<script>window.__pwned = 1</script>",
    '<img src=x onerror="window.__pwned = 1">',
    '"><svg onload=window.__pwned=1>',
    "javascript:window.__pwned=1",
    "{{constructor.constructor('window.__pwned=1')()}}",
    "</textarea><iframe srcdoc='<script>parent.__pwned=1</script>'>",
    "\u202egnp.exe \u2066hidden\u2069 שלום עולם",
    "a\u0300\u0301\u0302 zero\u200bwidth 👩‍👩‍👧 &amp; &#x3c;b&#x3e;",
    "x" * 500,
]


def test_hostile_text_is_only_text(visitor: Visitor, agent: AgentPerson) -> None:
    visitor.write(*HOSTILE)
    visitor.sees_all_stored(len(HOSTILE))
    agent.open_first()
    agent.sees("x" * 500)
    agent.write(*HOSTILE)
    for person in (visitor, agent):
        person.sees_all_stored(2 * len(HOSTILE), timeout_ms=60_000)
        assert person.texts() == HOSTILE * 2
        assert person.view.evaluate("window.__pwned") is None
        assert (
            person.view.evaluate("document.querySelectorAll('.log script').length") == 0
        )
        assert person.page.evaluate(
            "document.documentElement.scrollWidth <= innerWidth"
        ), "the page must not grow wider than the screen"


def test_the_widget_is_usable_by_keyboard_alone(
    world: World, browsers: Browsers
) -> None:
    visitor = Visitor(world, browsers.context())
    expect(visitor.launcher).to_be_visible()
    keyboard = visitor.page.keyboard
    keyboard.press("Tab")
    keyboard.press("Tab")
    expect(visitor.launcher).to_be_focused()
    expect(visitor.launcher).to_have_attribute("aria-expanded", "false")
    keyboard.press("Enter")
    visitor.enter()
    visitor.live()
    expect(visitor.view.locator(".composer-input")).to_be_focused()
    keyboard.type("by keyboard")
    keyboard.press("Shift+Enter")
    keyboard.type("second line")
    keyboard.press("Enter")
    visitor.sees_all_stored(1)
    assert visitor.texts() == ["by keyboard\nsecond line"]
    keyboard.press("Escape")
    expect(visitor.launcher).to_be_focused()
    expect(visitor.launcher).to_have_attribute("aria-expanded", "false")


def test_enter_that_chooses_a_word_does_not_send(visitor: Visitor) -> None:
    field = visitor.view.locator(".composer-input")
    field.fill("ni hao")
    field.dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    field.dispatch_event("keydown", {"key": "Enter", "keyCode": 229})
    expect(field).to_have_value("ni hao")
    assert visitor.texts() == []


def test_the_console_is_usable_by_keyboard_alone(
    world: World, visitor: Visitor, agent: AgentPerson, browsers: Browsers
) -> None:
    visitor.write("first in line")
    visitor.sees_all_stored(1)
    other = Visitor(world, browsers.context()).open().live()
    other.write("second in line")
    other.sees_all_stored(1)
    expect(agent.page.locator("#tab-queue .count")).to_have_text("2")
    keyboard = agent.page.keyboard
    keyboard.press("Alt+j")
    agent.sees("first in line")
    keyboard.press("Alt+j")
    agent.sees("second in line")
    keyboard.type("hello there")
    keyboard.press("Enter")
    other.sees("hello there")
    keyboard.press("Escape")
    expect(agent.page.locator(".nothing")).to_be_visible()


def test_a_wrong_password_is_said_and_the_right_one_still_works(
    world: World, browsers: Browsers
) -> None:
    page = browsers.context().new_page()
    page.goto(world.url + "/console")
    page.locator("input[name=username]").fill("ana")
    page.locator("input[name=password]").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.locator(".fault")).to_contain_text("not right")
    page.locator("input[name=password]").fill("correct horse battery")
    page.keyboard.press("Enter")
    expect(page.locator(".live-light.live")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.locator("input[name=username]")).to_be_visible()


def test_on_a_phone_the_open_chat_fills_the_screen(
    world: World, browsers: Browsers
) -> None:
    context = browsers.context(viewport={"width": 390, "height": 760})
    visitor = Visitor(world, context).open().live()
    box = visitor.page.locator("#kefu-launcher iframe").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 390, "height": 760}
    visitor.view.locator(".head-close").click()
    expect(visitor.launcher).to_be_visible()


def test_a_page_with_brutal_styles_cannot_break_the_launcher(
    world: World, browsers: Browsers
) -> None:
    brutal = (
        "<style>* { display: none !important; } div { position: static !important; }"
        "body, html, h1 { display: block !important; }"
        "button { width: 500px !important; } #kefu-launcher { opacity: 1 }</style>"
    )
    world.shop.pages["/brutal"] = world.page(world.embed * 2, brutal)
    visitor = Visitor(world, browsers.context(), "/brutal").open().live()
    # Away from the button, which grows a little under the pointer.
    visitor.page.mouse.move(5, 5)
    visitor.page.wait_for_function(
        "document.querySelector('#kefu-launcher').shadowRoot"
        ".querySelector('button').getBoundingClientRect().width === 60"
    )
    box = visitor.launcher.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (60, 60)
    assert visitor.page.locator("#kefu-launcher").count() == 1


def test_strangers_cannot_speak_to_the_chat_or_the_page(
    world: World, browsers: Browsers
) -> None:
    attack = """
      <script>
      addEventListener("message", (e) => { (window.heard ||= []).push(e.data) });
      window.attack = () => {
        const frame = document.querySelector("#kefu-launcher").shadowRoot
          .querySelector("iframe").contentWindow;
        const evil = document.createElement("iframe");
        evil.srcdoc = "<" + "script>for (let i = 0; i < 50; i++) {" +
          "parent.postMessage({type: 'kefu:unread', count: 77}, '*');" +
          "parent.postMessage({type: 'kefu:close'}, '*');" +
          "parent.postMessage('x', '*'); }" +
          "parent.postMessage('done', '*')</" + "script>";
        document.body.append(evil);
        for (const data of [null, 1, "x", {type: "kefu:token"}, {type: []}])
          frame.postMessage(data, "*");
      };
      </script>"""
    world.shop.pages["/evil"] = world.page(world.embed + attack)
    visitor = Visitor(world, browsers.context(), "/evil").open().live()
    visitor.page.evaluate("attack()")
    visitor.page.wait_for_function("(window.heard || []).includes('done')")
    expect(visitor.launcher).to_have_attribute("aria-expanded", "true")
    visitor.page.keyboard.press("Escape")
    expect(visitor.page.locator("#kefu-launcher .badge")).to_be_hidden()
    heard = visitor.page.evaluate("window.heard")
    token = visitor.view.evaluate("JSON.stringify(localStorage)")
    for value in json.loads(token).values():
        assert len(value) < 20 or value not in json.dumps(heard)


def test_a_page_of_another_origin_cannot_frame_the_widget_or_console(
    world: World, browsers: Browsers
) -> None:
    context = browsers.context()
    page = context.new_page()
    stranger = world.shop.url.replace("127.0.0.1", "localhost")
    world.shop.pages["/frames"] = world.page(
        f'<style></style><iframe src="{world.url}/widget/{world.site}"></iframe>'
        f'<iframe src="{world.url}/console"></iframe>'
    )
    page.goto(stranger + "/frames")
    page.wait_for_load_state("networkidle")
    for frame in page.frames[1:]:
        assert frame.locator("#app").count() == 0
    # Exactly these two refusals are what this test is about.
    assert len(browsers.violations) == 2
    browsers.violations.clear()


@pytest.mark.parametrize(
    ("locale", "title"), [("en-US", "Agent console"), ("zh-CN", "客服工作台")]
)
def test_the_console_speaks_the_browsers_language_and_can_switch(
    world: World, browsers: Browsers, locale: str, title: str
) -> None:
    page = browsers.context(locale=locale).new_page()
    page.goto(world.url + "/console")
    expect(page.locator("h1")).to_have_text(title)
    page.get_by_role("button", name="中文" if locale == "en-US" else "English").click()
    expect(page.locator("h1")).not_to_have_text(title)
