"""Nobody is there: a visitor leaves a message, and an agent answers it later."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.core.senders.mailboxes import Mailbox, mail_server
from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.test_accessible import SCHEMES, assert_everybody_can_use
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def leave(visitor: Visitor, body: str) -> None:
    """Fill in the form and send it."""
    view = visitor.view
    view.get_by_role("button", name="Leave a message").click()
    view.get_by_label("Name").fill("李雷")
    view.get_by_label("E-mail").fill("li@example.cn")
    view.get_by_label("Message", exact=True).fill(body)
    view.get_by_role("button", name="Send", exact=True).click()
    expect(view.get_by_text("Your message has arrived")).to_be_visible()


def left_messages(agent: AgentPerson) -> Locator:
    """Open the page of left messages; return its list."""
    agent.page.get_by_role("link", name="Offline").click()
    return agent.page.locator(".left")


def test_the_form_comes_when_nobody_is_there_and_goes_when_somebody_is(
    world: World, browsers: Browsers, visitor: Visitor
) -> None:
    status = visitor.view.locator(".head-status")
    expect(status).to_have_text("Nobody is here right now")
    visitor.view.get_by_role("button", name="Leave a message").click()
    visitor.view.get_by_label("Message", exact=True).fill("no way to answer")
    for scheme in SCHEMES:
        visitor.page.emulate_media(color_scheme=scheme)
        assert_everybody_can_use(visitor.view, scheme)
    visitor.view.get_by_role("button", name="Send", exact=True).click()
    expect(visitor.view.get_by_role("alert")).to_contain_text("one is needed")
    visitor.view.get_by_role("button", name="Back").click()
    AgentPerson(world, browsers.context())
    expect(visitor.view.locator(".head-status")).to_have_text("We answer here")
    button = visitor.view.get_by_role("button", name="Leave a message")
    expect(button).to_be_hidden()


def test_it_is_answered_in_the_conversation_which_the_visitor_sees(
    world: World, browsers: Browsers, visitor: Visitor
) -> None:
    leave(visitor, "你们几点上班？")
    visitor.view.get_by_role("button", name="Back").click()
    agent = AgentPerson(world, browsers.context())
    badge = agent.page.get_by_role("link", name="Offline").locator(".badge")
    expect(badge).to_have_text("1")
    card = left_messages(agent)
    expect(card).to_contain_text("你们几点上班？")
    expect(card).to_contain_text("li@example.cn")
    for scheme in SCHEMES:
        agent.page.emulate_media(color_scheme=scheme)
        assert_everybody_can_use(agent.page, scheme)
    # Without a mail server it is not offered, and says why.
    expect(card.get_by_role("button", name="Answer by mail")).to_be_disabled()
    expect(card).to_contain_text("No mail server is set up")
    card.get_by_role("button", name="Answer in the chat").click()
    agent.sees("你们几点上班？")
    agent.write("明天九点。")
    for person in (visitor, agent):
        person.sees("明天九点。")
        assert person.texts() == ["你们几点上班？", "明天九点。"]
    expect(badge).to_be_hidden()


@contextmanager
def post_office(box: Mailbox) -> Iterator[int]:
    """Serve a mailbox in a thread of its own; yields the port."""
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    port = 0

    async def serve() -> None:
        nonlocal port
        async with mail_server(box) as port:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def test_it_is_answered_by_mail_and_the_page_says_how_it_fares(
    tmp_path: Path, browsers: Browsers
) -> None:
    box = Mailbox("refuse")
    with post_office(box) as port:
        mail = f'[mail]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
        (tmp_path / "kefu.toml").write_text(mail + 'sender = "kefu@shop.example"\n')
        with World(tmp_path) as world:
            visitor = Visitor(world, browsers.context()).open().live()
            leave(visitor, "你们几点上班？")
            agent = AgentPerson(world, browsers.context())
            card = left_messages(agent)
            card.get_by_role("button", name="Answer by mail").click()
            card.get_by_label("Your answer").fill("明天九点。")
            card.get_by_role("button", name="Send", exact=True).click()
            agent.page.get_by_role("button", name="Handled").click()
            expect(card).to_contain_text("Mail to li@example.cn: not sent")
            expect(card).to_contain_text("there is no such mailbox")
            box.way = "take"
            card.get_by_role("button", name="Send again").click()
            expect(card).to_contain_text("Mail to li@example.cn: sent")
            (sent,) = box.taken
            assert sent["to"] == "li@example.cn"
            assert "明天九点。" in sent.get_content()
            card.get_by_role("button", name="Reopen").click()
            expect(card).to_have_count(0)
            agent.page.get_by_role("button", name="Open", exact=True).click()
            card.get_by_role("button", name="Mark as handled").click()
            expect(card).to_have_count(0)


def test_a_site_that_closes_its_chat_has_only_the_form(
    world: World, browsers: Browsers
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    context = browsers.context()
    page = AgentPerson(world, context, "chief").page
    page.goto(f"{world.url}/console#/settings/absence")
    page.get_by_label("Tell of left messages by mail").fill("nobody")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").last).to_contain_text("e-mail address")
    page.get_by_label("Tell of left messages by mail").fill("people@shop.example")
    page.get_by_label("Visitors may also write into the chat").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    page.close()
    shop = browsers.context().new_page()
    shop.goto(world.shop.url)
    shop.locator("#kefu-launcher button").click()
    chat = shop.frame_locator("#kefu-launcher iframe")
    expect(chat.get_by_label("Message", exact=True)).to_be_visible()
    expect(chat.locator(".composer")).to_be_hidden()
    chat.get_by_role("button", name="Back").click()
    expect(chat.get_by_role("button", name="Leave a message")).to_be_visible()
    expect(chat.locator(".composer")).to_be_hidden()
    AgentPerson(world, browsers.context(), "chief")
    expect(chat.locator(".composer")).to_be_visible()
