"""Which transport to try next, decided from what became of earlier tries.

::

    preferred ── cannot open, silent, or dies young ──▶ next ── … ──▶ round again
        ▲                                                │ works
        └────────── a probe went through ◀── now and then ┘

The first transport of the list is preferred; a fallback that works stays until a probe
of a better one went through in both directions. What worked is remembered by the
caller, who may start with it. No clock, no I/O.
"""

from collections.abc import Sequence

WELCOME_TIMEOUT_S = 8.0
"""A transport that says nothing for so long is given up where there is another. Not
less: a node that a thousand clients come back to at once needs some seconds."""
YOUNG_S = 10.0
"""A connection that dies before this age died young."""
YOUNG_DEATHS_MAX = 2
PROBE_FIRST_S = 60.0
PROBE_MAX_S = 1_800.0


class TransportChooser:
    """Remembers what works from here."""

    def __init__(self, names: Sequence[str], *, start_with: str = "") -> None:
        """Take transports, best first, and the one that worked last time, if any.

        Raises:
            ValueError: There is none to choose from.
        """
        if not names:
            raise ValueError("name at least one transport")
        self.names = tuple(names)
        self._at = self.names.index(start_with) if start_with in self.names else 0
        self._young_deaths = 0
        self._failures = 0
        """Tries in a row without a welcome."""
        self._welcomed_at: float | None = None
        self._probe_s = PROBE_FIRST_S
        self._probe_at: float | None = None

    @property
    def current(self) -> str:
        """The transport to open next, or the one in use."""
        return self.names[self._at]

    @property
    def is_best(self) -> bool:
        """Whether the preferred transport is in use."""
        return self._at == 0

    def welcomed(self, now: float) -> None:
        """Note that the server's welcome came through."""
        self._failures = 0
        self._welcomed_at = now
        if self.is_best:
            self._probe_at, self._probe_s = None, PROBE_FIRST_S
        elif self._probe_at is None:
            self._probe_at = now + self._probe_s

    def ended(self, now: float, *, was_silent: bool = False) -> bool:
        """Note the end of a connection or of a try to open one.

        Do not call it for an end that the server announced.

        Returns:
            True if another transport is to be tried at once, without a pause.
        """
        welcomed_at, self._welcomed_at = self._welcomed_at, None
        if welcomed_at is None:
            self._failures += 1
            self._step()
            # Once round the list without a pause: then the server is away.
            return len(self.names) > 1 and self._failures % len(self.names) != 0
        if was_silent:
            self._step()
            return len(self.names) > 1
        if now - welcomed_at >= YOUNG_S:
            self._young_deaths = 0
            return False
        self._young_deaths += 1
        if self._young_deaths < YOUNG_DEATHS_MAX:
            return False
        self._step()
        return len(self.names) > 1

    def _step(self) -> None:
        self._young_deaths = 0
        self._at = (self._at + 1) % len(self.names)

    def probe_due(self, now: float) -> str:
        """Return the better transport to probe now, or an empty string."""
        if self.is_best or self._probe_at is None or now < self._probe_at:
            return ""
        return self.names[0]

    @property
    def next_probe(self) -> float | None:
        """When `probe_due` will say a name, in the caller's monotonic seconds."""
        return None if self.is_best else self._probe_at

    def probed(self, now: float, *, went_through: bool) -> bool:
        """Note a probe's result; True if the client is to move to the preferred."""
        if went_through:
            self._at = 0
            self._young_deaths = 0
            self._probe_at = None
            return True
        self._probe_s = min(self._probe_s * 2, PROBE_MAX_S)
        self._probe_at = now + self._probe_s
        return False
