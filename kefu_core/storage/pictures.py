"""Small pictures by Pillow, each made in a process of its own that may die."""

import importlib.util
import logging
import os
import subprocess
import sys
from pathlib import Path

import anyio
import msgspec

from kefu_core.abc.files import Picture, Thumbnailer

logger = logging.getLogger(__name__)

AT_ONCE = 2
TIMEOUT_S = 15.0
WAITING_MAX = 32
"""Whoever comes while so many wait has no small picture."""
_PACKAGES = str(Path(__file__).parents[2])


def has_pillow() -> bool:
    """Whether what decodes pictures is installed."""
    return importlib.util.find_spec("PIL") is not None


class PillowThumbnailer(Thumbnailer):
    """Runs `kefu_core.storage.thumbnail`, a few at once."""

    def __init__(self) -> None:
        self._places = anyio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def shrink(self, source: Path, target: Path) -> Picture | None:
        if self._waiting >= WAITING_MAX:
            return None
        self._waiting += 1
        try:
            async with self._places:
                return await self._run(source, target)
        finally:
            self._waiting -= 1

    async def _run(self, source: Path, target: Path) -> Picture | None:
        command = [sys.executable, "-P", "-m", "kefu_core.storage.thumbnail"]
        try:
            with anyio.fail_after(TIMEOUT_S):
                done = await anyio.run_process(
                    [*command, str(source), str(target)],
                    stderr=subprocess.DEVNULL,
                    check=False,
                    # No secret of the server's own environment is in reach.
                    env={"PYTHONPATH": os.pathsep.join([_PACKAGES, *sys.path])},
                )
        except (OSError, TimeoutError) as error:
            logger.info("no small picture: %s", str(error) or "it took too long")
            return None
        if done.returncode != 0:
            return None
        try:
            return msgspec.json.decode(done.stdout, type=Picture)
        except msgspec.DecodeError:
            return None
