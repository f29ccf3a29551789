"""What may go wrong, by name, and whether it does (BUGGIFY)."""

import hashlib
import random
from collections import Counter

POINTS: dict[str, str] = {
    # -- connections ---------------------------------------------------------------
    "dial_fails": "no connection is made",
    "dial_slow": "connecting takes seconds",
    "link_slow": "a connection's latency is seconds",
    "link_bytewise": "bytes arrive one or a few at a time",
    "cut_at_byte": "a connection ends after a number of bytes, inside of frames",
    "cut_now": "a connection ends with bytes under way in both directions",
    "half_open_up": "bytes to the server vanish, and nobody is told",
    "half_open_down": "bytes to the client vanish, and nobody is told",
    "stall": "the client reads nothing for a while, with a small window",
    "late_bytes": "what a client wrote arrives long after it has left",
    "end_unnoticed": "one side learns seconds later that a connection has ended",
    "swizzle_clog": "connections are clogged one by one and freed in another order",
    # -- long poll -----------------------------------------------------------------
    "request_lost": "a request never arrives",
    "answer_lost": "a request was served and its answer is lost",
    "request_doubled": "a proxy sends a request twice",
    "answer_slow": "an answer takes longer than the client waits",
    "request_aborted": "serving a request is cancelled in its middle",
    # -- store ---------------------------------------------------------------------
    "commit_slow": "a commit takes up to seconds",
    "commit_fails": "a transaction is rolled back",
    "commit_unknown_stored": "a commit succeeds and its answer is lost",
    "commit_unknown_lost": "a commit fails and so does its answer",
    "commit_refused": "the database refuses a batch and takes its halves",
    "store_away": "the database is away for longer than appends wait",
    "read_slow": "a read takes seconds",
    "answer_old": "what was read arrives when the log has gone on",
    "read_fails": "a read fails",
    "cursors_fail": "receipts cannot be stored",
    "queue_full": "the appender's queue is full",
    # -- nodes ---------------------------------------------------------------------
    "crash": "the process dies",
    "crash_silent": "the machine dies: no connection is told",
    "drain": "the node stops gracefully and another takes its place",
    "restore": "an older copy of the history comes back with a new epoch",
    "copy": "the same history comes back with a new epoch",
    "clock_jump": "the wall clock jumps",
    "hello_slow": "authentication takes seconds",
    "hello_fails": "authentication fails because the database is away",
    # -- limits and people ---------------------------------------------------------
    "tight_limits": "outboxes, windows, pages and rings hold almost nothing",
    "paced": "people are as limited in pace as in production",
    "burst": "a person writes many messages at once",
    "client_restarts": "a program ends and begins again with what it kept",
    "second_tab": "a visitor has two windows open",
    "moves": "each connection of a client uses another transport",
}
"""Every point and what happens there."""

_ENABLED = 0.3
"""Points that are at work in one run: some together, never all at once."""


class Violation(Exception):
    """A promise was broken."""


class Chance:
    """The seed's decisions, and what it made happen."""

    def __init__(self, seed: int, *, keeps_trace: bool = False) -> None:
        self.seed = seed
        self.is_on = True
        """Off once people have said everything: then all must come right."""
        self.fired: Counter[str] = Counter()
        self.violations: list[str] = []
        self.trace: list[str] = []
        self.moment = 0.0
        self._keeps_trace = keeps_trace
        self._hash = hashlib.sha256()
        self._rngs: dict[str, random.Random] = {}
        draw = self.rng("points")
        self._enabled = {name for name in POINTS if draw.random() < _ENABLED}

    def rng(self, name: str) -> random.Random:
        """Return the generator of one part, independent of what others draw."""
        if name not in self._rngs:
            self._rngs[name] = random.Random(f"{self.seed}/{name}")
        return self._rngs[name]

    def happens(self, name: str, probability: float = 0.1) -> bool:
        """Whether a point fires now."""
        if not self.is_on or name not in self._enabled:
            assert name in POINTS, name
            return False
        if self.rng(name).random() >= probability:
            return False
        self.fired[name] += 1
        self.note(f"! {name}")
        return True

    def note(self, what: str) -> None:
        """Add a line to the trace."""
        line = f"{self.moment:.6f} {what}"
        self._hash.update(line.encode())
        if self._keeps_trace:
            self.trace.append(line)

    def violated(self, what: str) -> None:
        """Note a broken promise; the run goes on to its end."""
        self.note(f"VIOLATION {what}")
        self.violations.append(what)

    @property
    def hash(self) -> str:
        """Name everything that happened."""
        return self._hash.hexdigest()[:16]
