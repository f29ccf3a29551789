"""A visitor and an agent as a test sees them: what they do, and what is shown."""

from typing import Any

from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect

from tests.e2e.world import LOGIN, PASSWORD, World

Shown = list[tuple[str, str]]
"""Text and state of each bubble, from top to bottom."""

_SHOWN = """() => [...document.querySelectorAll('.message')].map(
  (m) => [m.querySelector('.bubble').lastChild.data, m.dataset.state, m.dataset.seq])"""


class Person:
    """Somebody in front of a page with a chat in it."""

    page: Page
    view: Page | Frame

    def shown(self) -> list[tuple[str, str, str]]:
        """Return text, state and seq of every bubble, from top to bottom."""
        found: Any = self.view.evaluate(_SHOWN)
        return [tuple(each) for each in found]

    def texts(self) -> list[str]:
        """Return the texts of the bubbles, from top to bottom."""
        return [text for text, _, _ in self.shown()]

    def write(self, *texts: str) -> None:
        """Write messages, each with Enter at its end."""
        field = self.view.locator(".composer-input")
        for text in texts:
            field.fill(text)
            field.press("Enter")

    def sees(self, text: str, timeout_ms: float = 15_000) -> None:
        """Wait until a bubble with this text is shown."""
        bubble = self.view.locator(".bubble", has_text=text)
        expect(bubble.first).to_be_visible(timeout=timeout_ms)

    def sees_all_stored(self, count: int, timeout_ms: float = 30_000) -> None:
        """Wait until so many bubbles are shown and none is on its way."""
        messages = self.view.locator(".message")
        expect(messages).to_have_count(count, timeout=timeout_ms)
        stored = self.view.locator('.message:not([data-seq=""])')
        expect(stored).to_have_count(count, timeout=timeout_ms)


class Visitor(Person):
    """A visitor on a page of the shop."""

    def __init__(self, world: World, context: BrowserContext, path: str = "/") -> None:
        self.context = context
        self.page = context.new_page()
        self.page.goto(world.shop.url + path)
        self.launcher = self.page.locator("#kefu-launcher button")

    def open(self) -> "Visitor":
        """Open the chat with a click."""
        self.launcher.click()
        self.enter()
        return self

    def enter(self) -> None:
        """Find the chat's frame and wait until it can be written in."""
        handle = self.page.locator("#kefu-launcher iframe").element_handle()
        frame = handle.content_frame()
        assert frame is not None
        self.view = frame
        expect(self.view.locator(".composer-input")).to_be_visible()

    def live(self) -> "Visitor":
        """Wait until the chat is connected."""
        expect(self.view.locator(".light.live")).to_be_visible(timeout=20_000)
        return self

    def reload(self) -> None:
        self.page.reload()
        self.open()

    def is_on(self, transport: str) -> None:
        """Wait until this transport has worked; the widget itself never says."""
        self.view.wait_for_function(
            "name => JSON.parse(localStorage.getItem("
            "`kefu.transport.${origin}`) || '{}').name === name",
            arg=transport,
            timeout=20_000,
        )


class AgentPerson(Person):
    """An agent in the console."""

    def __init__(
        self,
        world: World,
        context: BrowserContext,
        login: str = LOGIN,
        *,
        transport: str = "",
    ) -> None:
        self.page = self.view = context.new_page()
        self.page.goto(world.url + "/console")
        if transport:
            self.page.get_by_role("radio", name=transport).check()
        self.page.locator("input[name=username]").fill(login)
        self.page.locator("input[name=password]").fill(PASSWORD)
        self.page.keyboard.press("Enter")
        self.live()

    def live(self) -> None:
        """Wait until the console receives."""
        expect(self.page.locator(".live-light.live")).to_be_visible(timeout=20_000)

    def is_on(self, transport: str) -> None:
        """Wait until the light says so."""
        light = self.page.locator(f'.live-light.live[data-transport="{transport}"]')
        expect(light).to_be_visible(timeout=20_000)

    def open_first(self, tab: str = "all") -> None:
        """Open the first conversation of a tab."""
        self.page.locator(f"#tab-{tab}").click()
        self.page.locator(".row").first.click()
        expect(self.page.locator(".composer-input")).to_be_visible()


class Browsers:
    """Makes contexts that note every violation of a page's policy."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.violations: list[str] = []
        self.faults: list[str] = []

    def context(self, **options: Any) -> BrowserContext:
        """Return a fresh browser profile."""
        context = self._browser.new_context(**{"locale": "en-US"} | options)
        context.set_default_timeout(15_000)
        context.on("console", lambda message: self._said(message.text))
        context.on("weberror", lambda error: self.faults.append(str(error.error)))
        self._contexts.append(context)
        return context

    def _said(self, text: str) -> None:
        if "Content Security Policy" in text or "TrustedHTML" in text:
            self.violations.append(text)

    def close(self) -> None:
        for context in self._contexts:
            context.close()
