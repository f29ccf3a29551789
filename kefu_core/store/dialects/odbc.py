"""aioodbc's connection, with the end that it lacks.

aioodbc runs each call in a thread and knows no cancelling (its issue 193): a statement
whose caller gave up goes on, and closing its connection then fails half-way, since the
one who closes is cancelled as well. Here closing such a connection awaits nothing: the
statement is told to stop (`SQLCancel`, which a driver takes from any thread), and the
thread that it occupies closes the connection when it has.
"""

import asyncio
import threading
from concurrent.futures import Executor, Future
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
    """Whose method the last call was: a cursor or a connection of pyodbc's."""

    def _execute(self, call: Any, *args: Any, **options: Any) -> asyncio.Future[Any]:
        self._worker = getattr(call, "__self__", None)
        self._work = self._executor.submit(partial(call, *args, **options))
        return asyncio.wrap_future(self._work, loop=self._loop)

    async def close(self) -> None:
        connection, self._conn = self._conn, None
        if connection is None:
            return
        if self._work is None or self._work.done():
            await self._execute(connection.close)
            return
        if isinstance(self._worker, pyodbc.Cursor):
            # In a thread of its own: a driver may take a while even for this.
            threading.Thread(target=_cancel, args=[self._worker], daemon=True).start()
        self._work.add_done_callback(lambda _: _close(connection))


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
