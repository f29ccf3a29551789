"""Files from the widget to the console and back: pictures, cards, refusals, retries."""

import io
import os
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Route, expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser

PDF = b"%PDF-1.7 x"
SHOTS = os.environ.get("KEFU_SHOTS", "")


def _picture() -> bytes:
    out = io.BytesIO()
    image = Image.linear_gradient("L").resize((1200, 800))
    Image.merge("RGB", (image, image.rotate(180), image)).save(out, "JPEG")
    return out.getvalue()


def test_files_go_both_ways_once_and_failures_can_be_tried_again(
    world: World, visitor: Visitor, agent: AgentPerson
) -> None:
    visitor.write("The pot came broken.")
    agent.open_first("queue")
    view = visitor.view
    expect(view.get_by_role("button", name="Send a file")).to_be_visible()
    pick = view.locator("input[type=file]")
    pick.set_input_files(
        [
            {"name": "pot.jpg", "mimeType": "image/jpeg", "buffer": _picture()},
            {
                "name": "../\u202einvoice.pdf",
                "mimeType": "x/y",
                "buffer": b"%PDF-1.7 x",
            },
        ]
    )
    for side in (view, agent.page):
        image = side.get_by_role("img", name="pot.jpg")
        expect(image).to_be_visible()
        expect(image).to_have_js_property("naturalWidth", 640)
        expect(image).to_have_js_property("width", 240)
        expect(side.locator(".file-card")).to_contain_text("invoice.pdf")
    with agent.page.expect_download() as started:
        agent.page.locator(".file-card").click()
    assert started.value.suggested_filename == "invoice.pdf"
    assert Path(started.value.path()).read_bytes() == PDF

    # What is too large says so at once; a program is refused by the server.
    pick.set_input_files(
        [
            {"name": "film.mp4", "mimeType": "", "buffer": b"x" * 11_000_000},
            {"name": "a.exe", "mimeType": "", "buffer": b"MZ"},
        ]
    )
    expect(view.get_by_text("Too large: at most 10 MB")).to_be_visible()
    expect(view.get_by_text("This kind of file may not be sent")).to_be_visible()
    if SHOTS:
        visitor.page.screenshot(path=f"{SHOTS}/widget.png")
        agent.page.screenshot(path=f"{SHOTS}/console.png")
    for name in ("film.mp4", "a.exe"):
        view.get_by_role("button", name=f"Cancel: {name}").click()
    expect(view.locator(".tray")).to_be_hidden()

    # The answer to an upload is lost: trying again sends it once.
    lost = 0

    def lose(route: Route) -> None:
        nonlocal lost
        lost += 1
        if lost == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    visitor.page.route(re.compile("/api/conversations/"), lose)
    pick.set_input_files({"name": "once.txt", "mimeType": "", "buffer": b"only once"})
    expect(view.get_by_text("Not sent: the connection broke")).to_be_visible()
    view.get_by_role("button", name="Try again").click()
    expect(view.locator(".tray")).to_be_hidden()
    expect(view.locator(".file-name", has_text="once.txt")).to_have_count(1)
    expect(agent.page.locator(".file-name", has_text="once.txt")).to_have_count(1)

    # And back, by the console's own button.
    agent.page.locator("input[type=file]").first.set_input_files(
        {"name": "保修卡.txt", "mimeType": "", "buffer": b"two years"}
    )
    expect(view.locator(".file-name", has_text="保修卡.txt")).to_be_visible()


_BRING = """(element, [kind, name]) => {
  const brought = new DataTransfer();
  brought.items.add(new File([`This is ${name}.`], name));
  const how = { bubbles: true, cancelable: true };
  element.dispatchEvent(
    kind === "paste"
      ? new ClipboardEvent(kind, { ...how, clipboardData: brought })
      : new DragEvent(kind, { ...how, dataTransfer: brought }));
}"""


def _bring(target: Locator, kind: str, name: str) -> None:
    """Paste a file into something, drag it over it or drop it there."""
    target.evaluate(_BRING, [kind, name])


def _hold(_: Route) -> None:
    """Let a request go nowhere until it is taken back."""


