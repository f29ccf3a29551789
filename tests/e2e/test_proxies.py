"""The widget and the console behind a real nginx, whatever it does to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import Shop, World
from tests.faults.nginx import Nginx, Style, needs_nginx

pytestmark = [pytest.mark.browser, needs_nginx]


@contextmanager
def world_behind(folder: Path, style: Style) -> Iterator[World]:
    """An installation that everybody reaches through nginx alone."""
    world = World(folder)
    with Nginx(folder, world.network.port, style) as nginx:
        world.shop.close()
        world.url = nginx.url
        world.shop = Shop(nginx.url)
        with world:
            yield world


@pytest.mark.parametrize(
    ("style", "carrier"),
    [
        ("shipped", "websocket"),
        ("defaults", "longpoll"),
        ("no upgrades", "longpoll"),
    ],
)
def test_behind_nginx_the_browser_finds_what_works_by_itself(
    tmp_path: Path, browsers: Browsers, style: Style, carrier: str
) -> None:
    with world_behind(tmp_path, style) as world:
        visitor = Visitor(world, browsers.context()).open()
        visitor.write("q1", "q2")
        visitor.live().is_on(carrier)
        agent = AgentPerson(world, browsers.context())
        agent.is_on(carrier)
        agent.open_first("queue")
        agent.sees("q2")
        agent.write("a1", "a2")
        visitor.write("q3")
        for person in (visitor, agent):
            person.sees_all_stored(5)
        assert visitor.texts() == agent.texts()
        assert sorted(visitor.texts()) == ["a1", "a2", "q1", "q2", "q3"]
