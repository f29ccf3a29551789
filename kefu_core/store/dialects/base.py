"""What engines do differently, behind one set of names."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from kefu_core.errors import ConfigurationError
from kefu_core.store.writing import DRIVER_ERRORS, DraftWriter, Fault

POOL_WAIT_S = 2.0
"""For a connection; then the caller is told to come again."""
RECYCLE_S = 1_800
"""A connection lives no longer: firewalls forget idle ones in silence."""
LOCK_WAIT_S = 5
"""In the database, for a lock: a bound that a cancelled client cannot give."""
LANE_WAIT_S = 1
"""The same where conversations wait in turn for whoever holds them."""
READERS = 4
"""Of a file: each is a thread."""
CLOCKS_APART_S = 5.0


class Refusal(StrEnum):
    """Why a database will not work, as far as its engine can say."""

    LOGIN = "login"
    RIGHTS = "rights"
    MISSING = "missing"
    """There is no such database."""
    UNREACHABLE = "unreachable"
    CROWDED = "crowded"
    FULL = "full"
    LOCKED = "locked"
    READONLY = "readonly"
    UNOPENED = "unopened"
    FOREIGN = "foreign"
    """The file is something else."""
    DAMAGED = "damaged"
    DRIVER = "driver"
    CERTIFICATE = "certificate"


SENTENCES: Mapping[Refusal, str] = {
    Refusal.LOGIN: "The database refuses the user or the password; check the URL.",
    Refusal.UNREACHABLE: (
        "The database server cannot be reached; check host and port in the URL, and "
        "that it runs."
    ),
    Refusal.CROWDED: ("The database has too many connections; raise max_connections."),
    Refusal.FULL: "The database's disk is full; make room, then start again.",
}
"""What a person should do, where it is the same for every engine."""


class Dialect(ABC):
    """One engine: its connections, errors, statements and what makes it durable."""

    name: ClassVar[str]
    """SQLAlchemy's name of it."""
    drivername: ClassVar[str]
    """What its URLs begin with."""
    title: ClassVar[str]
    """As people call it."""
    extra: ClassVar[str]
    """What to install: `pip install 'kefu[extra]'`."""
    appenders: ClassVar[int] = 2
    """Group commits at once; each has a share of the conversations."""
    clock_query: ClassVar[str] = ""
    """Asks the database's clock, Unix milliseconds; empty: it has none of its own."""
    job_writers: ClassVar[int] = 1
    """Tasks for other writes; 0: the appender does them between its commits."""
    has_lane: ClassVar[bool] = True
    """Whether other nodes can hold a row, so that something must wait for it."""
    readers: ClassVar[int] = 8
    """Connections that read."""
    sentences: ClassVar[Mapping[Refusal, str]] = {}
    """What a person should do about a refusal, beside `SENTENCES`."""
    snapshot_level: ClassVar[str] = "REPEATABLE READ"
    """The isolation in which all reads of a transaction see one moment."""
    long_statements: ClassVar[tuple[str, ...]] = ()
    """What a transaction that may take hours says first."""

    def check_url(self, url: URL) -> None:
        """Raise `ConfigurationError` for a URL that cannot be meant."""
        if not url.database:
            raise ConfigurationError(
                f"The database URL names no database; write {self.drivername}://"
                "USER:PASSWORD@HOST/DATABASE."
            )

    def open_writer(self, url: URL) -> AsyncEngine:
        """Return the engine of the connections that write."""
        engine = self._create(
            url,
            pool_size=self.appenders + self.job_writers + int(self.has_lane),
            isolation_level="READ COMMITTED",
        )
        self._on_connect(engine, is_reader=False)
        return engine

    def open_readers(self, url: URL) -> AsyncEngine:
        """Return the engine of the connections that read; they hold no transaction."""
        engine = self._create(url, pool_size=self.readers, isolation_level="AUTOCOMMIT")
        self._on_connect(engine, is_reader=True)
        return engine

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """Every kind of error that the driver raises, wrapped or not."""
        return DRIVER_ERRORS

    @abstractmethod
    def fault_of(self, error: Exception) -> Fault:
        """Return what an error says about its transaction."""

    def abort(self, driver: Any) -> None:  # noqa: B027  # a file needs nothing
        """Close a driver's connection at once, without a word to the database."""

    @abstractmethod
    def draft_writer(self, engine: AsyncEngine) -> DraftWriter:
        """Return what commits drafts on one of the writers' connections."""

    async def all_problems(
        self, connection: AsyncConnection, now_ms: Callable[[], int]
    ) -> list[str]:
        """Return the engine's own problems, and whether the clocks agree."""
        found = await self.problems(connection)
        if self.clock_query:
            [(at,)] = await rows_of(connection, self.clock_query)
            apart_s = abs(int(at) - now_ms()) / 1000
            if apart_s > CLOCKS_APART_S:
                found.append(
                    f"The database's clock and this machine's are {apart_s:.0f} s "
                    "apart; set both by NTP."
                )
        return found

    @abstractmethod
    async def problems(self, connection: AsyncConnection) -> list[str]:
        """Return what keeps this database from keeping the promise, each with a fix."""

    async def begin_snapshot(self, connection: AsyncConnection) -> None:
        """Have all that a fresh connection reads from now on be of one moment."""
        await connection.execution_options(isolation_level=self.snapshot_level)
        await self.take_time(connection)

    async def take_time(self, connection: AsyncConnection) -> None:
        """Let this transaction last as long as it needs."""
        for statement in self.long_statements:
            await connection.exec_driver_sql(statement)

    async def damage(self, connection: AsyncConnection) -> list[str]:
        """Return what the engine itself finds wrong with its files; changes nothing."""
        return []

    @abstractmethod
    def refusal_of(self, error: BaseException) -> Refusal | None:
        """Return what an error at the start means; None: unknown."""

    def sentence(self, error: BaseException) -> str | None:
        """Return what a person should do about an error at the start; None: unknown."""
        refusal = self.refusal_of(error)
        if refusal is None:
            return None
        return self.sentences.get(refusal) or SENTENCES[refusal]

    @abstractmethod
    async def lock_migrations(self, connection: AsyncConnection) -> None:
        """Wait until no other process migrates; held until the connection closes."""

    # -- parts -------------------------------------------------------------------------

    def session_statements(self, *, is_reader: bool) -> tuple[str, ...]:
        """Return what is said on each new connection."""
        return ()

    def _create(self, url: URL, *, pool_size: int, **options: Any) -> AsyncEngine:
        settings: dict[str, Any] = {
            "pool_size": pool_size,
            "max_overflow": 0,
            # Errors are logged; what people wrote is not.
            "hide_parameters": True,
            "pool_timeout": POOL_WAIT_S,
            "pool_pre_ping": True,
            "pool_recycle": RECYCLE_S,
            **options,
        }
        try:
            return create_async_engine(url, **settings)
        except (NoSuchModuleError, ImportError) as error:
            raise ConfigurationError(
                f"The {self.title} driver is missing; install it with: "
                f"pip install 'kefu[{self.extra}]'."
            ) from error

    def _on_connect(self, engine: AsyncEngine, *, is_reader: bool) -> None:
        statements = self.session_statements(is_reader=is_reader)

        @event.listens_for(engine.sync_engine, "connect")
        def _connected(connection: Any, record: object) -> None:
            cursor = connection.cursor()
            try:
                for statement in statements:
                    cursor.execute(statement)
            finally:
                cursor.close()
            connection.commit()


async def rows_of(connection: AsyncConnection, text: str) -> list[tuple[Any, ...]]:
    """Return the rows of a statement without values."""
    found: Any = (await connection.exec_driver_sql(text)).all()
    return [tuple(row) for row in found]


def cause_of(error: BaseException) -> BaseException:
    """Return the driver's own error."""
    return getattr(error, "orig", None) or error
