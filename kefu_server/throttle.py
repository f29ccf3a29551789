"""Delays for those who guess or ask too much.

Guesses: a few free failures, then a wait that doubles. Counted before the work and
given back on success, so that a thousand attempts at once get no more tries than a
thousand in a row. Nothing is ever locked for good: the longest wait is the window
itself. Requests: a token bucket for each address.
"""

import ipaddress
from collections import OrderedDict

from kefu_core.protocol.pace import TokenBuckets

KEYS_MAX = 20_000


class _Count:
    __slots__ = ("blocked_until", "failures", "first_at")

    def __init__(self, now: float) -> None:
        self.failures = 0
        self.first_at = now
        """Monotonic seconds of the first failure in this window."""
        self.blocked_until = now

    def is_over(self, window_s: float, now: float) -> bool:
        """Whether the window of its failures has passed."""
        return now - max(self.first_at, self.blocked_until) > window_s


class Throttle:
    """Counts failures by key; bounded, the key unused for longest goes first.

    What is over says nothing and goes as well, two for each new key: more never come.
    """

    def __init__(self, failures_max: int, window_s: float) -> None:
        self._failures_max = failures_max
        self._window_s = window_s
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def wait_s(self, key: str, now: float) -> float:
        """Return how long this key has to wait; 0 when it may try."""
        count = self._counts.get(key)
        return 0.0 if count is None else max(0.0, count.blocked_until - now)

    def charge(self, key: str, now: float) -> None:
        """Count an attempt as failed until `forgive` says otherwise."""
        count = self._counts.get(key)
        if count is None or count.is_over(self._window_s, now):
            self._forget(now)
            count = self._counts[key] = _Count(now)
        self._counts.move_to_end(key)
        if len(self._counts) > KEYS_MAX:
            self._counts.popitem(last=False)
        count.failures += 1
        beyond = count.failures - self._failures_max
        if beyond >= 0:
            # The exponent is capped: 2.0 ** 1024 would overflow.
            delay = min(self._window_s, 2.0 ** min(beyond, 32))
            count.blocked_until = now + delay

    def _forget(self, now: float) -> None:
        for _ in range(min(2, len(self._counts))):
            key, count = next(iter(self._counts.items()))
            if not count.is_over(self._window_s, now):
                return
            del self._counts[key]

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._counts)

    def refund(self, key: str) -> None:
        """Take back one charge: the attempt was not a failure.

        A wait that has begun goes on: otherwise a guesser with an account of their
        own could end it at will.
        """
        count = self._counts.get(key)
        if count is not None and count.failures > 0:
            count.failures -= 1

    def forget(self, key: str) -> None:
        """Drop a key: its owner has shown who they are."""
        self._counts.pop(key, None)


class AddressPace:
    """Allows an address a pace; bounded, the address unseen for longest goes first."""

    def __init__(self, per_s: float, burst: float) -> None:
        """Allow `per_s` requests a second, up to `burst` at once."""
        self._buckets = TokenBuckets(per_s, burst, keys_max=KEYS_MAX)

    def take(self, address: str, now: float) -> float:
        """Count one request. Returns 0.0 if it may pass, else the seconds to wait."""
        return self._buckets.take(address_key(address), now)

    def __len__(self) -> int:
        """How many addresses are remembered."""
        return len(self._buckets)


def address_key(address: str) -> str:
    """Return what an address is counted under: /64 for IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
