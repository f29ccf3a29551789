"""A node, its store, its network and its people in one thread, decided by a seed.

Theory of operation
-------------------

The real `Client`, sessions, hub, appender, TCP and long-poll code run on an event loop
whose clock is virtual (`loop.py`): when nobody can go on, it is the next timer's time.
The network (`network.py`, `polling.py`), the disk (`disk.py`) and the people
(`people.py`) are simulated; each asks `Chance` at named points whether to misbehave.
All randomness comes from the seed, so a seed is a complete report of a fault.

`python -m kefu_core.testing.sim --seeds 0-499` runs many, `--seed 17 --trace` one.
"""

from kefu_core.testing.sim.chance import POINTS
from kefu_core.testing.sim.run import Report, run_seed

__all__ = ["POINTS", "Report", "run_seed"]
