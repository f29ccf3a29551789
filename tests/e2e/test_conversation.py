"""A visitor and an agent talk, through faults of network, page and server."""

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def test_a_question_is_seen_at_once_and_answered(
    visitor: Visitor, agent: AgentPerson
) -> None:
    visitor.write("Is the green tea in stock?")
    expect(agent.page.locator("#tab-queue .count")).to_have_text("1")
    expect(agent.page).to_have_title("(1) Agent console · kefu")
    agent.open_first("queue")
    expect(agent.page).to_have_title("Agent console · kefu")
    agent.sees("Is the green tea in stock?")
    visitor.write("Two boxes of it?")
    agent.sees("Two boxes of it?")
    agent.write("Yes, it is.\nHow many boxes?")
    visitor.sees("How many boxes?")
    read = visitor.view.locator('.message.mine[data-state="read"]')
    expect(read).to_have_count(2)
    expect(agent.page.locator('.message.mine[data-state="read"]')).to_have_count(1)
    expect(agent.page.locator("#tab-mine .count")).to_have_text("1")
    assert visitor.texts() == agent.texts()


def test_a_reload_of_both_sides_shows_the_whole_conversation(
    visitor: Visitor, agent: AgentPerson
) -> None:
    visitor.write("one", "two")
    agent.open_first()
    agent.sees("two")
    agent.write("three")
    visitor.sees("three")
    visitor.reload()
    agent.page.reload()
    agent.live()
    agent.open_first()
    for person in (visitor, agent):
        person.sees_all_stored(3)
        assert person.texts() == ["one", "two", "three"]


def test_long_history_is_read_upwards(visitor: Visitor, agent: AgentPerson) -> None:
    agent_lines = [f"line {i}" for i in range(1, 61)]
    visitor.write("hello")
    agent.open_first()
    agent.sees("hello")
    agent.write(*agent_lines)
    visitor.sees("line 60", timeout_ms=60_000)
    visitor.reload()
    visitor.sees("line 60")
    assert "hello" not in visitor.texts()
    visitor.view.locator(".log").evaluate("log => { log.scrollTop = 0 }")
    visitor.sees("hello")
    assert visitor.texts() == ["hello", *agent_lines]


def test_a_second_tab_of_the_visitor_shows_the_same(
    world: World, visitor: Visitor, agent: AgentPerson
) -> None:
    visitor.write("from the first tab")
    visitor.sees_all_stored(1)
    second = Visitor(world, visitor.context).open().live()
    second.sees("from the first tab")
    second.write("from the second tab")
    visitor.sees("from the second tab")
    agent.open_first()
    agent.write("seen by both")
    for tab in (visitor, second):
        tab.sees("seen by both")
        assert tab.texts() == [
            "from the first tab",
            "from the second tab",
            "seen by both",
        ]


def test_what_is_written_while_the_network_is_cut_goes_out_by_itself(
    world: World, visitor: Visitor, agent: AgentPerson
) -> None:
    visitor.write("before")
    agent.open_first()
    agent.sees("before")
    world.network.cut()
    visitor.write("during one", "during two")
    expect(visitor.view.locator(".bar")).to_be_visible()
    expect(visitor.view.locator('[data-state="sending"]')).to_have_count(2)
    expect(agent.page.locator(".alarm")).to_be_visible()
    expect(agent.page).to_have_title("⚠ NOT RECEIVING · kefu")
    agent.write("also during")
    world.network.mend()
    for person in (visitor, agent):
        person.sees_all_stored(4)
    expect(agent.page.locator(".alarm")).to_be_hidden()
    expect(visitor.view.locator(".bar")).to_be_hidden()
    assert visitor.texts() == agent.texts()
    mine = [text for text in visitor.texts() if text != "also during"]
    assert mine == ["before", "during one", "during two"]


def test_the_first_message_written_without_network_opens_the_conversation_later(
    world: World, visitor: Visitor
) -> None:
    world.network.cut()
    visitor.write("anybody there?")
    expect(visitor.view.locator('[data-state="sending"]')).to_have_count(1)
    world.network.mend()
    visitor.sees_all_stored(1)


def test_an_unsent_message_survives_a_reload(world: World, visitor: Visitor) -> None:
    visitor.write("first")
    visitor.sees_all_stored(1)
    world.network.cut()
    visitor.write("second", "third")
    expect(visitor.view.locator('[data-state="sending"]')).to_have_count(2)
    world.network.mend()
    visitor.reload()
    visitor.sees_all_stored(3)
    assert visitor.texts() == ["first", "second", "third"]


def test_nothing_shown_as_sent_is_lost_when_the_server_is_killed(
    world: World, visitor: Visitor, agent: AgentPerson
) -> None:
    visitor.write(*(f"q{i}" for i in range(1, 5)))
    agent.open_first()
    agent.sees("q4")
    agent.write("a1")
    visitor.write("q5", "q6")
    agent.write("a2", "a3")
    world.kill()
    sent = [text for text, state, seq in visitor.shown() if seq]
    visitor.write("q7", "q8")
    agent.write("a4")
    world.start()
    for person in (visitor, agent):
        person.sees_all_stored(12)
    texts = visitor.texts()
    assert texts == agent.texts()
    assert [t for t in texts if t[0] == "q"] == [f"q{i}" for i in range(1, 9)]
    assert [t for t in texts if t[0] == "a"] == [f"a{i}" for i in range(1, 5)]
    assert set(sent) <= set(texts)
    visitor.reload()
    visitor.sees_all_stored(12)
    assert visitor.texts() == texts
    seqs = [int(seq) for _, _, seq in visitor.shown()]
    assert seqs == sorted(set(seqs))


def test_an_agent_takes_and_closes_a_conversation(
    visitor: Visitor, agent: AgentPerson
) -> None:
    visitor.write("hello")
    agent.open_first("queue")
    agent.page.get_by_role("button", name="Take", exact=True).click()
    expect(agent.page.locator("#tab-mine .count")).to_have_text("1")
    expect(visitor.view.locator(".system").first).to_contain_text("小茶")
    agent.page.get_by_role("button", name="Close conversation").click()
    expect(agent.page.locator("#tab-mine .count")).to_have_text("0")
    expect(visitor.view.locator(".system").last).to_contain_text("closed")


def test_an_answer_to_a_closed_chat_shows_on_the_launcher(
    visitor: Visitor, agent: AgentPerson
) -> None:
    visitor.write("hello")
    agent.open_first()
    agent.sees("hello")
    visitor.view.locator(".head-close").click()
    agent.write("here is your answer")
    badge = visitor.page.locator("#kefu-launcher .badge")
    expect(badge).to_have_text("1")
    visitor.page.reload()
    expect(badge).to_have_text("1")
    visitor.open()
    visitor.sees("here is your answer")
    expect(badge).to_be_hidden()


def test_typing_is_seen_by_the_other_side(visitor: Visitor, agent: AgentPerson) -> None:
    visitor.write("hello")
    agent.open_first()
    agent.sees("hello")
    visitor.view.locator(".composer-input").press_sequentially("I would")
    expect(agent.page.locator(".room-typing")).to_be_visible()
    agent.page.locator(".composer-input").press_sequentially("Let me")
    expect(visitor.view.locator(".typing")).to_be_visible()


def test_two_visitors_see_nothing_of_each_other(
    world: World, visitor: Visitor, browsers: Browsers
) -> None:
    other = Visitor(world, browsers.context()).open().live()
    visitor.write("mine")
    other.write("theirs")
    for person, text in ((visitor, "mine"), (other, "theirs")):
        person.sees_all_stored(1)
        assert person.texts() == [text]
