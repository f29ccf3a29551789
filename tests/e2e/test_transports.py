"""Networks in which WebSocket does not work: the same conversations over plain HTTP."""

from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Person, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser

Blocked = Literal["refuse", "swallow"]


@pytest.mark.parametrize("how", ["refuse", "swallow"])
def test_where_websocket_is_blocked_the_widget_falls_back_by_itself(
    world: World, browsers: Browsers, how: Blocked
) -> None:
    world.network.websockets = how
    visitor = Visitor(world, browsers.context()).open()
    visitor.write("q1", "q2")
    visitor.live().is_on("longpoll")
    agent = AgentPerson(world, browsers.context())
    agent.is_on("longpoll")
    agent.open_first("queue")
    agent.sees("q2")
    visitor.write("q3", "q4", "q5")
    agent.write("a1", "a2", "a3")
    for person in (visitor, agent):
        person.sees_all_stored(8)
    assert visitor.texts() == agent.texts()
    asked = world.network.upgrade_count
    visitor.reload()
    visitor.live().sees_all_stored(8)
    assert visitor.texts() == agent.texts()
    assert world.network.upgrade_count == asked, "what worked is remembered"


def test_a_conversation_goes_on_when_websocket_stops_working_in_its_middle(
    world: World, visitor: Visitor, agent: AgentPerson
) -> None:
    visitor.write("q1")
    agent.is_on("websocket")
    agent.open_first("queue")
    agent.sees("q1")
    world.network.websockets = "refuse"
    world.network.cut()
    visitor.write("q2", "q3")
    agent.write("a1", "a2")
    world.network.mend()
    for person in (visitor, agent):
        person.is_on("longpoll")
        person.sees_all_stored(5)
    _is_whole(visitor, agent, questions=3, answers=2)


def test_the_agent_may_choose_plain_http_and_work_with_it(
    world: World, browsers: Browsers, visitor: Visitor
) -> None:
    visitor.write("hello")
    context = browsers.context()
    agent = AgentPerson(world, context, transport="Plain HTTP")
    agent.is_on("longpoll")
    light = agent.page.locator(".live-light")
    expect(light).to_have_text("ReceivingPlain HTTP")
    agent.open_first("queue")
    agent.sees("hello", timeout_ms=1_000)
    visitor.view.locator(".composer-input").press_sequentially("one more")
    expect(agent.page.locator(".room-typing")).to_be_visible()
    agent.page.get_by_role("button", name="Take", exact=True).click()
    expect(agent.page.locator("#tab-mine .count")).to_have_text("1")
    agent.write("good day")
    visitor.sees("good day", timeout_ms=1_000)
    read = agent.page.locator('.message.mine[data-state="read"]')
    expect(read).to_have_count(1)
    agent.page.get_by_role("button", name="Close conversation").click()
    expect(visitor.view.locator(".system").last).to_contain_text("closed")
    agent.page.reload()
    agent.is_on("longpoll")


def test_the_light_says_and_changes_the_transport_by_keyboard_alone(
    world: World, visitor: Visitor, agent: AgentPerson
) -> None:
    visitor.write("q1")
    agent.open_first()
    agent.is_on("websocket")
    light = agent.page.get_by_role("button", name="Receiving WebSocket")
    light.focus()
    agent.page.keyboard.press("Enter")
    expect(light).to_have_attribute("aria-expanded", "true")
    chosen = agent.page.get_by_role("radio", name="Automatic")
    expect(chosen).to_be_checked()
    agent.page.keyboard.press("Tab")
    expect(chosen).to_be_focused()
    agent.page.keyboard.press("ArrowRight")
    agent.page.keyboard.press("ArrowRight")
    agent.is_on("longpoll")
    expect(agent.page.locator(".live-frame [role=status]").last).to_have_text(
        "Receiving · Plain HTTP"
    )
    agent.page.keyboard.press("Escape")
    expect(agent.page.locator(".live-panel")).to_be_hidden()
    expect(agent.page.locator(".live-light")).to_be_focused()
    agent.page.keyboard.press("Enter")
    panel = agent.page.locator(".live-panel")
    panel.locator(".live-now").click()
    expect(panel).to_be_visible()
    agent.page.locator(".room .log").click()
    expect(panel).to_be_hidden()
    agent.write("a1")
    visitor.sees("a1")
    agent.page.reload()
    agent.is_on("longpoll")


