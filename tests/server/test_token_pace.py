"""How many visitors' tokens one address gets, through the whole application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest

from kefu_core.limits import Limits
from kefu_core.store.memory import MemoryStore
from kefu_server.app import KefuApp, create_app
from kefu_server.settings import Settings
from kefu_server.throttle import KEYS_MAX, AddressPace
from tests.server.conftest import SITE, connect

pytestmark = pytest.mark.anyio

BURST = 3
SLOW = Limits(address_tokens_per_s=0.01, address_tokens_burst=BURST)
PROXY = "10.0.0.1"


@asynccontextmanager
async def slow_app(
    settings: Settings, store: MemoryStore, trusted: tuple[str, ...] = ()
) -> AsyncIterator[KefuApp]:
    slow = msgspec.structs.replace(settings, limits=SLOW, trusted_proxies=trusted)
    app = create_app(slow, store=store)
    async with app.router.lifespan_context(app):
        yield app


async def ask(app: KefuApp, address: str, forwarded: str = "") -> httpx.Response:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    async with connect(app, address) as client:
        return await client.post(
            "/api/visitor/token", json={"site": SITE.embed_key}, headers=headers
        )


async def test_an_address_that_asks_too_much_is_told_when_to_come_back(
    settings: Settings, store: MemoryStore
) -> None:
    async with slow_app(settings, store) as app:
        for _ in range(BURST):
            assert (await ask(app, "192.0.2.1")).status_code == 200
        refused = await ask(app, "192.0.2.1")
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "rate_limited"
        assert 1 <= int(refused.headers["retry-after"]) <= 101
        assert (await ask(app, "192.0.2.2")).status_code == 200


async def test_addresses_of_one_ipv6_network_are_counted_together(
    settings: Settings, store: MemoryStore
) -> None:
    async with slow_app(settings, store) as app:
        for number in range(BURST):
            assert (await ask(app, f"2001:db8::{number}")).status_code == 200
        assert (await ask(app, "2001:db8::ffff:1")).status_code == 429
        assert (await ask(app, "2001:db8:0:1::1")).status_code == 200


async def test_behind_a_trusted_proxy_its_clients_are_counted_apart(
    settings: Settings, store: MemoryStore
) -> None:
    async with slow_app(settings, store, trusted=(PROXY,)) as app:
        for number in range(BURST + 1):
            answer = await ask(app, PROXY, f"198.51.100.{number}")
            assert answer.status_code == 200


async def test_a_forged_header_of_a_stranger_gives_no_more(
    settings: Settings, store: MemoryStore
) -> None:
    async with slow_app(settings, store, trusted=(PROXY,)) as app:
        statuses = [
            (await ask(app, "192.0.2.1", f"198.51.100.{number}")).status_code
            for number in range(BURST + 1)
        ]
        assert statuses == [200] * BURST + [429]


async def test_requests_for_sites_that_do_not_exist_are_counted_too(
    settings: Settings, store: MemoryStore
) -> None:
    async with slow_app(settings, store) as app, connect(app) as client:
        statuses = [
            (await client.post("/api/visitor/token", json={"site": "none"})).status_code
            for _ in range(BURST + 1)
        ]
        assert statuses == [404] * BURST + [429]


def test_the_pace_comes_back_with_time() -> None:
    pace = AddressPace(2.0, 1)
    assert pace.take("192.0.2.1", 0.0) == 0.0
    assert pace.take("192.0.2.1", 0.0) == 0.5
    assert pace.take("192.0.2.1", 0.5) == 0.0


def test_many_addresses_do_not_fill_the_memory() -> None:
    pace = AddressPace(1.0, 1)
    for number in range(KEYS_MAX + 5):
        pace.take(f"address {number}", 0.0)
    assert len(pace) == KEYS_MAX
    assert pace.take(f"address {KEYS_MAX + 4}", 0.0) > 0, "the newest is remembered"
