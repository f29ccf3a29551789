"""What a generator process is told to do, and what it tells."""

import msgspec

from benchmarks.people import Manners


class LoadError(Exception):
    """The load cannot be made; says why."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What one generator process is to do."""

    name: str
    url: str
    transport: str = "websocket"
    transports: list[str] = []
    """Of each visitor; empty: they use `transport`, as agents do."""
    urls: dict[str, str] = {}
    """Where each of `transports` dials."""
    manners: Manners | None = None
    """They behave like people; None: they only send."""
    visitor_tokens: list[str]
    agent_tokens: list[str]
    history: str
    rate: float = 0.0
    """Messages a second of this process; 0: each side answers the other at once."""
    second_tabs: int = 0
    """So many visitors read in a second tab too."""
    addresses: list[str]
    """Addresses to dial from, so that the limit of an address stays on."""
    rest_s: float = 30.0
    """How long everything may take to come to rest after the last send."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One line to the program that started the generator."""

    state: str
    """ready, counts, live, back, stopped or done."""
    at: float
    cpu_s: float
    sent: int = 0
    acknowledged: int = 0
    delivered: int = 0
    """Messages shown to the other side."""
    requests: int = 0
    """HTTP requests, where the transport makes any."""
    deflated: int = 0
    """Connections on which the server took the offer to compress."""
    pages: int = 0
    """Reports of visitors' pages."""
    pages_failed: int = 0
    behind: int = 0
    """After the rest: displays that still lacked messages."""
    latencies_ms: list[float] = []
    """Of the messages since `measure`, on `done`; since the last one, on `window`."""
    closes: dict[str, int] = {}
    """Why connections ended during the run."""
    came_at: list[float] = []
    """When connections came up since everybody was dropped, on `back`; monotonic."""
    lags_ms: list[float] = []
    """Since `measure`, on `done`: how late this process's loop was, at any time."""
    text: str = ""
    """On `failed`: what went wrong."""
