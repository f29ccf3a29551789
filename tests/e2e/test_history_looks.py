"""The history page to be looked at, and what a program can judge of how it is shown.

Pictures are written to tests/e2e/screenshots. Names of controls and the contrast of
text are judged here: WCAG 2.2, 4.1.2 and 1.4.3.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.past import store_past, usual
from tests.e2e.people import Browsers
from tests.e2e.test_history import Archivist
from tests.e2e.test_looks import MIDDLE, NARROW, WIDE, picture
from tests.e2e.world import World

pytestmark = pytest.mark.browser

JUDGES = (Path(__file__).parent / "judges.js").read_text("utf-8")


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("past")) as world:
        store_past(world, usual)
        yield world


def _wrong(page: Page, *judges: str) -> list[str]:
    found: list[str] = []
    for judge in judges:
        found += page.evaluate(f"() => {{ {JUDGES}; return {judge}(); }}")
    return found


def _judged(page: Page, name: str) -> None:
    """Take pictures, light and dark, and judge each."""
    # Nothing of the pointer's colours.
    page.mouse.move(0, 0)
    picture(page, name)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert _wrong(page, "faint") == [], (name, scheme)
    assert _wrong(page, "nameless", "doubled", "outside") == [], name


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
def test_the_history_can_be_looked_at_and_read(
    past: World, browsers: Browsers, locale: str
) -> None:
    archivist = Archivist(past, browsers.context(locale=locale, viewport=WIDE))
    page = archivist.page
    page.goto(past.url + "/console#/history")
    expect(archivist.rows.first).to_be_visible()
    _judged(page, f"history-wide-{locale}")
    page.locator("[aria-controls=filters]").click()
    page.locator("select[name=label]").select_option("物流")
    expect(archivist.rows).to_have_count(1)
    archivist.open("林晓")
    _judged(page, f"history-filtered-wide-{locale}")
    page.locator(".seek-clear button").click()
    page.locator("[aria-controls=filters]").click()
    page.locator(".seek-text").fill("发货")
    page.keyboard.press("Enter")
    expect(archivist.rows).to_have_count(3)
    archivist.rows.last.click()
    expect(page.locator(".reader .found mark")).to_be_visible()
    expect(page.locator(".hits")).to_be_visible()
    for size, name in ((WIDE, "wide"), (MIDDLE, "middle"), (NARROW, "narrow")):
        page.set_viewport_size(size)
        _judged(page, f"history-hit-{name}-{locale}")
    for menu in ("labels-reader", "export-one"):
        page.locator(f"[aria-controls={menu}]").click()
        _judged(page, f"history-{menu}-narrow-{locale}")
        page.keyboard.press("Escape")
    page.locator(".reader .back").click()
    _judged(page, f"history-list-narrow-{locale}")
    page.locator("[aria-controls=export-all]").click()
    _judged(page, f"history-export-narrow-{locale}")
    page.keyboard.press("Escape")
    page.locator(".seek-text").fill("没有这样的话")
    page.keyboard.press("Enter")
    expect(page.locator(".rows-empty")).to_be_visible()
    _judged(page, f"history-empty-narrow-{locale}")
    page.locator(".seek-text").fill("货")
    page.keyboard.press("Enter")
    expect(page.locator(".found-end .fault")).to_be_visible()
    _judged(page, f"history-refused-narrow-{locale}")


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
def test_the_chat_with_labels_can_be_looked_at(
    past: World, browsers: Browsers, locale: str
) -> None:
    archivist = Archivist(past, browsers.context(locale=locale, viewport=WIDE))
    page = archivist.page
    page.locator("#tab-all").click()
    page.locator(".row", has_text="林晓").click()
    expect(page.locator(".info-labels .chip")).to_be_visible()
    page.locator("[aria-controls=labels-room]").click()
    picture(page, f"console-labels-wide-{locale}")
    page.set_viewport_size(NARROW)
    picture(page, f"console-labels-narrow-{locale}")
    assert _wrong(page, "nameless", "doubled", "outside") == []
