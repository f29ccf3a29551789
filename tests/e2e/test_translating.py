"""Two people who share no language, over a service that goes away in mid-chat."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.test_accessible import assert_everybody_can_use
from tests.e2e.world import World

pytestmark = pytest.mark.browser

WORDS = {
    "O vermelho está disponível?": "红色的有货吗？ <img src=x onerror=alert(1)>",
    "Quanto custa o envio?": "运费多少？",
    "Muito obrigado pela ajuda": "非常感谢您的帮助",
    "有货，今天发货": "Temos, enviamos hoje",
    "您好，想买什么茶？": "Olá, que chá procura?",
    "We ship today": "今天发货",
}
ENGLISH = {
    "Quanto custa o envio?": "How much is shipping?",
    "有货，今天发货": "In stock, we ship today",
}


class Provider:
    """What LibreTranslate documents, with a few sentences."""

    def __init__(self) -> None:
        provider = self
        self.is_away = False
        self.goes_on = threading.Event()
        self.goes_on.set()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                provider.goes_on.wait(30)
                status, answer = 200, provider.answer(asked)
                if provider.is_away:
                    status, answer = 503, {"error": "the model is being loaded"}
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @staticmethod
    def answer(asked: dict[str, Any]) -> dict[str, object]:
        words = ENGLISH if asked["target"] == "en" else WORDS
        texts = asked["q"]
        return {"translatedText": [words.get(text, f"({text})") for text in texts]}

    def close(self) -> None:
        self.goes_on.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


def begin(
    world: World, browsers: Browsers, provider: Provider, *, holds_s: int = 0
) -> AgentPerson:
    """Let the shop translate; return an admin before the chats."""
    services = world._folder / "services.toml"
    services.write_text(f'[libretranslate]\nurl = "{provider.url}"\n')
    world.kill()
    world.more = {"KEFU_TRANSLATION_FILE": str(services)}
    world.start()
    world.add_agent("chief", "掌柜", is_admin=True)
    agent = AgentPerson(world, browsers.context(), "chief")
    agent.page.goto(f"{world.url}/console#/settings/translation")
    card = agent.page.get_by_role("form", name="Tea & <b>Co</b>")
    card.get_by_role("checkbox").first.check()
    card.get_by_role("textbox").first.fill("zh-CN")
    card.get_by_label("Seconds an agent's message waits").fill(str(holds_s))
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_role("status")).to_have_text("Saved")
    agent.page.goto(f"{world.url}/console#/")
    agent.live()
    return agent


def english(world: World, browsers: Browsers) -> AgentPerson:
    """Return an agent whose profile says that she reads and writes English."""
    world.add_agent("emma", "Emma")
    emma = AgentPerson(world, browsers.context(), "emma")
    emma.page.goto(f"{world.url}/console#/settings/account")
    emma.page.get_by_label("What you read and write").select_option("en")
    expect(emma.page.get_by_role("status").get_by_text("Saved")).to_be_visible()
    emma.page.goto(f"{world.url}/console#/")
    emma.live()
    return emma


def test_each_reads_the_other_and_a_service_that_is_away_stops_nobody(
    world: World, browsers: Browsers, provider: Provider
) -> None:
    agent = begin(world, browsers, provider)
    visitor = Visitor(world, browsers.context(locale="pt-BR")).open().live()
    visitor.write("O vermelho está disponível?")
    agent.open_first("queue")
    message = agent.view.locator(".message.theirs").first
    expect(message.locator(".translated")).to_contain_text("红色的有货吗？")
    expect(message.locator("img")).to_have_count(0)
    expect(message.locator(".original")).to_be_hidden()
    message.get_by_role("button", name="Show original").click()
    expect(message.locator(".original")).to_have_text("O vermelho está disponível?")
    expect(message.locator(".translated")).to_be_hidden()
    agent.write("有货，今天发货")
    shown = visitor.view.locator(".message.theirs .translated")
    expect(shown).to_have_text("Temos, enviamos hoje", timeout=10_000)
    # Its own words stay as the visitor wrote them.
    mine = visitor.view.locator(".message.mine")
    expect(mine.locator(".translated")).to_have_count(0)

    provider.is_away = True
    visitor.write("Quanto custa o envio?")
    agent.sees("Quanto custa o envio?", timeout_ms=3_000)
    expect(agent.view.get_by_text("Translation failed, original shown")).to_be_visible()
    provider.is_away = False
    expect(agent.view.get_by_text("运费多少？")).to_be_visible(timeout=60_000)
    visitor.write("Muito obrigado pela ajuda")
    expect(agent.view.get_by_text("非常感谢您的帮助")).to_be_visible()
    failed = agent.view.get_by_text("Translation failed, original shown")
    expect(failed).to_have_count(0)
    # Whoever comes back has all of it.
    visitor.reload()
    shown = visitor.view.locator(".message.theirs .translated")
    expect(shown).to_have_text("Temos, enviamos hoje")
    secret = {"O vermelho", "红色"}
    assert not any(word in world.log for word in secret)


def test_an_agents_message_waits_for_its_translation_and_not_for_ever(
    world: World, browsers: Browsers, provider: Provider
) -> None:
    agent = begin(world, browsers, provider, holds_s=5)
    visitor = Visitor(world, browsers.context(locale="pt-BR")).open().live()
    visitor.write("Quanto custa o envio?")
    agent.open_first("queue")
    agent.sees("运费多少？")
    provider.goes_on.clear()
    agent.write("有货，今天发货")
    mine = agent.view.locator(".message.mine").last
    expect(mine).to_have_attribute("data-state", "delivered")
    theirs = visitor.view.locator(".message.theirs")
    expect(theirs).to_have_count(0)
    # What the visitor writes meanwhile is there at once.
    visitor.write("O vermelho está disponível?")
    visitor.sees("O vermelho está disponível?")
    provider.goes_on.set()
    shown = theirs.locator(".translated")
    expect(shown).to_have_text("Temos, enviamos hoje")
    expect(mine).to_have_attribute("data-state", "read")
    provider.goes_on.clear()
    agent.write("好的")
    expect(mine).to_have_attribute("data-state", "delivered")
    expect(theirs).to_have_count(1)
    # Its time is over, and it goes out as it is.
    visitor.sees("好的", timeout_ms=10_000)


def test_the_first_text_of_an_agent_of_another_language_than_the_sites_waits(
    world: World, browsers: Browsers, provider: Provider
) -> None:
    begin(world, browsers, provider, holds_s=5)
    emma = english(world, browsers)
    # What the visitor reads, the site and its other agents write.
    visitor = Visitor(world, browsers.context(locale="zh-CN")).open().live()
    visitor.write("运费多少？")
    emma.open_first("queue")
    emma.sees("运费多少？")
    provider.goes_on.clear()
    emma.write("We ship today")
    mine = emma.view.locator(".message.mine").last
    expect(mine).to_have_attribute("data-state", "delivered")
    theirs = visitor.view.locator(".message.theirs")
    expect(theirs).to_have_count(0)
    provider.goes_on.set()
    expect(theirs.locator(".translated")).to_have_text("今天发货")


def test_each_side_switches_translations_off_and_on(
    world: World, browsers: Browsers, provider: Provider
) -> None:
    agent = begin(world, browsers, provider)
    visitor = Visitor(world, browsers.context(locale="pt-BR")).open().live()
    visitor.write("O vermelho está disponível?")
    agent.open_first("queue")
    first = agent.view.locator(".message.theirs").first
    expect(first.locator(".translated")).to_be_visible()
    agent.write("有货，今天发货")
    shown = visitor.view.locator(".message.theirs").first
    expect(shown.locator(".translated")).to_be_visible()
    # The visitor wants what was written; the agent sees that, and reads on.
    visitor.view.get_by_role("button", name="Language").click()
    visitor.view.get_by_role("button", name="Read what was written").click()
    expect(shown.locator(".original")).to_have_text("有货，今天发货")
    expect(shown.locator(".translated")).to_be_hidden()
    switch = agent.view.get_by_role("switch")
    expect(switch).to_have_text("The visitor reads originals")
    expect(first.locator(".translated")).to_be_visible()
    switch.click()
    expect(switch).to_have_text("Not translated")
    expect(first.locator(".original")).to_be_visible()
    expect(visitor.view.get_by_role("button", name="Language")).to_be_hidden()
    visitor.write("Quanto custa o envio?")
    agent.sees("Quanto custa o envio?")
    # All of an agent's tabs agree, and what was missed follows.
    agent.page.reload()
    agent.live()
    agent.open_first("all")
    expect(switch).to_have_text("Not translated")
    expect(agent.view.get_by_text("运费多少？")).to_have_count(0)
    switch.click()
    expect(agent.view.get_by_text("运费多少？")).to_be_visible(timeout=10_000)
    expect(first.locator(".translated")).to_be_visible()


def test_two_agents_and_a_visitor_each_read_their_own_language(
    world: World, browsers: Browsers, provider: Provider
) -> None:
    agent = begin(world, browsers, provider)
    emma = english(world, browsers)
    context = browsers.context(locale="pt-BR")
    visitor = Visitor(world, context).open().live()
    visitor.write("Quanto custa o envio?")
    agent.open_first("queue")
    agent.sees("运费多少？")
    agent.write("有货，今天发货")
    shown = visitor.view.locator(".message.theirs .translated")
    expect(shown).to_have_text("Temos, enviamos hoje", timeout=10_000)
    # Before it is hers, she looks on, in her language: only her page has that.
    emma.open_first("all")
    emma.sees("How much is shipping?")
    emma.sees("In stock, we ship today")
    agent.page.get_by_role("button", name="Hand over").click()
    panel = agent.page.get_by_role("group", name="Hand over")
    panel.get_by_role("combobox").select_option(label="Emma (English) · Online · 0")
    panel.get_by_role("button", name="Hand over").click()
    theirs = emma.view.locator(".message.theirs .translated")
    expect(theirs).to_have_text("How much is shipping?", timeout=10_000)
    colleagues = emma.view.locator(".message.mine .translated")
    expect(colleagues).to_have_text("In stock, we ship today", timeout=10_000)
    # Her colleague's page and the visitor's are as they were.
    expect(agent.view.locator(".message.theirs .translated")).to_have_text("运费多少？")
    expect(agent.view.locator(".message.mine .translated")).to_have_count(0)
    expect(shown).to_have_text("Temos, enviamos hoje")

    # The visitor chooses, by the keyboard alone; what was said follows in it, in all
    # its tabs.
    tab = Visitor(world, context).open().live()
    other = tab.view.locator(".message.theirs .translated")
    expect(other).to_have_text("Temos, enviamos hoje")
    menu = visitor.view.get_by_role("button", name="Language")
    menu.focus()
    menu.press("Enter")
    choice = visitor.view.get_by_label("I read and write")
    expect(choice).to_be_focused()
    expect(choice).to_have_value("")
    choice.select_option("en")
    expect(shown).to_have_text("In stock, we ship today", timeout=10_000)
    expect(other).to_have_text("In stock, we ship today")
    tab.view.get_by_role("button", name="Language").click()
    expect(tab.view.get_by_label("I read and write")).to_have_value("en")
    tab.page.close()
    facts = emma.page.get_by_role("complementary", name="Visitor")
    expect(facts).to_contain_text("Language: English · chosen by the visitor")
    assert_everybody_can_use(visitor.view)
    assert_everybody_can_use(emma.page)
    choice.press("Escape")
    expect(choice).to_be_hidden()
    expect(menu).to_be_focused()
    visitor.reload()
    visitor.live()
    visitor.view.get_by_role("button", name="Language").click()
    expect(visitor.view.get_by_label("I read and write")).to_have_value("en")
    shown = visitor.view.locator(".message.theirs .translated")
    expect(shown).to_have_text("In stock, we ship today")
    # What Emma writes, the visitor reads as it is, and her colleague in Chinese.
    emma.write("We ship today")
    visitor.sees("We ship today")
    expect(visitor.view.locator(".message.theirs .translated")).to_have_count(1)
    last = agent.view.locator(".message.mine .translated")
    expect(last).to_have_text("今天发货", timeout=10_000)
    assert not browsers.violations
    assert not browsers.faults


def test_an_agent_looks_before_sending_corrects_and_keeps(
    world: World, browsers: Browsers, provider: Provider
) -> None:
    agent = begin(world, browsers, provider)
    visitor = Visitor(world, browsers.context(locale="pt-BR")).open().live()
    visitor.write("O vermelho está disponível?")
    agent.open_first("queue")
    agent.sees("红色的有货吗？")
    draft = agent.view.locator(".composer-input")
    draft.fill("有货，今天发货")
    draft.press("Alt+t")
    text = agent.view.get_by_label("The visitor reads, in ")
    expect(text).to_have_value("Temos, enviamos hoje")
    expect(text).to_be_focused()
    text.fill("Temos sim, sai hoje!")
    agent.view.get_by_label("Keep for next time").check()
    text.press("Enter")
    shown = visitor.view.locator(".message.theirs")
    expect(shown.locator(".translated")).to_have_text("Temos sim, sai hoje!")
    expect(draft).to_have_value("")
    expect(text).to_be_hidden()
    # Of another text than was looked at, nothing is taken.
    draft.fill("好的")
    agent.view.get_by_role("button", name="Preview").click()
    text.fill("Pois não")
    draft.fill("好的，谢谢")
    expect(agent.view.get_by_text("The draft has changed.")).to_be_visible()
    draft.press("Enter")
    expect(shown.last.locator(".translated")).to_have_text("(好的，谢谢)")
    agent.page.goto(f"{world.url}/console#/settings/translation")
    kept = agent.page.get_by_role("region", name="Kept translations")
    expect(kept.get_by_text("Temos sim, sai hoje!")).to_be_visible()


def test_a_greeting_is_translated_once_and_the_figures_say_what_that_took(
    world: World, browsers: Browsers, provider: Provider
) -> None:
    agent = begin(world, browsers, provider)
    page = agent.page
    page.goto(f"{world.url}/console#/settings/talk")
    card = page.get_by_role("form", name="Tea & <b>Co</b>")
    card.get_by_label("Greeting, at the beginning").first.fill("您好，想买什么茶？")
    others = card.get_by_role("group", name="In other languages")
    others.get_by_role("button", name="Add a language").click()
    others.get_by_label("Language", exact=False).first.fill("pt-BR")
    provider.is_away = True
    fill = others.get_by_role("button", name="Translate what is empty")
    fill.click()
    expect(others.get_by_text("The services cannot be reached now.")).to_be_visible()
    provider.is_away = False
    translated = others.get_by_label("Greeting, at the beginning")
    # A service that failed is left alone for a moment.
    deadline = time.monotonic() + 60
    while not translated.input_value() and time.monotonic() < deadline:
        fill.click()
        expect(fill).to_be_enabled()
    expect(translated).to_have_value("Olá, que chá procura?")
    expect(others.get_by_text("Read it before you save")).to_be_visible()
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_role("status").last).to_have_text("Saved")

    visitor = Visitor(world, browsers.context(locale="pt-BR")).open()
    expect(visitor.view.locator(".greeting")).to_have_text("Olá, que chá procura?")

    page.goto(f"{world.url}/console#/settings/translation")
    figures = page.get_by_role("region", name="Services and use")
    row = figures.get_by_role("row", name="libretranslate")
    expect(row).to_contain_text("later")
    expect(figures.get_by_text("libretranslate: ")).to_be_visible()
    used = figures.get_by_role("row", name="Tea & <b>Co</b>")
    expect(used).to_contain_text("any number")
    # What was used is written within two seconds.
    page.wait_for_timeout(2_500)
    figures.get_by_role("button", name="Look again").click()
    expect(used).to_contain_text(str(len("您好，想买什么茶？")))
    expect(figures.locator("b")).to_have_count(0)
