"""What a comparison found: medians and spread over its rounds, ratios within them."""

from collections.abc import Callable, Iterable
from statistics import median

import msgspec

NOWHERE = "nowhere"
"""In the place of a database, for a target that stores nothing."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One target on one database for so many seconds, saturated."""

    target: str
    database: str
    round: int
    delivered: int
    delivered_per_s: float
    acknowledged_per_s: float
    server_us: float
    """CPU of the server's process, microseconds a delivered message."""
    database_us: float
    """The same of the database's server; 0 where the server does its work."""
    p50_ms: float
    p99_ms: float
    server_share: float
    """Of one core."""
    generator_share: float

    @property
    def total_us(self) -> float:
        """Both together."""
        return self.server_us + self.database_us


class Idle(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of connections at rest, once."""

    target: str
    round: int
    kib_per_connection: float


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """What became of messages while connections were cut."""

    target: str
    database: str
    keeps: bool
    """Who came back asked for what was missed, in the target's own way."""
    cuts: int
    sent: int
    acknowledged: int
    lost: int
    """Acknowledged, and never shown to the other side."""
    doubled: int
    unanswered: int
    errors: dict[str, int]
    """What people were told meanwhile; they came back all the same."""


class Spread(msgspec.Struct, frozen=True):
    """A median, and the least and the most."""

    median: float
    low: float
    high: float


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One target on one database, over all rounds."""

    target: str
    database: str
    durable_per_s: Spread | None
    """Messages committed, acknowledged and delivered; None: it stores nothing."""
    delivered_per_s: Spread
    server_us: Spread
    database_us: Spread
    total_us: Spread
    p50_ms: Spread
    p99_ms: Spread
    server_share: Spread
    generator_share: Spread
    generator_limited: bool


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """How many times dearer another target's message is than kefu's."""

    target: str
    database: str
    """kefu's; the other's too, if it stores."""
    counts: str
    """`server`: CPU of the servers alone; `total`: with the database's server."""
    times: Spread
    """Of quotients within each round."""
    goal: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the median reaches the goal."""
        return self.goal is None or self.times.median >= self.goal


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found, as the JSON has it."""

    rows: list[Row]
    ratios: list[Ratio]
    idle_kib_per_connection: dict[str, Spread]
    cuts: list[Cut]
    failed: dict[str, str]
    """What broke or could not do its work, and why: no figures of it are given."""
    missing: dict[str, str]
    """What is not installed, and how to install it."""
    windows: list[Window]
    options: dict[str, object]
    machine: dict[str, str | int | float]
    versions: dict[str, str]
    command: str


GOALS = {
    ("socketio", "sqlite"): 8.0,
    ("socketio", "mariadb"): 6.0,
    ("socketio-unstored", "sqlite"): 1.0,
    ("socketio-unstored", "mariadb"): 1.0,
    ("ejabberd", "sqlite"): 1.0,
    ("ejabberd", "mariadb"): 1.0,
}
"""How many times a message of another target should cost what kefu's costs."""
SATURATED = 0.9
"""Share of one core above which a single-threaded process is the limit."""


def spread_of(values: Iterable[float], digits: int = 1) -> Spread:
    """Return the spread of values; there is at least one."""
    found = sorted(values)
    return Spread(
        round(median(found), digits), round(found[0], digits), round(found[-1], digits)
    )


def rows_of(windows: list[Window], storing: set[str]) -> list[Row]:
    """Return a row for each target and database, in the order first seen."""
    groups: dict[tuple[str, str], list[Window]] = {}
    for window in windows:
        groups.setdefault((window.target, window.database), []).append(window)
    return [_row(group, is_storing=key[0] in storing) for key, group in groups.items()]


def _row(group: list[Window], *, is_storing: bool) -> Row:
    def over(of: Callable[[Window], float], digits: int = 1) -> Spread:
        return spread_of(map(of, group), digits)

    generator = over(lambda w: w.generator_share, 2)
    server = over(lambda w: w.server_share, 2)
    return Row(
        target=group[0].target,
        database=group[0].database,
        durable_per_s=over(lambda w: w.acknowledged_per_s) if is_storing else None,
        delivered_per_s=over(lambda w: w.delivered_per_s),
        server_us=over(lambda w: w.server_us),
        database_us=over(lambda w: w.database_us),
        total_us=over(lambda w: w.total_us),
        p50_ms=over(lambda w: w.p50_ms, 2),
        p99_ms=over(lambda w: w.p99_ms, 2),
        server_share=server,
        generator_share=generator,
        generator_limited=generator.median >= SATURATED > server.median,
    )


def ratios_of(windows: list[Window]) -> list[Ratio]:
    """Return how the others' messages cost beside kefu's of the same round."""
    ours = {(w.database, w.round): w for w in windows if w.target == "kefu"}
    quotients: dict[tuple[str, str, str], list[float]] = {}
    for other in windows:
        if other.target == "kefu":
            continue
        for (database, number), own in ours.items():
            if number != other.round or other.database not in (database, NOWHERE):
                continue
            # Beside what stores nothing, the servers alone are compared.
            if other.database == NOWHERE:
                key = other.target, database, "server"
                quotient = other.server_us / own.server_us
            else:
                key = other.target, database, "total"
                quotient = other.total_us / own.total_us
            quotients.setdefault(key, []).append(quotient)
    return [
        Ratio(
            target=target,
            database=database,
            counts=counts,
            times=spread_of(values, 2),
            goal=GOALS.get((target, database)),
        )
        for (target, database, counts), values in quotients.items()
    ]
