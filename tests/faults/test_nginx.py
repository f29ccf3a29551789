"""A real nginx in front: the shipped example, and configurations that hurt."""

import time
from pathlib import Path

import anyio
import httpx
import pytest

from tests.faults.caddy import Caddy
from tests.faults.nginx import Nginx, Style, needs_nginx
from tests.faults.people import LOOK_S, Person, Server, Story, running

pytestmark = [needs_nginx, pytest.mark.timeout(60)]


async def talk_through(
    server: Server, proxy: Nginx | Caddy, transport: str, *, is_restarting: bool = False
) -> set[str]:
    """Two tabs of a visitor and an agent, all through a proxy; what carried them."""
    story = Story(server, time.monotonic)
    token = server.visitor()
    visitor = story.person("visitor", token, transport, proxy.url)
    story.person("tab", token, transport, proxy.url)
    agent = story.person("agent", server.agent_token, transport, proxy.url)
    async with running(story), anyio.create_task_group() as tasks:
        with anyio.fail_after(40):
            await story.begin(visitor, agent)
            for one in (visitor, agent):
                tasks.start_soon(one.talk, 20, 15)
            if is_restarting:
                await _until_seen(visitor, 10)
                assert isinstance(proxy, Nginx)
                proxy.reload()
                await _until_seen(visitor, 20)
                proxy.restart()
            await _until_seen(visitor, 40)
            await story.until_complete()
    verdict = await story.end()
    assert verdict.passed, (verdict.faults, verdict.life)
    assert verdict.counts.acknowledged == verdict.counts.sent == 40
    return {person.client.transport for person in story.people}


async def _until_seen(person: Person, count: int) -> None:
    while person.seen < count:
        await anyio.sleep(LOOK_S)


@pytest.mark.parametrize(
    ("style", "transport", "carrier"),
    [
        ("shipped", "auto", "websocket"),
        ("shipped", "longpoll", "longpoll"),
        ("defaults", "auto", "longpoll"),
        ("no upgrades", "auto", "longpoll"),
    ],
)
def test_through_nginx_the_client_finds_what_works_and_loses_nothing(
    server: Server, tmp_path: Path, style: Style, transport: str, carrier: str
) -> None:
    with Nginx(tmp_path, server.port, style) as nginx:
        assert anyio.run(talk_through, server, nginx, transport) == {carrier}


@pytest.mark.parametrize("transport", ["websocket", "longpoll"])
def test_nothing_is_lost_when_nginx_reloads_and_is_killed(
    server: Server, tmp_path: Path, transport: str
) -> None:
    async def run() -> None:
        await talk_through(server, nginx, transport, is_restarting=True)

    with Nginx(tmp_path, server.port) as nginx:
        anyio.run(run)


def test_the_example_tells_the_visitors_address_and_not_what_the_visitor_says(
    tmp_path: Path,
) -> None:
    """The server believes nginx, and nginx nobody."""
    with (
        Server(tmp_path, proxies="127.0.0.1") as server,
        Nginx(tmp_path, server.port) as nginx,
        httpx.Client(
            transport=httpx.HTTPTransport(local_address="127.0.0.9"), trust_env=False
        ) as client,
    ):
        lies = {"X-Forwarded-For": "203.0.113.7", "X-Real-IP": "203.0.113.7"}
        assert client.get(f"{nginx.url}/no-such", headers=lies).status_code == 404
        server.until_logged("path=/no-such")
        assert "address=127.0.0.9" in server.log
        assert "203.0.113.7" not in server.log
