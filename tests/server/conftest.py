"""The application on a memory store, and agents and sites to meet it with."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from kefu_core.limits import Limits
from kefu_core.model import Agent, Role, Site
from kefu_core.node import monotonic, unix_ms
from kefu_core.store.memory import MemoryStore
from kefu_server.app import KefuApp, create_app
from kefu_server.auth import Authenticator
from kefu_server.passwords import Passwords
from kefu_server.sections import Secret
from kefu_server.settings import Settings
from tests.server.process import ServerProcess

ORIGIN = "http://127.0.0.1:8080"
SHOP = "https://shop.example"
PASSWORD = "correct horse battery"
SITE = Site(id=5, name="茶 <b>&", embed_key="key5", allowed_origins=(SHOP,))
OTHER_SITE = Site(id=6, name="Other", embed_key="key6", locale="en")


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio only: hypercorn's protocol code needs it."""
    return "asyncio"


@pytest.fixture(scope="session")
def agent() -> Agent:
    """An account; hashed once, because a hash is slow by intent."""
    return Agent(
        id=7, login="Ana", name="Ana 安", password_hash=Passwords().hash_now(PASSWORD)
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(secret=Secret("s" * 40), data_dir=str(tmp_path / "data"))


@pytest.fixture
async def store(agent: Agent) -> MemoryStore:
    """A memory store with one agent, one who has left, and two sites."""
    store = MemoryStore(now=monotonic, now_ms=unix_ms)
    gone = Agent(
        id=8,
        login="gone",
        name="Gone",
        password_hash=agent.password_hash,
        role=Role.ADMIN,
        is_active=False,
    )
    for each in (agent, gone):
        await store.put_agent(each)
    for site in (SITE, OTHER_SITE):
        await store.put_site(site)
    return store


@pytest.fixture
async def app(settings: Settings, store: MemoryStore) -> AsyncIterator[KefuApp]:
    """The application, running."""
    app = create_app(settings, store=store)
    async with app.router.lifespan_context(app):
        yield app


class Clock:
    """Both clocks of an authenticator, set by tests."""

    def __init__(self) -> None:
        self.s = 1_000_000.0

    def now(self) -> float:
        return self.s

    def now_ms(self) -> int:
        return int(self.s * 1000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def auth(store: MemoryStore, clock: Clock) -> Authenticator:
    return Authenticator(
        store,
        b"s" * 40,
        Limits(),
        origins=(ORIGIN,),
        is_secure=False,
        now=clock.now,
        now_ms=clock.now_ms,
    )


def connect(app: KefuApp, address: str = "192.0.2.1") -> httpx.AsyncClient:
    """Return a browser on the server's own origin, without cookies yet."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(
            app, client=(address, 1), raise_app_exceptions=False
        ),
        base_url=app.settings.origins[0],
        headers={"origin": app.settings.origins[0]},
    )


@pytest.fixture
async def client(app: KefuApp) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(app) as client:
        yield client


async def log_in(client: httpx.AsyncClient, password: str = PASSWORD) -> httpx.Response:
    """Post a login of the agent."""
    return await client.post(
        "/api/agent/login", json={"login": "ana", "password": password}
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A real server process on SQLite, with an agent and a site."""
    with ServerProcess(tmp_path) as process:
        yield process
