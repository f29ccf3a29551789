"""The peer's address behind proxies."""

from pathlib import Path
from typing import Any

import pytest
from starlette.middleware.base import BaseHTTPMiddleware

from kefu_server import middleware
from kefu_server.middleware import TrustedProxies

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def address_seen(
    client: str, *forwarded: str, trusted: str = "10.0.0.0/8"
) -> str:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    headers = [(b"x-forwarded-for", text.encode()) for text in forwarded]
    scope = {"type": "http", "client": (client, 1), "headers": headers}
    proxies = TrustedProxies(app, (trusted,) if trusted else ())
    await proxies(scope, None, None)  # type: ignore[arg-type]
    return str(seen[0])


async def test_a_trusted_proxy_names_the_client() -> None:
    assert await address_seen("10.0.0.1", "192.0.2.7") == "192.0.2.7"
    assert await address_seen("10.0.0.1", "2001:db8::1") == "2001:db8::1"


async def test_what_the_client_wrote_itself_is_not_believed() -> None:
    seen = await address_seen("10.0.0.1", "203.0.113.1, 192.0.2.7, 10.0.0.2")
    assert seen == "192.0.2.7"
    assert await address_seen("10.0.0.1", "203.0.113.1", "192.0.2.7") == "192.0.2.7"


async def test_a_socket_for_both_kinds_of_addresses_changes_nothing() -> None:
    """It writes IPv4 as IPv6: `::ffff:10.0.0.1`."""
    assert await address_seen("::ffff:10.0.0.1", "192.0.2.7") == "192.0.2.7"
    assert await address_seen("10.0.0.1", "::ffff:192.0.2.7") == "192.0.2.7"
    chain = "203.0.113.1, ::ffff:192.0.2.7, ::FFFF:10.0.0.2"
    assert await address_seen("::ffff:10.0.0.1", chain) == "192.0.2.7"
    assert await address_seen("::ffff:192.0.2.1", "203.0.113.1") == "::ffff:192.0.2.1"


async def test_a_stranger_or_a_garbled_header_changes_nothing() -> None:
    assert await address_seen("192.0.2.1", "203.0.113.1") == "192.0.2.1"
    assert await address_seen("10.0.0.1", "203.0.113.1", trusted="") == "10.0.0.1"
    assert await address_seen("10.0.0.1", "not an address") == "10.0.0.1"
    assert await address_seen("10.0.0.1", "192.0.2.7, x\x1b[31m") == "10.0.0.1"
    assert await address_seen("10.0.0.1") == "10.0.0.1"


def test_nothing_wraps_what_carries_frames_in_tasks_of_its_own() -> None:
    """Starlette's `BaseHTTPMiddleware` does, and a poll that ends early hangs in it."""
    classes = [one for one in vars(middleware).values() if isinstance(one, type)]
    assert not [one for one in classes if issubclass(one, BaseHTTPMiddleware)]
    sources = [*Path("kefu_server").rglob("*.py"), *Path("examples").glob("*.py")]
    assert sources
    assert not [p for p in sources if "import BaseHTTPMiddleware" in p.read_text()]
