"""Every transport against the one contract."""

import pytest

from kefu_core.abc.transports import Transport
from kefu_core.testing.serving import OpenStore, ServeAsgi
from kefu_core.testing.transports import TransportContract
from kefu_core.transports.registry import find_transport
from tests.conformance.conftest import serve_by_hypercorn

_ALL = ("websocket", "tcp", "longpoll")


class _OneOfThree(TransportContract):
    name = ""

    @pytest.fixture
    def transport(self) -> Transport:
        return find_transport(self.name)

    @pytest.fixture
    def neighbours(self) -> list[Transport]:
        # Each test moves there and back, so every ordered pair is met.
        return [find_transport(name) for name in _ALL if name != self.name]

    @pytest.fixture
    def open_store(self, world_store: OpenStore) -> OpenStore:
        return world_store

    @pytest.fixture
    def serve_asgi(self) -> ServeAsgi:
        return serve_by_hypercorn

    @pytest.fixture
    def share(self, world_share: tuple[int, int]) -> tuple[int, int]:
        return world_share


class TestWebSocket(_OneOfThree):
    name = "websocket"


class TestTcp(_OneOfThree):
    name = "tcp"


class TestLongPoll(_OneOfThree):
    name = "longpoll"
