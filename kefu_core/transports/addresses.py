"""How many connections one address may open: before anything is allocated for it."""

import ipaddress

from kefu_core.limits import Limits
from kefu_core.protocol.pace import TokenBucket

_FORGET_ABOVE = 4_096
_FORGET_EVERY_S = 1.0


def network_of(address: str) -> str:
    """Return what is counted: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
    return str(parsed)


class AddressLimiter:
    """Counts open connections and the pace of new ones, by address."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: dict[str, int] = {}
        self._paces: dict[str, TokenBucket] = {}
        self._forget_at = 0.0

    def enter(self, address: str, now: float) -> bool:
        """Count a connection in; False if it must be refused (and was not counted)."""
        limits = self._limits
        network = network_of(address)
        pace = self._paces.get(network)
        if pace is None:
            self._forget(now)
            pace = self._paces[network] = TokenBucket(
                limits.address_connections_per_s, limits.address_connections_burst, now
            )
        is_over = self._open.get(network, 0) >= limits.address_connections_max
        if is_over or pace.take(now):
            return False
        self._open[network] = self._open.get(network, 0) + 1
        return True

    def leave(self, address: str) -> None:
        """Count a connection out."""
        network = network_of(address)
        left = self._open.get(network, 0) - 1
        if left > 0:
            self._open[network] = left
        else:
            self._open.pop(network, None)

    def _forget(self, now: float) -> None:
        # Once in a while: who has a network of thousands of /64s would have each new
        # connection look at all of them.
        if len(self._paces) > _FORGET_ABOVE and now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY_S
            self._paces = {
                network: pace
                for network, pace in self._paces.items()
                if not pace.is_full(now)
            }