def test_files_are_pasted_dropped_taken_back_and_found_in_the_history(
    world: World, visitor: Visitor, agent: AgentPerson
) -> None:
    visitor.write("Here is the invoice.")
    agent.open_first("queue")
    agent.write("Thank you.")
    visitor.sees("Thank you.")
    for side, zone, other in (
        (visitor, visitor.view.locator("body"), agent),
        (agent, agent.page.locator(".room-inside .log-frame"), visitor),
    ):
        here = side.view
        expect(here.get_by_role("button", name="Send a file")).to_be_visible()
        side.page.route(re.compile("name=wrong-"), _hold)
        who = type(side).__name__
        _bring(here.locator(".composer-input"), "paste", f"wrong-{who}.txt")
        _bring(here.locator(".composer-input"), "paste", f"pasted-{who}.txt")
        expect(here.locator(".parcel")).to_have_count(2)
        _bring(zone, "dragover", "")
        expect(here.locator("[data-drop='Drop to send']")).to_be_visible()
        _bring(zone, "drop", f"dropped-{who}.txt")
        expect(here.locator("[data-drop]")).to_have_count(0)
        expect(here.locator(".parcel")).to_have_count(3)
        # The first is on its way, the others wait for it; it is taken back.
        here.get_by_role("button", name=f"Cancel: wrong-{who}.txt").click()
        expect(here.locator(".tray")).to_be_hidden()
        for view in (here, other.view):
            cards = view.locator(".message .file-name", has_text=who)
            expect(cards).to_have_text([f"pasted-{who}.txt", f"dropped-{who}.txt"])

    agent.page.get_by_role("link", name="History").click()
    agent.page.locator(".row.found").first.click()
    card = agent.page.locator(".reader .file-card", has_text="pasted-Visitor.txt")
    with agent.page.expect_download() as started:
        card.click()
    assert started.value.suggested_filename == "pasted-Visitor.txt"
    saved = Path(started.value.path()).read_text()
    assert saved == "This is pasted-Visitor.txt."
    if SHOTS:
        agent.page.screenshot(path=f"{SHOTS}/history.png")


def test_a_first_file_takes_who_waits_and_texts_keep_their_place(
    world: World, visitor: Visitor, agent: AgentPerson
) -> None:
    visitor.write("How does it work?")
    agent.open_first("queue")
    held: list[Route] = []
    agent.page.route(re.compile("name=manual"), lambda route: held.append(route))
    _bring(agent.page.locator(".composer-input"), "paste", "manual.txt")
    expect(agent.page.get_by_text("You took this conversation")).to_be_visible()
    agent.write("As it says on page 2.")
    expect(agent.page.get_by_text("Your message follows the file")).to_be_visible()
    waits = agent.page.locator(".message", has_text="page 2")
    expect(waits).to_have_attribute("data-state", "sending")
    held[0].continue_()
    for view in (agent.page, visitor.view):
        expect(view.locator(".message .bubble")).to_contain_text(
            ["How does it work?", "manual.txt", "As it says on page 2."]
        )
    expect(agent.page.locator(".tray")).to_be_hidden()

    # What waits for a file that is taken back goes at once.
    visitor.page.route(re.compile("name=wrong"), _hold)
    _bring(visitor.view.locator(".composer-input"), "paste", "wrong.txt")
    visitor.write("Thank you!")
    expect(visitor.view.get_by_text("Your message follows the file")).to_be_visible()
    if SHOTS:
        visitor.page.screenshot(path=f"{SHOTS}/follows.png")
    visitor.view.get_by_role("button", name="Cancel: wrong.txt").click()
    agent.sees("Thank you!")
    expect(visitor.view.locator(".tray")).to_be_hidden()


def test_an_admin_says_which_files_a_site_takes(
    world: World, visitor: Visitor, browsers: Browsers
) -> None:
    world.add_agent("root", "管理", is_admin=True)
    admin = AgentPerson(world, browsers.context(), "root")
    admin.page.goto(f"{world.url}/console#/settings/files")
    card = admin.page.get_by_role("form").first
    card.get_by_label("Only these endings").fill(".PDF，txt png.")
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_text("Endings have up to 10")).to_be_visible()
    card.get_by_label("Only these endings").fill(".PDF，txt")
    card.get_by_label("Largest file of a visitor, in MB").fill("0.5")
    card.get_by_label("All files of one visitor in 24 hours").fill("0.1")
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_text("Saved", exact=True)).to_be_visible()
    expect(card.get_by_label("Only these endings")).to_have_value("pdf, txt")
    if SHOTS:
        admin.page.screenshot(path=f"{SHOTS}/settings.png")
    visitor.reload()
    visitor.view.locator("input[type=file]").set_input_files(
        [
            {"name": "a.doc", "mimeType": "", "buffer": b"a"},
            {"name": "b.pdf", "mimeType": "", "buffer": b"x" * 600_000},
            {"name": "c.pdf", "mimeType": "", "buffer": b"%PDF-1.7"},
        ]
    )
    expect(visitor.view.get_by_text("Too large: at most 512 KB")).to_be_visible()
    expect(
        visitor.view.get_by_text("This kind of file may not be sent")
    ).to_be_visible()
    expect(visitor.view.locator(".file-card")).to_contain_text("c.pdf")

    # Of this day nothing is left for a larger one; it says when there will be.
    visitor.view.locator("input[type=file]").set_input_files(
        {"name": "d.pdf", "mimeType": "", "buffer": b"%PDF-" + b"x" * 104_850}
    )
    expect(
        visitor.view.get_by_text(
            "The limit for files is reached; try again in 24 hours"
        )
    ).to_be_visible()
    if SHOTS:
        visitor.page.screenshot(path=f"{SHOTS}/limit.png")
