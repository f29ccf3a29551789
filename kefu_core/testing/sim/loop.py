"""An asyncio loop without a clock, sockets or chance: anyio runs on it unchanged."""

import asyncio
import contextvars
import gc
import itertools
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from anyio._backends import _asyncio as backend

_SPINS_MAX = 100
"""Turns without a moment passing before one passes anyway.

A cancelled scope that waits for a shielded child polls it at every turn; on a real loop
the clock goes on meanwhile.
"""
_numbers = itertools.count()


class SimTask(asyncio.Task[Any]):
    """A task whose place in a set does not depend on its address."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = next(_numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


class _NumberedScope(backend.CancelScope):
    """The same for cancel scopes: the order of cancellation comes from such sets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = next(_numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


class SimLoop(asyncio.BaseEventLoop):
    """Runs what is ready; when nothing is, makes it the time of the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self._moment = 0.0
        self._spins = 0
        self._clock_resolution = 1e-9
        self._selector = self
        self.set_task_factory(_make_task)  # type: ignore[arg-type]
        self.turns = 0

    def time(self) -> float:
        return self._moment

    def select(self, timeout: float | None) -> list[Any]:
        """Let time pass, as a selector does."""
        self.turns += 1
        scheduled = self._scheduled  # type: ignore[attr-defined]
        if timeout == 0:
            self._spins += 1
            if self._spins < _SPINS_MAX or not scheduled:
                return []
        elif not scheduled:
            raise RuntimeError("everybody waits, and nothing will ever happen")
        self._spins = 0
        if scheduled:
            self._moment = max(self._moment, scheduled[0]._when)
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There is no I/O."""


def _make_task(
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, Any],
    *,
    name: str | None = None,
    context: contextvars.Context | None = None,
) -> SimTask:
    return SimTask(coro, loop=loop, name=name, context=context)


@contextmanager
def _numbered() -> Iterator[None]:
    global _numbers
    _numbers = itertools.count()
    original = backend.CancelScope
    backend.CancelScope = _NumberedScope  # type: ignore[misc]
    try:
        yield
    finally:
        backend.CancelScope = original  # type: ignore[misc]


def run(
    main: Callable[[SimLoop], Coroutine[Any, Any, None]],
    on_fault: Callable[[str], None],
) -> SimLoop:
    """Run `main` to its end; faults that reach nobody are told to `on_fault`."""

    def handle(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        on_fault(f"{context.get('message')}: {context.get('exception')!r}")

    # When garbage is found depends on the whole process, so not during a run.
    was_collecting = gc.isenabled()
    gc.disable()
    loop = SimLoop()
    loop.set_exception_handler(handle)
    try:
        with _numbered():
            loop.run_until_complete(main(loop))
            loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
        if was_collecting:
            gc.enable()
    return loop
