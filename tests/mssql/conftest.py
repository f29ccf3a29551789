"""A scripted SQL Server for each test, where an ODBC driver for it is at hand."""

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.mssql.driver import DriverMissingError, freetds_driver, microsoft_driver

if TYPE_CHECKING:
    from tests.mssql.server import ScriptedServer

DRIVERS = {"microsoft": microsoft_driver, "freetds": freetds_driver}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=DRIVERS)
def server(request: pytest.FixtureRequest) -> "Iterator[ScriptedServer]":
    """A scripted SQL Server, to be reached through a real driver."""
    try:
        driver = DRIVERS[request.param]()
        if importlib.util.find_spec("pysqlbridge") is None:
            raise DriverMissingError("pip's pysqlbridge is not installed")
    except DriverMissingError as missing:
        pytest.skip(f"{missing}; the path to SQL Server was not tested with it")
    from tests.mssql.server import ScriptedServer

    with ScriptedServer(driver).running() as scripted:
        yield scripted
