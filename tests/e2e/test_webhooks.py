"""An admin makes a webhook, sees what it was told, and what became of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.test_accessible import SCHEMES, assert_everybody_can_use
from tests.e2e.world import World

pytestmark = pytest.mark.browser


@contextmanager
def receiver(answers: list[int], told: list[str]) -> Iterator[str]:
    """Serve a webhook's other end, which answers these and then 200; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            told.append(self.headers["kefu-event"])
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook"
    finally:
        server.shutdown()
        server.server_close()


def test_a_webhook_is_made_tried_told_and_deleted(
    tmp_path: Path, browsers: Browsers
) -> None:
    (tmp_path / "kefu.toml").write_text('[webhooks]\nallow = ["127.0.0.0/8"]\n')
    told: list[str] = []
    with receiver([500], told) as url, World(tmp_path) as world:
        world.add_agent("chief", "掌柜", is_admin=True)
        page = AgentPerson(world, browsers.context(), "chief").page
        page.goto(f"{world.url}/console#/settings/webhooks")
        page.get_by_role("button", name="Add a webhook").click()
        page.get_by_label("URL").fill(url)
        page.get_by_label("conversation.opened").check()
        page.get_by_role("button", name="Save").click()
        card = page.locator(".hook")
        expect(card).to_contain_text("conversation.opened, message.created")
        card.get_by_role("button", name="Show the secret").click()
        expect(card.locator("code")).to_contain_text("whsec_")
        card.get_by_role("button", name="Send a test").click()
        expect(card.locator("tbody tr")).to_contain_text("It answered 500.")
        card.get_by_text("Show what was sent").click()
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            assert_everybody_can_use(page, scheme)
        card.get_by_role("button", name="Send again").click()
        expect(card.locator("tbody tr")).to_contain_text("taken")
        visitor = Visitor(world, browsers.context()).open().live()
        visitor.write("Is the green tea in stock?")
        visitor.sees_all_stored(1)
        # A list that is opened before there is anything new does not look again.
        for _ in range(200):
            if len(set(told)) == 3:
                break
            page.wait_for_timeout(100)
        card.get_by_role("button", name="Hide deliveries").click()
        card.get_by_role("button", name="Deliveries").click()
        rows = card.locator("tbody tr")
        expect(rows).to_have_count(3)
        # Both came into being with the message, and are sent one after the other.
        expect(rows.filter(has_text="taken")).to_have_count(3)
        assert {"message.created", "conversation.opened", "ping"} == set(told)
        card.get_by_role("button", name="Delete").click()
        card.get_by_role("button", name="Delete it with its deliveries").click()
        expect(page.get_by_text("There are no webhooks yet.")).to_be_visible()
