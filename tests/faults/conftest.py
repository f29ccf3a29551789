"""One server for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.faults.cells import LIMITS
from tests.faults.people import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose heartbeats are short."""
    with Server(tmp_path_factory.mktemp("server"), **LIMITS) as server:
        yield server
