"""aioodbc's connection, with the end that it lacks.

aioodbc runs each call in a thread and knows no cancelling (its issue 193): a statement
whose caller gave up goes on, and closing its connection then fails half-way, since the
one who closes is cancelled as well. Here closing such a connection awaits nothing: the
statement is told to stop (`SQLCancel`, which a driver takes from any thread), and the
thread that it occupies closes the connection when it has.

What one thread frees must not be in use in another: the process would die of it. So
calls of one connection never run beside each other, and nothing is freed while a
statement is being told to stop.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from functools import partial
from typing import Any

import aioodbc.connection
import pyodbc


class OdbcConnection(aioodbc.connection.Connection):  # type: ignore[misc]
    """One connection; its calls run in the executor, one at a time."""

    _executor: Executor
    _loop: asyncio.AbstractEventLoop
    _conn: Any
    _work: Future[Any] | None = None
    _worker: Any = None
    """Whose method runs: a cursor or a connection of pyodbc's."""
    _stopper: threading.Thread | None = None
    """Tells the statement that runs to stop."""

    def _execute(self, call: Any, *args: Any, **options: Any) -> asyncio.Future[Any]:
        work = partial(call, *args, **options)
        before = self._work
        if before is None or before.done():
            self._worker = getattr(call, "__self__", None)
            self._work = self._executor.submit(work)
        else:
            # Its caller has gone away. The executor takes calls in order, so what is
            # waited for has begun.
            self._work = self._executor.submit(self._after, before, work)
        return asyncio.wrap_future(self._work, loop=self._loop)

    def _after(self, before: Future[Any], work: Callable[[], Any]) -> Any:
        wait([before])
        if self._stopper is not None:
            self._stopper.join()
        return work()

    async def close(self) -> None:
        connection, self._conn = self._conn, None
        if connection is None:
            return
        if self._work is None or self._work.done():
            await self._execute(connection.close)
            return
        if isinstance(self._worker, pyodbc.Cursor):
            # In a thread of its own: a driver may take a while even for this.
            self._stopper = threading.Thread(
                target=_cancel, args=[self._worker], daemon=True
            )
            self._stopper.start()
        # Called by the thread that the statement occupies.
        self._work.add_done_callback(lambda _: self._end(connection))

    def _end(self, connection: Any) -> None:
        if self._stopper is not None:
            self._stopper.join()
        _close(connection)


async def open_connection(**options: Any) -> OdbcConnection:
    """Open a connection with the arguments of `aioodbc.connect`."""
    connection = OdbcConnection(**options)
    await connection._connect()
    return connection


def _cancel(cursor: Any) -> None:
    try:
        cursor.cancel()
    except pyodbc.Error:
        # It ended by itself just now, or its connection did.
        pass


def _close(connection: Any) -> None:
    try:
        connection.close()
    except pyodbc.Error:
        # It is broken; that it does not close properly says nothing new.
        pass
