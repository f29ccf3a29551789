"""One connection that writes: what the appender needs of a database.

A `DraftWriter` is used by one task only, which nobody outside can cancel. Errors leave
it sorted: `DataError` for values that the database refuses, `StorageFull`, and
`TemporaryError` for a transaction that did not happen or whose outcome nobody knows.
"""

import logging
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Any, ClassVar, Protocol, TypeVar

import anyio
import msgspec
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kefu_core.model import Draft
from kefu_core.store.planner import Plan
from kefu_core.types import ConversationId

logger = logging.getLogger(__name__)

T = TypeVar("T")
Job = Callable[[AsyncConnection], Awaitable[T]]

DRIVER_ERRORS: tuple[type[Exception], ...] = (SQLAlchemyError, sqlite3.Error, OSError)
"""What drivers raise, wrapped by SQLAlchemy or as it is."""
VALUE_ERRORS = (ValueError, OverflowError, TypeError)
"""What drivers raise for values that they cannot say."""


class Fault(Enum):
    """What an error of a database says about the transaction."""

    TEMPORARY = "temporary"
    """It did not happen, or nobody knows: run it again."""
    DATA = "data"
    """Values in it are at fault; without them it would have gone through."""
    FULL = "full"
    """No room on the disk: it did not happen, and waiting may help."""

    HELD = "held"
    """Somebody else has a lock: a deadlock, or a wait that was too long. It did not
    happen; run it again."""


class TemporaryError(Exception):
    """The transaction did not happen, or nobody knows; it may be run again."""


class DataError(Exception):
    """The database refuses something in the batch."""


class DiskFullError(Exception):
    """The database has no room; nothing was stored."""


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """What one transaction did."""

    plan: Plan
    """Of the drafts whose conversations could be locked, in their order."""
    deferred: frozenset[ConversationId] = frozenset()
    """Locked by somebody else just now: their drafts are for the next transaction."""


class Faults(Protocol):
    """How an engine's errors are told apart."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """Every kind of error that the driver raises."""

    def fault_of(self, error: Exception) -> Fault:
        """Return what one of them says about its transaction."""

    def abort(self, driver: Any) -> None:
        """Close a driver's connection at once, without a word to the database."""


class DraftWriter(ABC):
    """Commits drafts and runs jobs on one connection, made when it is needed."""

    def __init__(self, engine: AsyncEngine, faults: Faults) -> None:
        self._engine = engine
        self._faults = faults
        self._foreign: tuple[type[Exception], ...] = (*faults.errors, *VALUE_ERRORS)
        self.connection: AsyncConnection | None = None

    is_remote: ClassVar[bool] = False
    """Whether a network is in between, which can go silent."""

    async def commit(
        self,
        drafts: Sequence[Draft],
        now_ms: Callable[[], int],
        *,
        timeout_s: float,
        is_waiting: bool = False,
    ) -> Committed:
        """Store drafts in one transaction; returns after the COMMIT.

        Args:
            drafts: In order.
            now_ms: Unix milliseconds.
            timeout_s: What takes longer is given up, where a network can go silent.
            is_waiting: Wait a moment for rows that somebody else holds.

        Raises:
            DataError, DiskFullError: Nothing was stored.
            TemporaryError: Nothing was stored, or, if the connection broke at the
                COMMIT, nobody knows.
        """
        with self._bounded(timeout_s) as scope:
            try:
                return await self._commit(drafts, now_ms, is_waiting=is_waiting)
            except self._foreign as error:
                raise await self._sorted(error) from error
        raise await self._silent(scope)

    async def run(self, job: Job[T], *, timeout_s: float) -> T:
        """Run a job in a transaction of its own. Raises as `commit`, or its own."""
        with self._bounded(timeout_s) as scope:
            try:
                connection = await self.connect()
                async with connection.begin():
                    return await job(connection)
            except self._foreign as error:
                raise await self._sorted(error) from error
        raise await self._silent(scope)

    def _bounded(self, timeout_s: float) -> anyio.CancelScope:
        # In a file the locks are bounded by themselves, and a driver that is cancelled
        # in its thread leaves them behind.
        return anyio.move_on_after(timeout_s if self.is_remote else None)

    async def _silent(self, scope: anyio.CancelScope) -> TemporaryError:
        assert scope.cancelled_caught, "a transaction ended without an end"
        await self.disconnect()
        return TemporaryError("the database did not answer in time")

    async def connect(self) -> AsyncConnection:
        """Return the connection, a new one where there is none."""
        if self.connection is None:
            self.connection = await self._engine.connect()
        return self.connection

    async def disconnect(self) -> None:
        """Drop the connection; the database rolls back what it had begun."""
        connection, self.connection = self.connection, None
        if connection is not None:
            await drop(connection, self._faults)

    @abstractmethod
    async def _commit(
        self,
        drafts: Sequence[Draft],
        now_ms: Callable[[], int],
        *,
        is_waiting: bool,
    ) -> Committed: ...

    @abstractmethod
    async def _roll_back(self) -> None:
        """End a transaction that a refused statement left open."""

    async def _sorted(self, error: Exception) -> Exception:
        """Return what the error means; the connection is good again, or dropped."""
        fault = self._faults.fault_of(error)
        if fault in (Fault.DATA, Fault.HELD):
            try:
                await self._roll_back()
            except self._foreign:
                await self.disconnect()
            text = message_of(error)
            return DataError(text) if fault is Fault.DATA else TemporaryError(text)
        await self.disconnect()
        text = message_of(error)
        return DiskFullError(text) if fault is Fault.FULL else TemporaryError(text)


async def drop(connection: AsyncConnection, faults: Faults) -> None:
    """Close a connection that is in doubt, at once; the database rolls it back."""
    if connection.sync_connection is None:
        return
    foreign: tuple[type[Exception], ...] = (*faults.errors, *VALUE_ERRORS)
    try:
        if not connection.invalidated:
            raw = await connection.get_raw_connection()
            # First, since closing in good order asks a database that may be silent.
            faults.abort(raw.driver_connection)
        await connection.invalidate()
        await connection.close()
    except foreign as error:
        # It is broken; that it does not close properly says nothing new.
        logger.info("a broken connection did not close: %s", message_of(error))


def message_of(error: BaseException) -> str:
    """Return what the driver said, without the statement and its values."""
    cause: Any = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())[:300] or type(cause).__name__
