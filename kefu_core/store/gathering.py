"""Reads that wait together are one statement: group commit's idea, for reads.

Theory of operation
-------------------

A read through an async driver costs the same few trips whether it asks for one row or
for fifty. So whoever wants a row while a read is under way waits, with all who come
meanwhile, and the next statement asks for everything they want. There is no timer: the
read in flight is the window. A lone reader waits for nobody; a thousand who reconnect
at once are answered by a few dozen statements instead of thousands.

What holds, and why:

- Nobody is given what was read before it asked: a read that has begun takes no one in.
- The reads belong to a task of the store's. A caller that goes away cancels nothing.
- One read is in flight for each kind. Its time is bounded by the store; when it fails,
  those it was for are told, and those who came meanwhile have the next one.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import anyio

from kefu_core.errors import KefuError, StoreUnavailable

K = TypeVar("K")
V = TypeVar("V")

StartTask = Callable[[Callable[[], Coroutine[Any, Any, None]]], object]


class _Batch(Generic[K, V]):
    """One statement to be: what it asks for, and what came of it."""

    __slots__ = ("error", "finished", "found", "keys", "weight")

    def __init__(self) -> None:
        self.keys: dict[K, None] = {}
        self.weight = 0
        self.finished = anyio.Event()
        self.found: Mapping[K, V] = {}
        self.error: KefuError | None = None


class Gathering(Generic[K, V]):
    """Finds values by key, for all who ask at the same time at once."""

    def __init__(
        self,
        read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]],
        start_task: StartTask,
        *,
        most: int,
        weigh: Callable[[K], int] = lambda _: 1,
    ) -> None:
        """Take what reads.

        Args:
            read: Reads some distinct keys; what does not exist is left out.
            start_task: Runs a function in a task that lives as long as the store.
            most: What one statement may ask for, by weight; a single key may be more.
            weigh: What a key weighs.
        """
        self.statements = 0
        self._read = read
        self._start_task = start_task
        self._most = most
        self._weigh = weigh
        self._waiting: list[_Batch[K, V]] = []
        """Not begun, in the order in which they will be."""
        self._is_reading = False
        self._is_closed = False

    async def find(self, keys: Iterable[K]) -> dict[K, V]:
        """Return those of these that exist, as they are after this call.

        Raises:
            StoreUnavailable: The read failed, or the store is closed.
        """
        if self._is_closed:
            raise StoreUnavailable("The store is closed.")
        mine = {key: self._join(key) for key in dict.fromkeys(keys)}
        if not self._is_reading and mine:
            self._is_reading = True
            self._start_task(self._work)
        found: dict[K, V] = {}
        for key, batch in mine.items():
            await batch.finished.wait()
            if batch.error is not None:
                raise StoreUnavailable(retry_after_s=1.0) from batch.error
            if key in batch.found:
                found[key] = batch.found[key]
        return found

    def _join(self, key: K) -> _Batch[K, V]:
        """Put a key into the last batch that has room and has not begun."""
        weight = self._weigh(key)
        batch = self._waiting[-1] if self._waiting else None
        if batch is not None and key in batch.keys:
            return batch
        if batch is None or (batch.keys and batch.weight + weight > self._most):
            batch = _Batch()
            self._waiting.append(batch)
        batch.keys[key] = None
        batch.weight += weight
        return batch

    async def _work(self) -> None:
        try:
            while self._waiting:
                # Taken off first: whoever asks from here on is not in it.
                batch = self._waiting.pop(0)
                try:
                    self.statements += 1
                    batch.found = await self._read(list(batch.keys))
                except KefuError as error:
                    batch.error = error
                except BaseException:
                    batch.error = StoreUnavailable("The store is closed.")
                    raise
                finally:
                    batch.finished.set()
        finally:
            self._is_reading = False
            if self._waiting:  # Cancelled: the store is closing.
                self.close()

    def close(self) -> None:
        """Refuse all that waits and all that comes."""
        self._is_closed = True
        while self._waiting:
            batch = self._waiting.pop(0)
            batch.error = StoreUnavailable("The store is closed.")
            batch.finished.set()
