"""The example of a fourth transport passes the contract unchanged."""

import pytest

from examples.sse_transport import SseTransport
from kefu_core.abc.transports import Transport
from kefu_core.testing.serving import OpenStore, ServeAsgi
from kefu_core.testing.transports import TransportContract
from kefu_core.transports.registry import find_transport
from tests.conformance.conftest import serve_by_hypercorn


@pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning")
class TestServerSentEvents(TransportContract):
    @pytest.fixture(params=["asyncio-memory", "trio-memory"])
    def world(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def transport(self) -> Transport:
        return SseTransport()

    @pytest.fixture
    def neighbours(self) -> list[Transport]:
        return [find_transport("websocket")]

    @pytest.fixture
    def open_store(self, world_store: OpenStore) -> OpenStore:
        return world_store

    @pytest.fixture
    def serve_asgi(self) -> ServeAsgi:
        return serve_by_hypercorn

    @pytest.fixture
    def share(self) -> tuple[int, int]:
        return 0, 40
