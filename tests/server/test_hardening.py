"""What the server's sockets refuse, seen from outside the process."""

from typing import Any

import pytest
from wsproto.events import BytesMessage, TextMessage
from wsproto.extensions import PerMessageDeflate

from kefu_core.errors import ConfigurationError
from kefu_server import hardening
from tests.server.process import HANDSHAKE, SERVER, ServerProcess

OFFERS = [
    b"permessage-deflate",
    b"permessage-deflate; client_max_window_bits",
    b"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    b"x-unknown, permessage-deflate; server_max_window_bits=10",
]


def test_no_socket_is_ever_compressed(server: ServerProcess) -> None:
    for offer in OFFERS:
        answer = server.exchange(
            HANDSHAKE + b"Sec-WebSocket-Extensions: " + offer + b"\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 101"), answer
        assert b"kefu.v1.json" in answer
        assert b"sec-websocket-extensions" not in answer.lower()


def test_http2_in_clear_is_refused_however_it_is_asked_for(
    server: ServerProcess,
) -> None:
    upgrade = b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: Upgrade"
    settings = b", HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
    upgrades = [
        upgrade + settings + b"Upgrade: h2c\r\n\r\n",
        upgrade + b"\r\nUpgrade: H2C, websocket\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
    ]
    for request in upgrades:
        answer = server.exchange(request)
        # A frame of HTTP/2 would begin with three bytes of length.
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400"), answer
    assert server.exchange(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").startswith(
        b"HTTP/1.1 200"
    )


@pytest.mark.parametrize(
    "said",
    [
        HANDSHAKE + b"\r\n\x81\xfe\x10\x00abcd",
        HANDSHAKE.replace(b"Version: 13", b"Version: 99") + b"\r\n",
        HANDSHAKE.replace(b"Sec-WebSocket-Key", b"X-Key") + b"\r\n",
    ],
    ids=["data before the answer", "unknown version", "no key"],
)
def test_a_websocket_that_is_refused_is_closed_too(
    server: ServerProcess, said: bytes
) -> None:
    """Nobody may hold a connection that no limit counts and no time-out ends."""
    if SERVER != "hypercorn" and said.endswith(b"abcd"):
        pytest.skip("it is opened, and ended like any that says no hello")
    # Only the end of the connection satisfies this.
    answer = server.exchange(said, b"the end")
    assert answer.startswith(b"HTTP/1.1 400"), answer


def test_a_hypercorn_that_has_moved_the_names_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("hypercorn.protocol.ws_stream.PerMessageDeflate")
    with pytest.raises(ConfigurationError, match="PerMessageDeflate"):
        hardening.harden_hypercorn()
    name = "hypercorn.protocol.ws_stream.PerMessageDeflate"
    monkeypatch.setattr(name, int, raising=False)
    with pytest.raises(ConfigurationError, match="install the version"):
        hardening.harden_hypercorn()


def test_hardening_twice_changes_nothing_more() -> None:
    hardening.harden_hypercorn()
    hardening.harden_hypercorn()
    assert issubclass(hardening.NoDeflate, PerMessageDeflate)


@pytest.mark.parametrize("kind", [BytesMessage, TextMessage])
def test_a_message_is_kept_up_to_one_byte_over_its_limit(kind: type) -> None:
    buffer = hardening.BoundedBuffer(10)
    piece: Any = "12345678" if kind is TextMessage else b"12345678"
    for size in (8, 11, 11):
        buffer.extend(kind(data=piece, message_finished=False))
        assert buffer.length == size
    message = buffer.to_message()
    assert (message["text"] or message["bytes"]) == piece + piece[:3]
    buffer.clear()
    assert buffer.length == 0
