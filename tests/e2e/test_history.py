"""An agent looks back: filters, searches, reads, exports, labels."""

import csv
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from tests.e2e.past import (
    ASKED,
    DAY_MS,
    DAYS,
    MESSAGES,
    SENT,
    day_of,
    hostile,
    store_past,
    usual,
)
from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.test_pages import HOSTILE
from tests.e2e.world import World

pytestmark = pytest.mark.browser


class Archivist(AgentPerson):
    """An agent on the history page."""

    def enter(self) -> "Archivist":
        """Go there by the link in the header."""
        self.page.get_by_role("link", name="History").click()
        expect(self.rows.first).to_be_visible()
        return self

    @property
    def rows(self) -> Locator:
        return self.page.locator(".row.found")

    def names(self) -> list[str]:
        return self.page.locator(".row.found .row-name").all_text_contents()

    def search(self, text: str) -> None:
        field = self.page.get_by_role("searchbox", name="Search all messages")
        field.fill(text)
        field.press("Enter")

    def narrow(self, **filters: str) -> None:
        """Set fields of the filters by their names."""
        if not self.page.locator("#filters").is_visible():
            self.page.get_by_role("button", name="Filters").click()
        for name, value in filters.items():
            field = self.page.get_by_label(name.capitalize(), exact=True)
            if name in ("from", "to"):
                field.fill(value)
            else:
                field.select_option(label=value)

    def open(self, text: str) -> None:
        """Open the first result with this text."""
        self.rows.filter(has_text=text).first.click()
        expect(self.page.locator(".reader .message").first).to_be_visible()

    def seqs(self) -> list[int]:
        """Return the seqs of everything the reader shows, from top to bottom."""
        found: Any = self.page.evaluate(
            "[...document.querySelectorAll('.reader [data-seq]')]"
            ".map((e) => Number(e.dataset.seq))"
        )
        return list(found)


