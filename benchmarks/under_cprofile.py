"""`kefu serve` with Python's own profiler in the event loop's thread.

Run as `python -m benchmarks.under_cprofile FILE …`: what follows is the command that it
stands in for. FILE has the figures once the server has stopped.
"""

import cProfile
import sys
import time

from kefu_server.serve import run
from kefu_server.settings import Settings, load_settings


def main(path: str) -> None:
    """Serve until SIGTERM; profile from when it is ready."""
    # The thread's CPU, so that waiting for the next event counts as nothing.
    profile = cProfile.Profile(time.thread_time)

    async def ready(settings: Settings) -> None:
        profile.enable()

    try:
        run(load_settings(), on_ready=ready)
    finally:
        profile.disable()
        profile.dump_stats(path)


if __name__ == "__main__":
    main(sys.argv[1])