def test_on_long_poll_a_cut_network_costs_nothing(
    world: World, browsers: Browsers
) -> None:
    visitor, agent = _both_on_longpoll(world, browsers)
    visitor.write("q1")
    agent.open_first()
    agent.sees("q1")
    world.network.cut()
    visitor.write("q2", "q3")
    agent.write("a1")
    expect(agent.page.locator(".alarm")).to_be_visible()
    expect(visitor.view.locator(".bar")).to_be_visible()
    world.network.mend()
    for person in (visitor, agent):
        person.sees_all_stored(4)
    expect(agent.page.locator(".alarm")).to_be_hidden()
    expect(visitor.view.locator(".bar")).to_be_hidden()
    _is_whole(visitor, agent, questions=3, answers=1)


def test_on_long_poll_nothing_is_lost_when_the_server_is_killed(
    world: World, browsers: Browsers
) -> None:
    visitor, agent = _both_on_longpoll(world, browsers)
    visitor.write("q1", "q2")
    agent.open_first()
    agent.sees("q2")
    agent.write("a1")
    visitor.write("q3")
    world.kill()
    sent = [text for text, _, seq in visitor.shown() if seq]
    visitor.write("q4", "q5")
    agent.write("a2")
    world.start()
    for person in (visitor, agent):
        person.sees_all_stored(7)
    assert set(sent) <= set(visitor.texts())
    _is_whole(visitor, agent, questions=5, answers=2)
    visitor.reload()
    visitor.sees_all_stored(7)
    _is_whole(visitor, agent, questions=5, answers=2)


def test_back_up_to_websocket_when_it_works_again(
    world: World, browsers: Browsers
) -> None:
    context = browsers.context()
    context.clock.install()
    world.network.websockets = "refuse"
    visitor = Visitor(world, context).open()
    visitor.write("q1")
    visitor.live().is_on("longpoll")
    asked = world.network.upgrade_count
    context.clock.fast_forward(61_000)
    world.network.wait_for_upgrade(asked)
    visitor.write("q2")
    visitor.sees_all_stored(2)
    visitor.is_on("longpoll")
    world.network.websockets = "pass"
    context.clock.fast_forward(121_000)
    visitor.is_on("websocket")
    visitor.write("q3")
    visitor.sees_all_stored(3)
    assert visitor.texts() == ["q1", "q2", "q3"]


def test_a_page_that_is_left_ends_its_poll_session(
    world: World, browsers: Browsers
) -> None:
    visitor, _ = _both_on_longpoll(world, browsers)
    visitor.page.goto("about:blank")
    world.network.wait_until_said(b'"frames":[{"t":"bye"}]')


def test_a_hidden_page_holds_no_poll_and_is_up_to_date_when_it_is_shown(
    world: World, browsers: Browsers
) -> None:
    visitor, agent = _both_on_longpoll(world, browsers)
    visitor.write("q1")
    agent.open_first()
    agent.sees("q1")
    looked_in = world.network.said(b'"wait":0}')
    _turn(visitor, "hidden")
    world.network.wait_until_said(b'"wait":0}', more_than=looked_in)
    agent.write("a1")
    agent.sees_all_stored(2)
    visitor.write("q2")
    visitor.sees("q2")
    _turn(visitor, "visible")
    for person in (visitor, agent):
        person.sees_all_stored(3)
    assert visitor.texts() == agent.texts() == ["q1", "a1", "q2"]


def _turn(person: Person, state: str) -> None:
    """Hide or show a page, as far as it can tell."""
    person.view.evaluate(
        """state => {
          Object.defineProperty(
            document, "visibilityState", { value: state, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        state,
    )


def _both_on_longpoll(world: World, browsers: Browsers) -> tuple[Visitor, AgentPerson]:
    world.network.websockets = "refuse"
    visitor = Visitor(world, browsers.context()).open().live()
    agent = AgentPerson(world, browsers.context(), transport="Plain HTTP")
    for person in (visitor, agent):
        person.is_on("longpoll")
    return visitor, agent


def _is_whole(visitor: Person, agent: Person, *, questions: int, answers: int) -> None:
    texts = visitor.texts()
    assert texts == agent.texts()
    for letter, count in (("q", questions), ("a", answers)):
        own = [text for text in texts if text[0] == letter]
        assert own == [f"{letter}{n}" for n in range(1, count + 1)]
