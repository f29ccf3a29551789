"""Which addresses may be reached from here on somebody else's word (SSRF).

A URL that a person typed may name what only this machine can reach: its own ports, a
database beside it, a cloud's keys at 169.254.169.254. So a name is resolved once, every
address it has must be public, and the connection goes to one of exactly those.
"""

import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


def inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, or itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    wrapped = address.ipv4_mapped or address.sixtofour
    if wrapped is None and address.teredo is not None:
        wrapped = address.teredo[1]
    if wrapped is None and (address in _NAT64 or address in _COMPATIBLE):
        wrapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address if wrapped is None else wrapped


def may_reach(text: str, allowed: Sequence[Network]) -> bool:
    """Whether this address is public, or one that the operator has allowed."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    found = inner(address)
    if any(found in network or address in network for network in allowed):
        return True
    return all(each.is_global and not each.is_multicast for each in (address, found))
