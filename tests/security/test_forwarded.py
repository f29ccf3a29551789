"""Who is behind a proxy is who the proxy says, and what limits and bans count."""

import httpx
import msgspec
import pytest

from kefu_core.records import Ban, BanKind
from kefu_core.store.memory import MemoryStore
from kefu_server.app import KefuApp, create_app
from kefu_server.settings import Settings
from tests.server.conftest import ORIGIN, SHOP, SITE, agent, settings, store

__all__ = ["agent", "settings", "store"]

pytestmark = pytest.mark.anyio

PROXY, STRANGER, BANNED = "10.0.0.1", "192.0.2.1", "203.0.113.5"
FORWARDED = "x-forwarded-for"
IS_LET_IN, IS_KEPT_OUT = 200, 403

TABLE: list[tuple[str, str, list[str], int]] = [
    # Whose socket it is, which header, its lines, and whether the ban holds.
    (STRANGER, FORWARDED, [BANNED], IS_LET_IN),
    (STRANGER, FORWARDED, [], IS_LET_IN),
    (BANNED, FORWARDED, [STRANGER], IS_KEPT_OUT),
    (BANNED, FORWARDED, [f"{STRANGER}, {PROXY}"], IS_KEPT_OUT),
    (BANNED, FORWARDED, ["::1"], IS_KEPT_OUT),
    (f"::ffff:{BANNED}", FORWARDED, [STRANGER], IS_KEPT_OUT),
    (PROXY, FORWARDED, [BANNED], IS_KEPT_OUT),
    (f"::ffff:{PROXY}", FORWARDED, [BANNED], IS_KEPT_OUT),
    (PROXY, FORWARDED, [f"::ffff:{BANNED}"], IS_KEPT_OUT),
    (PROXY, FORWARDED, [f"{STRANGER}, {BANNED}"], IS_KEPT_OUT),
    (PROXY, FORWARDED, [STRANGER, BANNED], IS_KEPT_OUT),
    (PROXY, FORWARDED, [f"{STRANGER}, {BANNED}, {PROXY}"], IS_KEPT_OUT),
    (PROXY, FORWARDED, [f"{BANNED}, {STRANGER}"], IS_LET_IN),
    # Another spelling, and another address of the same /64, are the same.
    (PROXY, FORWARDED, ["2001:DB8:0:7:0:0:0:1"], IS_KEPT_OUT),
    (PROXY, FORWARDED, ["2001:db8:0:7:ffff::2"], IS_KEPT_OUT),
    (PROXY, FORWARDED, ["2001:db8:0:8::2"], IS_LET_IN),
    # Other headers say nothing, whoever sends them.
    (BANNED, "forwarded", [f"for={STRANGER}"], IS_KEPT_OUT),
    (BANNED, "x-real-ip", [STRANGER], IS_KEPT_OUT),
    (BANNED, "cf-connecting-ip", [STRANGER], IS_KEPT_OUT),
    (BANNED, "true-client-ip", [STRANGER], IS_KEPT_OUT),
    (BANNED, "x-client-ip", [STRANGER], IS_KEPT_OUT),
    (BANNED, "client-ip", [STRANGER], IS_KEPT_OUT),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def banned(store: MemoryStore) -> MemoryStore:
    await store.put_records(
        Ban(id=1, kind=BanKind.ADDRESS, value=BANNED),
        Ban(id=2, kind=BanKind.ADDRESS, value="2001:db8:0:7::/64"),
    )
    return store


async def _ask(app: KefuApp, peer: str, headers: list[tuple[str, str]]) -> list[int]:
    """Ask for a token, report a visit, and say hello."""
    transport = httpx.ASGITransport(app, client=(peer, 1), raise_app_exceptions=False)
    given = [("origin", ORIGIN), *headers]
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        tokens = app.state.services.auth.visitors
        token, _ = tokens.issue(12, SITE.id)
        site = {"site": SITE.embed_key}
        visit = site | {"page": "p", "url": f"{SHOP}/"}
        hello = {"poll": 1, "hello": {"t": "hello", "v": 1, "token": token}}
        answers = [
            (await client.post("/api/visitor/token", json=site, headers=given)),
            (await client.post("/api/visit", json=visit, headers=given)),
        ]
        polled = await client.post("/kefu/poll", json=hello, headers=given)
        frame = polled.json()["batches"][0]["frames"][0]
        is_in = frame["t"] == "welcome"
        assert is_in or frame["code"] == "banned"
        return [answer.status_code for answer in answers] + [
            IS_LET_IN if is_in else IS_KEPT_OUT
        ]


async def test_no_header_takes_a_ban_away_or_lays_it_on_others(
    settings: Settings, banned: MemoryStore
) -> None:
    behind = msgspec.structs.replace(settings, trusted_proxies=("10.0.0.0/8",))
    app = create_app(behind, store=banned)
    async with app.router.lifespan_context(app):
        for peer, name, lines, expected in TABLE:
            given = [(name, line) for line in lines]
            assert await _ask(app, peer, given) == [expected] * 3, (peer, given)


async def test_without_a_proxy_in_the_settings_nobody_is_believed(
    settings: Settings, banned: MemoryStore
) -> None:
    app = create_app(settings, store=banned)
    async with app.router.lifespan_context(app):
        for peer in (PROXY, "127.0.0.1", "::1"):
            given = [(FORWARDED, BANNED)]
            assert await _ask(app, peer, given) == [IS_LET_IN] * 3, peer
