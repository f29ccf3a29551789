"""A real server process, a shop on another origin, and Debian's Chromium."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

# A machine that does other work too is no fault of a page's.
expect.set_options(timeout=20_000)
# The same engine without a window takes a fifth less of the processor.
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One browser for this folder, and gone before the next: while it runs, its
    event loop is the thread's, and no other test could start one."""
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An installation of its own for every test."""
    with World(tmp_path) as world:
        yield world


@pytest.fixture
def browsers(chromium: Browser) -> Iterator[Browsers]:
    """Profiles; whatever a test does, no policy is violated and no script fails."""
    browsers = Browsers(chromium)
    yield browsers
    browsers.close()
    assert browsers.violations == []
    assert browsers.faults == []


@pytest.fixture
def visitor(world: World, browsers: Browsers) -> Visitor:
    """A visitor with the chat open."""
    return Visitor(world, browsers.context()).open().live()


@pytest.fixture
def agent(world: World, browsers: Browsers) -> AgentPerson:
    """An agent who is logged in."""
    return AgentPerson(world, browsers.context())
