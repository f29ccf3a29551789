"""A scripted SQL Server for each test, where Microsoft's driver is at hand."""

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.mssql.driver import DriverMissingError, microsoft_driver

if TYPE_CHECKING:
    from tests.mssql.server import ScriptedServer


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def server() -> "Iterator[ScriptedServer]":
    """A scripted SQL Server, to be reached through Microsoft's own driver."""
    try:
        driver = microsoft_driver()
        if importlib.util.find_spec("pysqlbridge") is None:
            raise DriverMissingError("pip's pysqlbridge is not installed")
    except DriverMissingError as missing:
        pytest.skip(f"{missing}; the path to SQL Server was not tested")
    from tests.mssql.server import ScriptedServer

    with ScriptedServer(driver).running() as scripted:
        yield scripted
