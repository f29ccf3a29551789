"""Group commits through each driver, past the layers above it.

A statement through SQLAlchemy costs some 150 µs of this process, six times for a
transaction, and the drivers a third of it (2026-11). So the few statements that every
message needs go to the driver itself; the connection is the pool's all the same, and
only one task uses it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from kefu_core.model import Draft
from kefu_core.store.batching import Rows, Statements, Steps, group_commit
from kefu_core.store.planner import Plan
from kefu_core.store.writing import Committed, DraftWriter, Fault, Faults


class RemoteWriter(DraftWriter):
    """Commits drafts by an engine's `Statements`."""

    is_remote = True

    def __init__(
        self, engine: AsyncEngine, faults: Faults, statements: Statements
    ) -> None:
        super().__init__(engine, faults)
        self._statements = statements
        self.driver: Any = None

    async def _commit(
        self,
        drafts: Sequence[Draft],
        now_ms: Callable[[], int],
        *,
        is_waiting: bool,
    ) -> Committed:
        if self.driver is None:
            connection = await self.connect()
            raw = await connection.get_raw_connection()
            self.driver = raw.driver_connection
        steps = group_commit(self._statements, drafts, now_ms, is_waiting=is_waiting)
        try:
            return await self._play(steps)
        except self._faults.errors as error:
            if not is_waiting or self._faults.fault_of(error) is not Fault.HELD:
                raise
            # Still held by somebody else; the others that wait have their turn now.
            await self._roll_back()
            held = frozenset(draft.conversation for draft in drafts)
            nothing = Plan(outcomes=[], messages=[], conversations=[], touched=[])
            return Committed(plan=nothing, deferred=held)

    async def disconnect(self) -> None:
        self.driver = None
        await super().disconnect()

    async def _play(self, steps: Steps) -> Committed:
        """Run the steps in one transaction; returns after the COMMIT."""
        raise NotImplementedError


class AsyncpgWriter(RemoteWriter):
    """Through asyncpg, which prepares every statement once."""

    async def _play(self, steps: Steps) -> Committed:
        driver = self.driver
        await driver.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        try:
            text, values = next(steps)
            while True:
                text, values = steps.send(await driver.fetch(text, *values))
        except StopIteration as end:
            await driver.execute("COMMIT")
            committed: Committed = end.value
            return committed

    async def _roll_back(self) -> None:
        # Some errors, of values for example, come before any transaction began.
        if self.driver is not None and self.driver.is_in_transaction():
            await self.driver.execute("ROLLBACK")


class AsyncmyWriter(RemoteWriter):
    """Through asyncmy; the first statement begins a transaction by itself."""

    async def _play(self, steps: Steps) -> Committed:
        driver = self.driver
        cursor = driver.cursor()
        try:
            text, values = next(steps)
            while True:
                await cursor.execute(text, values)
                rows: Rows = await cursor.fetchall() if cursor.description else ()
                text, values = steps.send(rows)
        except StopIteration as end:
            await driver.commit()
            committed: Committed = end.value
            return committed

    async def _roll_back(self) -> None:
        if self.driver is not None:
            await self.driver.rollback()


class OdbcWriter(RemoteWriter):
    """Through aioodbc, a call at a time: one that takes too long can be cancelled."""

    async def _play(self, steps: Steps) -> Committed:
        driver = self.driver
        cursor = await driver.cursor()
        try:
            text, values = next(steps)
            while True:
                await cursor.execute(text, *values)
                rows: Rows = await cursor.fetchall() if cursor.description else ()
                text, values = steps.send(rows)
        except StopIteration as end:
            await cursor.close()
            await driver.commit()
            committed: Committed = end.value
            return committed

    async def _roll_back(self) -> None:
        if self.driver is not None:
            await self.driver.rollback()
