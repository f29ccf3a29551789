"""The first admin on a page: only while there is none, only with the code."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kefu_core.model import Agent, Role
from kefu_core.node import monotonic, unix_ms
from kefu_core.store.memory import MemoryStore
from kefu_server.app import KefuApp, create_app
from kefu_server.settings import Settings
from tests.server.conftest import PASSWORD, connect

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(agent: Agent) -> MemoryStore:
    """Agents alone do not end it."""
    store = MemoryStore(now=monotonic, now_ms=unix_ms)
    await store.put_agent(agent)
    return store


@pytest.fixture
async def fresh(settings: Settings, store: MemoryStore) -> AsyncIterator[KefuApp]:
    """A server without an admin."""
    app = create_app(settings, store=store)
    async with app.router.lifespan_context(app):
        yield app


def _asked(code: str, **admin: str) -> dict[str, Any]:
    return {
        "code": code,
        "admin": {"login": "boss", "name": "老板", "password": PASSWORD} | admin,
        "site": {"name": "茶馆", "origins": ["https://t.example"], "locale": "zh-CN"},
    }


async def test_the_code_opens_it_once(
    settings: Settings, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(settings, store=store)
    with caplog.at_level(logging.WARNING, "kefu.server"):
        async with app.router.lifespan_context(app), connect(app) as client:
            (line,) = [r.getMessage() for r in caplog.records if "setup" in r.msg]
            assert line.startswith("setup url=http://127.0.0.1:8080/setup code=")
            code = line.rpartition("=")[2]
            assert (await client.get("/setup")).status_code == 200
            # As people type it.
            said = f" {code.lower().replace('-', ' ')} "
            made = await client.post("/api/setup", json=_asked(said))
            assert made.status_code == 200, made.text
            key = made.json()["site"]
            assert f'data-site="{key}"' in made.json()["embed"]
            admin = await store.find_agent(login="boss")
            assert admin is not None
            assert admin.role is Role.ADMIN
            again = await client.post("/api/setup", json=_asked(code, login="other"))
            assert again.status_code == 404
            assert (await client.get("/setup")).status_code == 404
            assert await store.find_agent(login="other") is None
            login = {"login": "boss", "password": PASSWORD}
            assert (await client.post("/api/agent/login", json=login)).is_success
        caplog.clear()
        async with app.router.lifespan_context(app):
            assert not [r for r in caplog.records if "setup" in r.msg]


async def test_guessing_is_slow_and_makes_nothing(
    fresh: KefuApp, store: MemoryStore
) -> None:
    async with connect(fresh) as client:
        codes = ["", "é" * 12, *("A" * n for n in range(1, 10))]
        answers = [await client.post("/api/setup", json=_asked(c)) for c in codes]
        right = await client.post("/api/setup", json=_asked(fresh.state.setup._code))
    assert [each.status_code for each in answers] == [401] * 5 + [429] * 6
    assert right.status_code == 429, "whoever guesses waits like everybody"
    assert fresh.state.setup._code not in "".join(each.text for each in answers)
    assert not [a for a in await store.agents() if a.role is Role.ADMIN]


@pytest.mark.parametrize(
    ("admin", "site"),
    [
        ({"password": "short"}, {}),
        ({"login": "a b"}, {}),
        ({"name": ""}, {}),
        ({}, {"origins": ["https://T.example/"]}),
        ({}, {"origins": []}),
        ({}, {"name": "\x1b"}),
        ({}, {"locale": "tlh"}),
    ],
)
async def test_what_will_not_do_makes_neither_admin_nor_site(
    fresh: KefuApp, store: MemoryStore, admin: dict[str, Any], site: dict[str, Any]
) -> None:
    before = len(await store.sites())
    asked = _asked(fresh.state.setup._code, **admin)
    asked["site"] |= site
    async with connect(fresh) as client:
        refused = await client.post("/api/setup", json=asked)
    assert refused.status_code == 400
    assert len(await store.sites()) == before
    assert not [a for a in await store.agents() if a.role is Role.ADMIN]


async def test_an_admin_from_the_command_line_ends_it(
    fresh: KefuApp, store: MemoryStore
) -> None:
    code = fresh.state.setup._code
    await store.put_agent(
        # Nor does one who has left open it again.
        Agent(
            id=90,
            login="cli",
            name="C",
            password_hash="-",
            role=Role.ADMIN,
            is_active=False,
        )
    )
    async with connect(fresh) as client:
        assert (await client.get("/setup")).status_code == 404
        assert (await client.post("/api/setup", json=_asked(code))).status_code == 404


async def test_a_foreign_page_cannot_use_it(fresh: KefuApp) -> None:
    headers = {"origin": "https://evil.example"}
    async with connect(fresh) as client:
        asked = _asked(fresh.state.setup._code)
        answer = await client.post("/api/setup", json=asked, headers=headers)
    assert answer.status_code == 403
