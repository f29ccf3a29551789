"""Engines by URL: one setting chooses the database."""

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine

from kefu_core.errors import ConfigurationError
from kefu_core.store.dialects import dialect_of


def parse_url(url: str) -> URL:
    """Return the URL. Raises `ConfigurationError` that says what is wrong with it."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            "The database URL cannot be read; write for example "
            "sqlite+aiosqlite:///kefu.db or mysql+asyncmy://USER:PASSWORD@HOST/kefu."
        ) from error
    dialect_of(parsed).check_url(parsed)
    return parsed


def open_writer(url: URL) -> AsyncEngine:
    """Return the engine of the connections that write."""
    return dialect_of(url).open_writer(url)


def open_readers(url: URL) -> AsyncEngine:
    """Return the engine of the connections that read."""
    return dialect_of(url).open_readers(url)


def require_file(url: URL) -> None:
    """Refuse a SQLite file that does not exist: opening it would make an empty one."""
    if url.drivername.startswith("sqlite") and not Path(url.database or "").is_file():
        raise ConfigurationError(f"There is no file {url.database!r} to read.")
