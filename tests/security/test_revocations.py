"""Whoever loses the right to be here loses it on every transport, within a second."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import pytest

from kefu_core.errors import CloseCode
from kefu_core.limits import Limits
from kefu_server import accounts
from tests.faults.people import TRANSPORTS, Server
from tests.security.lines import COOKIE, OPEN, Line
from tests.server.process import PASSWORD

WITHIN_S = 1.0
EXPIRES_S = 3.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


def over_http(server: Server, secret: str, path: str = "/api/agent/me") -> int:
    """Ask with a cookie; return the status."""
    headers = {"cookie": f"{COOKIE}={secret}", "origin": server.url}
    ask = httpx.get if path.endswith("/me") else partial(httpx.post, json={})
    return ask(f"{server.url}{path}", headers=headers, trust_env=False).status_code


def log_out(server: Server, login: str, secret: str) -> None:
    assert over_http(server, secret, "/api/agent/logout") == 200


def set_a_password(server: Server, login: str, secret: str) -> None:
    accounts.set_password(server.settings, login, f"another {PASSWORD}")


def deactivate(server: Server, login: str, secret: str) -> None:
    accounts.set_active(server.settings, login, is_active=False)


def deactivate_and_activate(server: Server, login: str, secret: str) -> None:
    for is_active in (False, True):
        accounts.set_active(server.settings, login, is_active=is_active)


def log_in_too_often(server: Server, login: str, secret: str) -> None:
    for _ in range(Limits().agent_sessions_max):
        server.log_in(login)


REVOCATIONS = (
    log_out,
    set_a_password,
    deactivate,
    deactivate_and_activate,
    log_in_too_often,
)


async def open_all(
    server: Server, secret: str, stack: AsyncExitStack
) -> dict[str, Line]:
    """Open a connection of every kind with one login, each in use."""
    ways = {f"token over {name}": OPEN[name](server, secret) for name in TRANSPORTS}
    for name in ("websocket", "longpoll"):
        ways[f"cookie over {name}"] = OPEN[name](
            server, cookie=secret, origin=server.url
        )
    opened = {}
    for name, way in ways.items():
        line = opened[name] = await stack.enter_async_context(way)
        assert line.is_welcome, name
        await line.say({"t": "watch", "topic": "conversations"})
        await line.until("snapshot")
    return opened


async def revoke_in_use(
    server: Server, secret: str, others: str, revoke: Callable[[], None]
) -> dict[str, float]:
    """Return how long after the revocation each connection lasted."""
    async with AsyncExitStack() as stack:
        opened = await open_all(server, secret, stack)
        kept = await open_all(server, others, stack)
        async with anyio.create_task_group() as tasks:
            for line in opened.values():
                tasks.start_soon(line.until_ended)
            await anyio.to_thread.run_sync(revoke)
            at = time.monotonic()
        assert over_http(server, secret) == 401
        assert await is_let_in(server, secret) == []
        assert over_http(server, others) == 200
        for name, line in opened.items():
            closed = [frame for frame in line.seen if frame["t"] == "closed"]
            codes = [frame["code"] for frame in closed]
            # Over WebSocket the code stands in the close of the socket itself.
            assert codes in ([], [CloseCode.UNAUTHORIZED]), name
        for name, line in kept.items():
            await line.say({"t": "ping"})
            assert (await line.until("pong"))["t"] == "pong", name
    return {name: (line.ended_at or 1e9) - at for name, line in opened.items()}


async def is_let_in(server: Server, secret: str) -> list[str]:
    """Return how a login is still of use."""
    found = []
    for name in TRANSPORTS:
        async with OPEN[name](server, secret) as line:
            found += [name] * line.is_welcome
    return found


@pytest.mark.parametrize("revoke", REVOCATIONS, ids=lambda each: each.__name__)
def test_a_revoked_login_ends_everywhere_and_opens_nothing_more(
    server: Server, revoke: Callable[[Server, str, str], None]
) -> None:
    login = revoke.__name__
    secret, others = server.add_agent(login), server.add_agent(f"{login}.other")
    act = partial(revoke, server, login, secret)
    lasted = anyio.run(revoke_in_use, server, secret, others, act)
    assert len(lasted) == 5
    # One of them may have met a machine that was busy; most of them did not.
    assert statistics.median(lasted.values()) <= WITHIN_S, lasted


def test_a_login_and_a_token_end_with_their_time(tmp_path: Path) -> None:
    limits = {"agent_session_absolute_s": EXPIRES_S, "visitor_token_s": EXPIRES_S}
    with Server(tmp_path, **limits) as server:

        async def wait_for_the_end() -> None:
            secret, visitor = server.log_in(), server.visitor()
            async with AsyncExitStack() as stack:
                opened = {
                    f"{who} over {name}": await stack.enter_async_context(
                        OPEN[name](server, token)
                    )
                    for who, token in (("agent", secret), ("visitor", visitor))
                    for name in TRANSPORTS
                }
                assert all(line.is_welcome for line in opened.values())
                async with anyio.create_task_group() as tasks:
                    for line in opened.values():
                        tasks.start_soon(line.until_ended)
            assert over_http(server, secret) == 401
            for token in (secret, visitor):
                assert await is_let_in(server, token) == []

        anyio.run(wait_for_the_end)
