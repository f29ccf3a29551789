"""axe-core finds no serious fault on any page, in either light."""

import re
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Frame, Page, expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser

AXE = Path("node_modules/axe-core/axe.min.js")
PAGES = Path("kefu_server/web/console/pages.js")
NAMES = re.findall(r'^    name: "([a-z-]+)",$', PAGES.read_text("utf-8"), re.MULTILINE)
RUN = """() => axe.run({resultTypes: ["violations"]}).then((found) =>
  found.violations.filter((v) => ["serious", "critical"].includes(v.impact))
    .map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 5)}`))"""

pytestmark = pytest.mark.skipif(not AXE.exists(), reason="needs npm install")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def faults_of(view: Page | Frame) -> list[str]:
    """Return what keeps people from using what is shown."""
    view.evaluate(AXE.read_text("utf-8"))
    found: Any = view.evaluate(RUN)
    return [str(fault) for fault in found]


def assert_everybody_can_use(view: Page | Frame, scheme: str = "") -> None:
    """Fail for what keeps people from using what is shown, where that can be seen."""
    if AXE.exists():
        assert faults_of(view) == [], scheme


@pytest.mark.parametrize("scheme", SCHEMES)
def test_everybody_can_use_every_page(
    world: World, browsers: Browsers, scheme: Literal["light", "dark"]
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    visitor = Visitor(world, browsers.context(color_scheme=scheme)).open().live()
    visitor.write("Is the green tea in stock?", "Two boxes of it?")
    login = browsers.context(color_scheme=scheme).new_page()
    login.goto(world.url + "/console")
    expect(login.locator("input[name=password]")).to_be_visible()
    found = {"login": faults_of(login)}
    agent = AgentPerson(world, browsers.context(color_scheme=scheme), "chief")
    agent.open_first("queue")
    agent.sees("Two boxes of it?")
    agent.write("Yes, it is.")
    visitor.sees("Yes, it is.")
    found |= {"chat": faults_of(agent.page), "widget": faults_of(visitor.view)}
    for name in ("history", *NAMES):
        agent.page.goto(f"{world.url}/console#/{name}")
        expect(agent.page.locator("[aria-current=page]").first).to_be_visible()
        expect(agent.page.locator("main h1, .seek").first).to_be_visible()
        found[name] = faults_of(agent.page)
    assert {name: faults for name, faults in found.items() if faults} == {}
