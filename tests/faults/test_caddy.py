"""A real Caddy in front, with the shipped example."""

from pathlib import Path

import anyio
import httpx
import pytest

from tests.faults.caddy import Caddy, needs_caddy
from tests.faults.people import Server
from tests.faults.test_nginx import talk_through

pytestmark = [needs_caddy, pytest.mark.timeout(60)]


@pytest.mark.parametrize(
    ("transport", "carrier"), [("auto", "websocket"), ("longpoll", "longpoll")]
)
def test_through_caddy_conversations_lose_nothing_and_addresses_are_true(
    tmp_path: Path, transport: str, carrier: str
) -> None:
    """The server believes Caddy, and Caddy nobody."""
    with (
        Server(tmp_path, proxies="127.0.0.1") as server,
        Caddy(tmp_path, server.port) as caddy,
        httpx.Client(
            transport=httpx.HTTPTransport(local_address="127.0.0.9"), trust_env=False
        ) as client,
    ):
        assert anyio.run(talk_through, server, caddy, transport) == {carrier}
        lies = {"X-Forwarded-For": "203.0.113.7", "X-Real-IP": "203.0.113.7"}
        assert client.get(f"{caddy.url}/no-such", headers=lies).status_code == 404
        server.until_logged("path=/no-such")
        assert "address=127.0.0.9" in server.log
        assert "203.0.113.7" not in server.log
