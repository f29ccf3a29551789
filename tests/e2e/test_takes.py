"""Two agents who want the same waiting visitor."""

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def deaf_to_changes(route: WebSocketRoute) -> None:
    """Keep the list's changes from a console: it still shows what was."""
    server = route.connect_to_server()

    def pass_on(text: str | bytes) -> None:
        lines = str(text).split("\n")
        kept = [line for line in lines if '"t":"event"' not in line]
        if kept:
            route.send("\n".join(kept))

    server.on_message(pass_on)


@pytest.fixture
def late(world: World, visitor: Visitor, browsers: Browsers) -> AgentPerson:
    """An agent whose list still says that the visitor waits."""
    visitor.write("Is anybody there?")
    visitor.sees_all_stored(1)
    world.add_agent("bo", "小博")
    context = browsers.context()
    context.route_web_socket("**/kefu/ws", deaf_to_changes)
    late = AgentPerson(world, context, login="bo")
    late.open_first("queue")
    late.sees("Is anybody there?")
    return late


def test_a_reply_that_comes_second_is_given_back_and_says_who_was_first(
    visitor: Visitor, agent: AgentPerson, late: AgentPerson
) -> None:
    agent.open_first("queue")
    agent.write("I am here.")
    visitor.sees("I am here.")
    late.write("Me too.")
    notice = late.page.locator(".room-notice")
    expect(notice).to_have_text("小茶 took this conversation")
    expect(notice).to_have_attribute("role", "status")
    expect(late.page.locator(".composer-input")).to_have_value("Me too.")
    late.page.get_by_role("button", name="中文").click()
    expect(notice).to_have_text("已由小茶接待")
    expect(late.page.locator(".composer-input")).to_have_value("Me too.")
    assert visitor.texts() == ["Is anybody there?", "I am here."]


def test_whoever_sees_that_another_was_first_is_told_by_name(
    visitor: Visitor, agent: AgentPerson, world: World, browsers: Browsers
) -> None:
    visitor.write("Is anybody there?")
    world.add_agent("bo", "小博")
    other = AgentPerson(world, browsers.context(), login="bo")
    for person in (agent, other):
        person.open_first("queue")
    agent.write("I am here.")
    other.sees("I am here.")
    other.page.get_by_role("button", name="Take", exact=True).click()
    notice = other.page.locator(".room-notice")
    expect(notice).to_have_text("小茶 took this conversation")
    other.write("So am I.")
    visitor.sees("So am I.")
    expect(notice).to_be_empty()


def test_replies_written_in_a_row_take_the_conversation_and_stay_in_order(
    visitor: Visitor, agent: AgentPerson
) -> None:
    visitor.write("hello")
    agent.open_first("queue")
    agent.write("one", "two", "three")
    visitor.sees_all_stored(4)
    assert visitor.texts() == ["hello", "one", "two", "three"]
    expect(agent.page.locator("#tab-mine .count")).to_have_text("1")
    expect(agent.page.locator("#tab-mine")).to_have_attribute("aria-selected", "true")
