"""Tests that load the whole machine run alone, also where several run at a time.

Every test takes a share of a lock for its time, and a test marked `alone` all of it.
Whoever waits for all of it holds a gate meanwhile, so that no newcomer passes.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_S = 0.05


@contextmanager
def turn(folder: Path, *, is_alone: bool) -> Iterator[None]:
    """Hold the lock of all workers that share a folder.

    Args:
        folder: Theirs alone.
        is_alone: Nobody else may run meanwhile.
    """
    with open(folder / "gate", "w") as gate, open(folder / "turn", "w") as lock:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        if not is_alone:
            fcntl.flock(gate, fcntl.LOCK_UN)
        yield


@contextmanager
def browser(folder: Path, count: int) -> Iterator[None]:
    """Hold one of so many places for tests that drive a browser."""
    while True:
        for number in range(count):
            with open(folder / f"browser{number}", "w") as place:
                try:
                    fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield
                return
        time.sleep(_LOOK_S)


def folder_of_workers(basetemp: Path) -> Path | None:
    """Return what all workers of a run share, None where there is only one."""
    if os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1") == "1":
        return None
    return basetemp.parent
