"""Pictures of both pages, wide and narrow, light and dark, in both languages.

They are written to tests/e2e/screenshots to be looked at; what a program can judge is
that nothing is cut off at the side.
"""

from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser

PICTURES = Path(__file__).parent / "screenshots"
WIDE: ViewportSize = {"width": 1280, "height": 800}
MIDDLE: ViewportSize = {"width": 900, "height": 700}
NARROW: ViewportSize = {"width": 390, "height": 780}
TALK = {
    "zh-CN": ("您好，请问这款龙井还有货吗？", "有的，礼盒装现在八八折。"),
    "en": ("Hello! Is the green tea in stock?", "It is, and the gift box is 12% off."),
}


def picture(page: Page, name: str) -> None:
    fits = "document.documentElement.scrollWidth <= innerWidth"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(fits), name
        for frame in page.frames[1:]:
            assert frame.evaluate(fits), name
        page.screenshot(path=PICTURES / f"{name}-{scheme}.png", animations="disabled")


def all_in_view(page: Page, selector: str) -> None:
    """Nothing of these has left the screen."""
    for each in page.locator(selector).all():
        expect(each).to_be_in_viewport(ratio=0.99)


@pytest.mark.parametrize("locale", TALK)
def test_nothing_is_cut_off(world: World, browsers: Browsers, locale: str) -> None:
    question, answer = TALK[locale]
    tag = world.embed.replace("data-site", f'data-locale="{locale}" data-site')
    world.shop.pages["/"] = world.page(tag)
    context = browsers.context(locale=locale, viewport=WIDE)
    visitor = Visitor(world, context).open().live()
    visitor.write(question)
    world.add_agent("long", "Alexandra 小茶 Camellia-Sinensis")
    agent = AgentPerson(world, browsers.context(locale=locale, viewport=WIDE), "long")
    picture(agent.page, f"console-empty-wide-{locale}")
    all_in_view(agent.page, ".top-line > *, .rail a")
    agent.open_first()
    agent.sees(question)
    agent.write(answer)
    visitor.sees(answer)
    for size, name in ((WIDE, "wide"), (NARROW, "narrow")):
        for person, what in ((visitor, "widget"), (agent, "console")):
            person.page.set_viewport_size(size)
            picture(person.page, f"{what}-{name}-{locale}")
    agent.page.locator(".back").click()
    picture(agent.page, f"console-list-narrow-{locale}")
    all_in_view(agent.page, ".top-line > *, .rail a")
    world.network.cut()
    expect(agent.page.locator(".alarm")).to_be_visible()
    expect(visitor.view.locator(".bar")).to_be_visible()
    picture(agent.page, f"console-alarm-narrow-{locale}")
    picture(visitor.page, f"widget-lost-narrow-{locale}")


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
def test_the_choice_of_transports_fits(
    world: World, browsers: Browsers, locale: str
) -> None:
    page = browsers.context(locale=locale, viewport=WIDE).new_page()
    page.goto(world.url + "/console")
    page.get_by_role("radio").nth(2).check()
    page.evaluate("document.activeElement.blur()")
    for size, name in ((WIDE, "wide"), (NARROW, "narrow")):
        page.set_viewport_size(size)
        picture(page, f"login-{name}-{locale}")
    agent = AgentPerson(world, browsers.context(locale=locale, viewport=WIDE))
    agent.is_on("websocket")
    agent.page.locator(".live-light").click()
    for way, size, name in (
        ("websocket", WIDE, "wide"),
        ("longpoll", NARROW, "narrow"),
    ):
        agent.page.set_viewport_size(size)
        agent.page.locator(f".live-panel [value={way}]").check()
        agent.is_on(way)
        picture(agent.page, f"console-light-{name}-{locale}")
    agent.page.set_viewport_size(MIDDLE)
    picture(agent.page, f"console-light-middle-{locale}")
