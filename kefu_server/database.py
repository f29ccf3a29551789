"""The database named by the settings: opening it, and what `kefu db` does."""

from collections.abc import Callable
from pathlib import Path

import anyio

from kefu_core.abc.store import Store
from kefu_core.errors import ConfigurationError, KefuError
from kefu_core.node import monotonic, unix_ms
from kefu_core.store import schema
from kefu_core.store.sql import SqlStore
from kefu_server.settings import Settings, environment_name


def open_store(settings: Settings, *, now_ms: Callable[[], int] = unix_ms) -> Store:
    """Return the store of these settings, not yet open.

    Raises:
        ConfigurationError: The URL cannot be used.
    """
    return SqlStore(
        prepared(settings), limits=settings.limits, now=monotonic, now_ms=now_ms
    )


def upgrade(settings: Settings) -> str:
    """Create or upgrade the tables; return their version."""
    return anyio.run(schema.upgrade, prepared(settings))


def current(settings: Settings) -> str | None:
    """Return the version of the tables, None where there are none."""
    return anyio.run(schema.current, prepared(settings))


def check(settings: Settings) -> list[str]:
    """Return what keeps the database from holding what it acknowledges."""

    async def run() -> list[str]:
        await schema.check(prepared(settings))
        async with open_store(settings) as store:
            await store.ping()
            return await store.problems()

    try:
        return anyio.run(run)
    except KefuError as error:
        return [str(error)]


def hide_url(text: str, settings: Settings) -> str:
    """Return `text` without the database URL, which may hold a password."""
    if not settings.database_url:
        return text
    return text.replace(settings.database_url.reveal(), "***")


def prepared(settings: Settings) -> str:
    """Return the URL, with the folder of the embedded database made.

    Raises:
        ConfigurationError: It cannot be made.
    """
    if not settings.database_url:
        try:
            Path(settings.data_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"data_dir = {settings.data_dir!r} cannot be made ({error.strerror}); "
                "make its place writable for this user or choose another with "
                f"{environment_name('data_dir')}."
            ) from error
    return settings.database
