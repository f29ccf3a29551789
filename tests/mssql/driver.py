"""The ODBC drivers of this machine, and what is missing without them."""

import importlib.util
import platform
from pathlib import Path


def microsoft_driver() -> str:
    """Return the path of Microsoft's driver. Raises `DriverMissingError`.

    The package has it for tests: its licence lets one use it to develop and test, not
    pass it on. Who runs kefu installs msodbcsql18.
    """
    require_odbc()
    found = importlib.util.find_spec("mssql_python_odbc")
    if found is None or found.origin is None:
        raise DriverMissingError("pip's mssql-python-odbc is not installed")
    libs = Path(found.origin).parent / "libs/linux/debian_ubuntu"
    machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    paths = sorted((libs / machine / "lib").glob("libmsodbcsql-*.so*"))
    if not paths:
        raise DriverMissingError("mssql-python-odbc has no driver for this machine")
    return str(paths[-1])


def freetds_driver() -> str:
    """Return the name that unixODBC has for FreeTDS. Raises `DriverMissingError`."""
    require_odbc()
    import pyodbc

    if "FreeTDS" not in pyodbc.drivers():
        raise DriverMissingError("Debian's tdsodbc is not installed")
    return "FreeTDS"


def require_odbc() -> None:
    """Raise `DriverMissingError` unless pyodbc and unixODBC are there."""
    try:
        import aioodbc  # noqa: F401
        import pyodbc  # noqa: F401
    except ImportError as error:
        # pyodbc's wheel has no libodbc.so.2 of its own.
        raise DriverMissingError(
            f"aioodbc does not load ({error}); install kefu[mssql] and Debian's "
            "unixodbc"
        ) from error


class DriverMissingError(Exception):
    """The text says what to install."""