def in_view(page: Page, seq: int) -> bool:
    """Whether a message stands inside the reader's window."""
    return bool(
        page.evaluate(
            """(seq) => {
              const box = (name) =>
                document.querySelector(`.reader ${name}`).getBoundingClientRect();
              const log = box('.log'), at = box(`[data-seq="${seq}"]`);
              return at.top >= log.top - 1 && at.bottom <= log.bottom + 1;
            }""",
            seq,
        )
    )


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One history for all tests that leave it as it is."""
    with World(tmp_path_factory.mktemp("past")) as world:
        store_past(world, usual)
        yield world


@pytest.fixture
def archivist(past: World, browsers: Browsers) -> Archivist:
    # A test that failed may have left it cut.
    past.network.mend()
    return Archivist(past, browsers.context()).enter()


def test_an_agent_filters_searches_and_sees_the_hit_marked_in_its_place(
    archivist: Archivist,
) -> None:
    page = archivist.page
    archivist.search("发货")
    expect(archivist.rows).to_have_count(3)
    assert page.locator(".row.found mark").all_text_contents() == ["发货"] * 3
    archivist.narrow(status="Closed", label="物流")
    expect(archivist.rows).to_have_count(2)
    archivist.open("什么时候")
    found = page.locator(f'.reader .message.found[data-seq="{ASKED}"]')
    expect(found.locator("mark")).to_have_text("发货")
    assert in_view(page, ASKED)
    expect(page.locator(".hits-text")).to_have_text("1 of 2")
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator(f'.reader .found[data-seq="{SENT}"]')).to_be_visible()
    assert in_view(page, SENT)
    expect(page.locator(".hits-text")).to_have_text("2 of 2")
    page.get_by_role("button", name="Previous hit").click()
    expect(found).to_be_visible()
    assert page.evaluate("scrollY") == 0
    assert page.locator("#app").evaluate("(e) => e.parentElement.scrollTop") == 0


def test_the_reader_brings_the_whole_log_without_a_hole(archivist: Archivist) -> None:
    page = archivist.page
    archivist.search("今天已经发货")
    archivist.open("今天")
    log = page.locator(".reader .log")
    expect(page.locator(f'.reader .found[data-seq="{SENT}"]')).to_be_visible()
    assert 1 not in archivist.seqs()
    for end, missing in (("0", 1), ("1e9", MESSAGES)):
        while missing not in archivist.seqs():
            before = len(archivist.seqs())
            log.evaluate(f"(log) => {{ log.scrollTop = {end} }}")
            page.wait_for_function(
                "(n) => document.querySelectorAll('.reader [data-seq]').length > n",
                arg=before,
            )
    assert archivist.seqs() == list(range(1, MESSAGES + 1))
    assert page.locator(".reader .day").count() == DAYS
    expect(page.locator(".reader .system").last).to_contain_text("closed")
    labels = page.locator(".reader .system").filter(has_text="物流")
    expect(labels).to_have_count(1)


def test_what_is_read_stays_where_it_is_while_older_ones_come(
    archivist: Archivist,
) -> None:
    page = archivist.page
    archivist.search("今天已经发货")
    archivist.open("今天")
    page.wait_for_function(
        "() => document.querySelector('.reader .log').scrollTop > 300"
    )
    place = """(seq) => document.querySelector(`.reader [data-seq="${seq}"]`)
      .getBoundingClientRect().top"""
    first = archivist.seqs()[0]
    assert first > 1
    before = page.evaluate(
        f"""(seq) => {{
          document.querySelector('.reader .log').scrollTop = 5;
          return ({place})(seq);
        }}""",
        first,
    )
    page.wait_for_function("() => document.querySelector('.reader [data-seq=\"1\"]')")
    assert abs(page.evaluate(place, first) - before) < 2


def test_one_jumps_to_a_day(archivist: Archivist) -> None:
    page = archivist.page
    archivist.search("今天已经发货")
    archivist.open("今天")
    expect(page.locator(".reader .message").first).to_be_visible()
    days: Any = page.evaluate(
        "fetch(`/api/history/conversations/${location.hash.match(/c=(\\d+)/)[1]}"
        "/messages?after=0&limit=100`).then((r) => r.json())"
        ".then((a) => a.messages.map((m) => [m.seq, m.at]))"
    )
    target = day_of(days[0][1] + 2 * DAY_MS)
    first = next(seq for seq, at in days if day_of(at) >= target)
    page.get_by_label("Jump to a day").fill(target)
    page.wait_for_function(
        '(seq) => document.querySelector(`.reader [data-seq="${seq}"]`)', arg=first
    )
    expect(page.locator(f'.reader [data-seq="{first}"]')).to_be_in_viewport()
    top = page.evaluate(
        '(seq) => document.querySelector(`.reader [data-seq="${seq}"]`)'
        ".getBoundingClientRect().top - document.querySelector('.reader .log')"
        ".getBoundingClientRect().top",
        first,
    )
    assert 0 <= top < 120, "the day begins at the top"
    page.get_by_label("Jump to a day").fill("2099-01-01")
    page.wait_for_function(
        '(seq) => document.querySelector(`.reader [data-seq="${seq}"]`)',
        arg=MESSAGES,
    )


def test_the_list_goes_on_while_one_scrolls(archivist: Archivist) -> None:
    page = archivist.page
    body = page.locator(".list-body")
    while page.locator(".found-last").count() == 0:
        body.evaluate("(list) => { list.scrollTop = list.scrollHeight }")
        page.wait_for_timeout(50)
    names = archivist.names()
    assert len(names) == len(set(names)) == 43
    assert names[:2] == [names[0], "Emma"]
    assert re.fullmatch(r"Visitor \d{4}", names[0])
    assert names[-1] == "Guest 0"


def test_days_narrow_and_the_filters_are_counted_and_cleared(
    archivist: Archivist,
) -> None:
    page = archivist.page
    start = day_of(int(time.time() * 1000) - 30 * DAY_MS)
    archivist.narrow(**{"from": start, "to": start})
    expect(archivist.rows).to_have_count(2)
    assert set(archivist.names()) == {"Guest 0", "Guest 1"}
    expect(page.locator(".opens .count")).to_have_text("2")
    archivist.narrow(agent="小茶")
    expect(page.locator(".rows-empty")).to_be_visible()
    page.get_by_role("button", name="Show all conversations").click()
    expect(archivist.rows.nth(5)).to_be_visible()
    archivist.narrow(agent="小茶")
    expect(archivist.rows).to_have_count(1)
    assert archivist.names() == ["Emma"]


def test_the_best_match_and_the_conversations_can_be_asked_for(
    archivist: Archivist,
) -> None:
    page = archivist.page
    archivist.search("发货")
    expect(archivist.rows).to_have_count(3)
    page.get_by_role("radio", name="By conversation").check()
    expect(archivist.rows).to_have_count(2)
    page.get_by_role("radio", name="Best match").check()
    expect(archivist.rows).to_have_count(3)
    assert "order=relevance" in page.url
    # Of this order there is one page only.
    expect(page.locator(".found-last")).to_be_visible()


def _download(page: Page, act: Callable[[], None], folder: Path) -> Path:
    with page.expect_download() as started:
        act()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def test_the_filtered_conversations_are_exported_as_a_table(
    archivist: Archivist, tmp_path: Path
) -> None:
    page = archivist.page
    archivist.narrow(label="物流")
    expect(archivist.rows).to_have_count(1)
    page.get_by_role("button", name="Export these conversations").click()
    link = page.get_by_role("link", name="Table (CSV)")
    path = _download(page, link.click, tmp_path)
    assert re.fullmatch(r"kefu-conversations-[\w-]*\.csv", path.name)
    head, *rows = csv.reader(path.read_text("utf-8-sig").splitlines())
    assert len(rows) == MESSAGES
    said = [row for row in rows if any("什么时候发货" in cell for cell in row)]
    assert len(said) == 1
    assert len(said[0]) == len(head)
    assert "林晓" in said[0]


def test_one_conversation_is_exported_as_a_page(
    archivist: Archivist, tmp_path: Path
) -> None:
    page = archivist.page
    archivist.open("Where is my refund?")
    page.get_by_role("button", name="Export this conversation").click()
    link = page.get_by_role("link", name="Page to read or print (HTML)")
    text = _download(page, link.click, tmp_path).read_text("utf-8")
    assert "Where is my refund?" in text
    assert "hello number" not in text
    expect(page.locator("#export-one")).to_be_hidden()


def test_labels_are_given_taken_and_found(archivist: Archivist) -> None:
    page = archivist.page
    archivist.open("Where is my refund?")
    page.get_by_role("button", name="Labels").click()
    field = page.get_by_label("Add a label…")
    for label in ("退款", "<b>urgent</b>"):
        field.fill(label)
        field.press("Enter")
        expect(page.locator(".reader-head .room-sub .chip").last).to_have_text(label)
    page.get_by_role("button", name="Remove 退款").click()
    expect(page.locator(".reader-head .room-sub .chip")).to_have_text(["<b>urgent</b>"])
    page.keyboard.press("Escape")
    expect(page.locator("#labels-reader")).to_be_hidden()
    expect(page.locator(".reader .system").last).to_contain_text("<b>urgent</b>")
    archivist.narrow(label="<b>urgent</b>")
    expect(archivist.rows).to_have_count(1)
    assert archivist.names() == ["Emma"]
    # In the chat the same conversation has them too.
    archivist.open("Where is my refund?")
    page.get_by_role("button", name="Open in the chat").click()
    expect(page.locator(".room-head h2")).to_have_text("Emma")
    expect(page.locator(".info-labels .chip")).to_have_text(["<b>urgent</b>"])
    page.get_by_role("button", name="Labels").click()
    page.get_by_role("button", name="Remove <b>urgent</b>").click()
    expect(page.locator(".info-labels")).to_have_count(0)


def test_a_label_stays_though_the_log_was_read_before_it(archivist: Archivist) -> None:
    page = archivist.page
    archivist.open("Where is my refund?")
    chips = page.locator(".reader-head .room-sub .chip")
    late: list[tuple[Route, Any]] = []

    def hold(route: Route) -> None:
        """Let the server answer now, and the page hear it later."""
        late.append((route, route.fetch()))

    asks = re.compile(r"/messages\?.*after=")
    page.route(asks, hold, times=1)
    page.get_by_role("button", name="Labels").click()
    field = page.get_by_label("Add a label…")
    for label in ("first", "second"):
        field.fill(label)
        field.press("Enter")
        expect(chips.last).to_have_text(label)
        while not late:
            page.wait_for_timeout(20)
    ((route, answer),) = late
    with page.expect_response(asks):
        route.fulfill(response=answer)
    expect(page.locator(".reader .system").last).to_contain_text("second")
    expect(chips).to_have_text(["first", "second"])
    for label in ("first", "second"):
        page.get_by_role("button", name=f"Remove {label}").click()
    expect(chips).to_have_count(0)


def test_reload_back_and_forward_keep_the_place(archivist: Archivist) -> None:
    page = archivist.page
    archivist.search("发货")
    expect(archivist.rows).to_have_count(3)
    archivist.open("什么时候")
    found = page.locator(f'.reader .found[data-seq="{ASKED}"]')
    expect(found).to_be_visible()
    page.reload()
    expect(found).to_be_visible()
    expect(archivist.rows).to_have_count(3)
    page.go_back()
    expect(page.locator(".reader .nothing")).to_be_visible()
    expect(archivist.rows).to_have_count(3)
    page.go_back()
    expect(archivist.rows.nth(5)).to_be_visible()
    page.go_back()
    expect(page.locator(".tabs")).to_be_visible()
    for _ in range(3):
        page.go_forward()
    expect(found).to_be_visible()


def test_the_page_is_usable_by_keyboard_alone(archivist: Archivist) -> None:
    page, keyboard = archivist.page, archivist.page.keyboard
    page.get_by_role("searchbox").focus()
    keyboard.type("发货")
    keyboard.press("Enter")
    expect(archivist.rows).to_have_count(3)
    keyboard.press("Alt+j")
    expect(page.locator(".reader .found")).to_be_visible()
    expect(page.locator(".reader .log")).to_be_focused()
    keyboard.press("Alt+j")
    expect(page.locator(f'.reader .found[data-seq="{SENT}"]')).to_be_visible()
    keyboard.press("Escape")
    expect(page.locator(".reader .nothing")).to_be_visible()
    expect(archivist.rows.nth(1)).to_be_focused()
    keyboard.press("Enter")
    expect(page.locator(f'.reader .found[data-seq="{SENT}"]')).to_be_visible()
    page.get_by_role("button", name="Export this conversation").focus()
    keyboard.press("Enter")
    expect(page.locator("#export-one")).to_be_visible()
    keyboard.press("Tab")
    expect(page.locator("#export-one a").first).to_be_focused()
    keyboard.press("Escape")
    expect(page.locator("#export-one")).to_be_hidden()
    expect(page.locator(".reader .message").first).to_be_visible()
    assert "c=" in page.url, "Escape closed the menu, not the conversation"


def test_on_a_phone_the_list_and_the_reader_are_two_steps(
    past: World, browsers: Browsers
) -> None:
    context = browsers.context(viewport={"width": 390, "height": 780})
    archivist = Archivist(past, context).enter()
    page = archivist.page
    archivist.open("Where is my refund?")
    expect(page.locator(".side")).to_be_hidden()
    page.get_by_role("button", name="Back to the list").click()
    expect(page.locator(".reader")).to_be_hidden()
    expect(archivist.rows.filter(has_text="refund")).to_be_focused()
    page.go_forward()
    expect(page.locator(".reader")).to_be_visible()
    page.go_back()
    expect(archivist.rows.first).to_be_visible()


def test_hostile_text_is_only_text(world: World, browsers: Browsers) -> None:
    store_past(world, hostile(HOSTILE))
    archivist = Archivist(world, browsers.context()).enter()
    page = archivist.page
    expect(archivist.rows).to_have_count(len(HOSTILE))
    assert set(archivist.names()) == set(HOSTILE)
    archivist.narrow()
    for name in ("Site", "Agent", "Label"):
        options = page.get_by_label(name, exact=True).locator("option")
        told = set(options.all_text_contents())
        shown = {HOSTILE[0]} if name == "Agent" else {text[:40] for text in HOSTILE}
        assert shown <= {text[:40] for text in told}, name
    for text in ("needle", HOSTILE[0], "<b>", "onerror", "constructor"):
        archivist.search(text)
        page.wait_for_selector(".found-last, .found-end .plain, .found-end .fault")
    archivist.search("needle")
    # Until the answer is there, what was found before is shown, with other marks.
    expect(archivist.rows.first.locator("mark").first).to_have_text("needle")
    count = archivist.rows.count()
    for number in range(count):
        archivist.rows.nth(number).click()
        expect(page.locator(".reader .found mark").first).to_have_text("needle")
        page.get_by_role("button", name="Labels").click()
        page.keyboard.press("Escape")
    assert page.evaluate("window.__pwned") is None
    assert (
        page.evaluate("document.querySelectorAll('#app script, #app iframe').length")
        == 0
    )
    assert page.evaluate("document.querySelectorAll('#app img').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_comes_meanwhile_is_counted_and_not_taken_as_read(
    world: World, browsers: Browsers
) -> None:
    visitor = Visitor(world, browsers.context()).open().live()
    visitor.write("before")
    archivist = Archivist(world, browsers.context())
    archivist.page.locator("#tab-queue").click()
    archivist.page.locator(".row", has_text="before").click()
    archivist.write("an answer")
    visitor.sees("an answer")
    archivist.enter()
    visitor.write("in the meantime")
    pages = archivist.page.get_by_role("navigation", name="Pages")
    expect(pages.locator(".badge:visible")).to_have_count(1)
    expect(archivist.page).to_have_title(re.compile(r"^\(\d+\) History"))
    expect(visitor.view.locator('.message[data-state="delivered"]')).to_have_count(1)
    pages.get_by_role("link", name="Chats").click()
    archivist.sees("in the meantime")
    expect(visitor.view.locator('.message[data-state="read"]')).to_have_count(2)


def test_what_goes_wrong_is_said_and_tried_again(
    archivist: Archivist, past: World
) -> None:
    page = archivist.page
    archivist.search("货")
    expect(page.locator(".found-end .fault")).to_contain_text("two Chinese characters")
    past.network.cut()
    archivist.search("发货")
    expect(page.locator(".found-end .fault")).to_contain_text("cannot be reached")
    past.network.mend()
    page.locator(".found-end").get_by_role("button", name="Try again").click()
    expect(archivist.rows).to_have_count(3)
    page.goto(re.sub(r"#.*", "#/history?c=12345", page.url))
    expect(page.locator(".reader-fault")).to_contain_text("no such conversation")
    # The address holds no words now, so that the list is asked for anew.
    expect(archivist.rows).not_to_have_count(3)
    expect(archivist.rows.first).to_be_visible()
    past.network.cut()
    archivist.rows.first.click()
    expect(page.locator(".reader-fault")).to_contain_text("cannot be reached")
    past.network.mend()
    page.locator(".reader-fault").get_by_role("button", name="Try again").click()
    expect(page.locator(".reader .message").first).to_be_visible()


def test_a_search_that_took_too_long_and_an_index_that_is_behind_are_told(
    archivist: Archivist,
) -> None:
    page = archivist.page

    def answer(route: Route, request: Request) -> None:
        response = route.fetch()
        told = response.json()
        told["is_complete"] = "cursor=" in request.url
        told["behind"] = {"messages": 345, "oldest_at": 1}
        told["next"] = None if told["is_complete"] else "1"
        route.fulfill(response=response, json=told)

    page.route("**/api/history/search*", answer)
    archivist.search("发货")
    slow = page.locator(".found-slow")
    expect(slow).to_contain_text("Narrow it")
    expect(page.locator(".found-note")).to_contain_text("345")
    page.get_by_role("button", name="Show what else there is").click()
    expect(slow).to_have_count(0)
    page.unroute_all(behavior="wait")


def test_whoever_is_logged_out_is_asked_who_they_are(archivist: Archivist) -> None:
    page = archivist.page
    page.context.clear_cookies()
    archivist.search("发货")
    expect(page.locator("input[name=password]")).to_be_visible()
