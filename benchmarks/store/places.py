"""Where the history goes: a file, a server of our own, or a database that is there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from benchmarks.databases import SERVERS, PrivateServer
from benchmarks.store.filling import FillError, open_engine

_VERSION = {
    "sqlite": "SELECT sqlite_version()",
    "mysql": "SELECT VERSION()",
    "postgresql": "SHOW server_version",
    "mssql": "SELECT @@VERSION",
}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Databases for the sizes that are measured."""

    url_of: Callable[[int], str]
    """The URL of the database for so many messages, which exists."""
    server_cpu: Callable[[], float] | None = None
    """CPU seconds of the database's processes, where they are ours."""
    is_shared: bool = False
    """All sizes are one database: each is measured when the fill comes by."""


@contextmanager
def opened(url: str, data: Path) -> Iterator[Place]:
    """Open `sqlite`, `mysql`, `postgres` or a SQLAlchemy URL.

    Files are kept in `data`, and filled further by the next run; a private server's
    are gone with it.

    Raises:
        FillError: The URL cannot be read.
        ServerMissingError: The server's programs are not installed.
    """
    if url == "sqlite":
        data.mkdir(parents=True, exist_ok=True)
        folder = data.resolve()
        yield Place(url_of=lambda n: f"sqlite+aiosqlite:///{folder}/store-{n}.db")
    elif url in SERVERS:
        with SERVERS[url]() as server:
            yield Place(
                url_of=lambda n: server.create(f"store_{n}"),
                server_cpu=lambda: _cpu_s(server),
            )
    else:
        try:
            make_url(url)
        except ArgumentError as error:
            raise FillError("The URL cannot be read.") from error
        yield Place(url_of=lambda _: url, is_shared=True)


def _cpu_s(server: PrivateServer) -> float:
    main = psutil.Process(server.pid)
    total = 0.0
    for process in (main, *main.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    # What ended meanwhile: PostgreSQL has a process for each connection.
    times = main.cpu_times()
    return float(total + times.children_user + times.children_system)


async def engine_of(url: str) -> str:
    """Return the name and version of the database."""
    engine = open_engine(url)
    try:
        async with engine.connect() as connection:
            kind = connection.dialect.name
            found = (await connection.execute(text(_VERSION[kind]))).scalar()
            return f"{kind} {found}"
    finally:
        await engine.dispose()
