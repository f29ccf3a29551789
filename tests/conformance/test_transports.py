"""Every transport against the one contract."""

import pytest

from kefu_core.abc.transports import Transport
from kefu_core.errors import ErrorCode
from kefu_core.testing.refusals import ERRORS
from kefu_core.testing.serving import OpenStore, ServeAsgi
from kefu_core.testing.transports import TransportContract
from kefu_core.transports.registry import find_transport
from tests.conformance.conftest import serve_by_hypercorn
from tests.depth import times

_EACH_OF_HTTP = times(7, 1)
"""Of so many bytes one is cut; the long run does them all."""
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


# On trio, httpx leaves its own generator of a body that could not be written.
@pytest.mark.filterwarnings("ignore:Async generator 'http:ResourceWarning")
class TestLongPoll(_OneOfThree):
    name = "longpoll"

    @pytest.fixture
    def share(self, world_share: tuple[int, int]) -> tuple[int, int]:
        # Most bytes of HTTP are headers, and each cut waits for a retry; every byte
        # of the bodies is cut in test_longpoll_faults.py.
        number, of = world_share
        return number * _EACH_OF_HTTP, of * _EACH_OF_HTTP


def test_every_error_code_is_earned_on_every_transport() -> None:
    own_tests = {ErrorCode.UNAUTHORIZED, ErrorCode.TOO_LARGE}
    assert ERRORS.keys() | own_tests == set(ErrorCode)
