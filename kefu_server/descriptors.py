"""Says in the log that a server runs out of files it may open.

The event loop then closes new connections as soon as they come, at no cost and without
a word, and goes on with those it has. Only whoever reads this line knows why nobody new
gets in.
"""

import errno
import logging
import os
import resource
from pathlib import Path

import anyio
import anyio.to_thread

from kefu_core.node import monotonic
from kefu_server.logs import event

logger = logging.getLogger("kefu.server")

LOOK_S = 5.0
TELL_S = 10.0
NEARLY = 0.9
_FOLDER = Path("/proc/self/fd")
_IS_KNOWN = _FOLDER.is_dir()


async def watch_descriptors() -> None:
    """Look every few seconds until cancelled; tells at most every ten."""
    told_at = float("-inf")
    while _IS_KNOWN:
        await anyio.sleep(LOOK_S)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        used = await anyio.to_thread.run_sync(_used, limit)
        if used >= NEARLY * limit and monotonic() - told_at >= TELL_S:
            told_at = monotonic()
            fix = "raise LimitNOFILE of the service, or ulimit -n"
            logger.warning(event("descriptors_low", used=used, limit=limit, fix=fix))


def _used(limit: int) -> int:
    try:
        return len(os.listdir(_FOLDER))
    except OSError as error:
        # Looking takes one more.
        return limit if error.errno in (errno.EMFILE, errno.ENFILE) else 0
