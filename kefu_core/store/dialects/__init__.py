"""The engines kefu runs on; the database URL chooses."""

from sqlalchemy.engine import URL

from kefu_core.errors import ConfigurationError
from kefu_core.store.dialects.base import Dialect
from kefu_core.store.dialects.mssql import MssqlDialect
from kefu_core.store.dialects.mysql import MysqlDialect
from kefu_core.store.dialects.postgres import PostgresDialect
from kefu_core.store.dialects.sqlite import SqliteDialect

DIALECTS: dict[str, Dialect] = {
    dialect.drivername: dialect
    for dialect in (SqliteDialect(), MysqlDialect(), PostgresDialect(), MssqlDialect())
}


def dialect_of(url: URL) -> Dialect:
    """Return the engine of a URL. Raises `ConfigurationError`."""
    found = DIALECTS.get(url.drivername)
    if found is None:
        raise ConfigurationError(
            f"The database driver {url.drivername!r} is not supported; use one of "
            f"{', '.join(f'{name}://…' for name in DIALECTS)}."
        )
    return found


__all__ = ["DIALECTS", "Dialect", "dialect_of"]
