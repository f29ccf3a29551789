"""What the server no longer has as it was written is shown as missing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def test_a_hole_and_a_changed_text_are_shown_as_what_they_are(
    world: World, browsers: Browsers, visitor: Visitor, tmp_path: Path
) -> None:
    visitor.write("first", "second", "third", "fourth")
    visitor.sees_all_stored(4)
    path = tmp_path / "data" / "kefu.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE message SET body = 'forged' WHERE body = 'second'")
        database.execute("DELETE FROM message WHERE body = 'third'")
    visitor.reload()
    visitor.sees("first")
    agent = AgentPerson(world, browsers.context())
    agent.open_first("all")
    agent.sees("first")
    for person in (visitor, agent):
        # The changed one, and the one that is gone; what comes after is not next.
        expect(person.view.locator(".system.damaged")).to_have_count(2)
        assert person.texts() == ["first"]
        assert "forged" not in person.view.content()
