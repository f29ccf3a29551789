"""Which URLs go with which transports."""

import pytest

from kefu_core.client import Client
from kefu_core.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "transport", "says"),
    [
        ("https://chat.example", "tcp", "port of its own.*tcp://host:port"),
        ("tcp://chat.example:7440", "websocket", "dials ws, wss URLs"),
        ("ftp://chat.example", "auto", "begin it with https://"),
    ],
)
def test_a_url_that_a_transport_cannot_dial_is_refused_at_once(
    url: str, transport: str, says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Client(url, token="t", transport=transport)
