"""The database named by the settings: opening it, and what `kefu db` does."""

from collections.abc import Callable
from pathlib import Path

from kefu_core.abc.store import Store
from kefu_core.node import monotonic, unix_ms
from kefu_server.settings import Settings


def open_store(settings: Settings, *, now_ms: Callable[[], int] = unix_ms) -> Store:
    """Return the store of these settings, not yet open."""
    from kefu_core.store.sql import SqlStore

    if not settings.database_url:
        Path(settings.data_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    return SqlStore(
        settings.database, limits=settings.limits, now=monotonic, now_ms=now_ms
    )
