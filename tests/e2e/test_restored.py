"""A backup comes back under open pages: what it lacks is shown as not sent."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def test_what_a_restored_history_lacks_is_not_sent_and_may_be_sent_again(
    world: World, browsers: Browsers, visitor: Visitor, tmp_path: Path
) -> None:
    agent = AgentPerson(world, browsers.context())
    visitor.write("kept")
    agent.open_first("all")
    agent.sees("kept")
    data, copy = tmp_path / "data", tmp_path / "copy.db"
    with closing(sqlite3.connect(data / "kefu.db")) as database:
        database.execute("VACUUM INTO ?", (str(copy),))
    visitor.write("lost one", "lost two")
    agent.sees("lost two")
    agent.write("an answer that is lost")
    visitor.sees("an answer that is lost")
    world.kill()
    for old in data.glob("kefu.db*"):
        old.unlink()
    with closing(sqlite3.connect(copy)) as database, database:
        database.execute("UPDATE installation SET epoch = 'another'")
    shutil.move(copy, data / "kefu.db")
    world.start()
    unsent = visitor.view.locator('.message[data-state="failed"]')
    expect(unsent).to_have_count(2, timeout=30_000)
    assert visitor.texts() == ["kept", "lost one", "lost two"]
    answer = agent.view.locator('.message[data-state="failed"]')
    expect(answer).to_have_count(1, timeout=30_000)
    unsent.first.get_by_role("button", name="Try again").click()
    agent.sees("lost one")
