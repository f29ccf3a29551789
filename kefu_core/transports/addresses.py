"""How many connections one address may open: before anything is allocated for it."""

import ipaddress

from kefu_core.limits import Limits
from kefu_core.protocol.pace import TokenBuckets


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
        self._paces = TokenBuckets(
            limits.address_connections_per_s, limits.address_connections_burst
        )

    def enter(self, address: str, now: float) -> bool:
        """Count a connection in; False if it must be refused (and was not counted)."""
        network = network_of(address)
        count = self._open.get(network, 0)
        is_over = count >= self._limits.address_connections_max
        if is_over or self._paces.take(network, now):
            return False
        self._open[network] = count + 1
        return True

    def leave(self, address: str) -> None:
        """Count a connection out."""
        network = network_of(address)
        left = self._open.get(network, 0) - 1
        if left > 0:
            self._open[network] = left
        else:
            self._open.pop(network, None)
