"""Who may not write any more: kept in memory, so that every message can be asked about.

What is banned is a visitor, an address (for IPv6 its /64, as all limits count it) or a
network. Changes made here hold in the same step. What another node bans is seen within
a second: twice a second one read asks for the bans that were written in the last two
minutes, and is usually answered with no row. What was lifted elsewhere is seen
`INTERVAL_S` later.
"""

import ipaddress
from collections.abc import Callable, Collection

from kefu_core.abc.records import PAGE_MAX
from kefu_core.abc.store import Store
from kefu_core.desk.rounds import Rounds
from kefu_core.errors import Banned, CloseCode, Invalid
from kefu_core.hub import Hub
from kefu_core.model import Principal
from kefu_core.records import Ban, BanKind
from kefu_core.types import ParticipantId

INTERVAL_S = 5.0
_RECENT_MS = 120_000
"""How far back is looked for new bans: nodes' clocks agree within a minute."""
KEPT_MS = 7 * 86_400_000
"""A ban that has ended can be looked at for so long."""
_SHORTEST = {4: 8, 6: 16}
"""Prefixes shorter than these are slips of a key rather than networks."""
_IPV6_PREFIX = 64
_MAPPED_PREFIX = 96
"""Of IPv4 addresses that are written as IPv6."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Bans:
    """Knows who is banned, and ends their connections."""

    def __init__(
        self, store: Store, now_ms: Callable[[], int], look_s: float = 0.5
    ) -> None:
        """Take the store, the wall clock (Unix ms) and how often to look for new."""
        self._store = store
        self._now_ms = now_ms
        self._look_s = look_s
        self._left_s = INTERVAL_S
        """Until all are read again, whatever was found meanwhile."""
        self._known: set[Ban] = set()
        """As they were when they were read."""
        self._hub: Hub | None = None
        self._visitors: dict[str, list[Ban]] = {}
        self._places: dict[str, list[Ban]] = {}
        """By address, as addresses are counted."""
        self._networks: list[tuple[Network, Ban]] = []

    def attach(self, hub: Hub) -> None:
        """Take the hub, whose connections end."""
        self._hub = hub

    async def load(self) -> None:
        """Take over what is stored, and act on it. Raises `StoreError`."""
        bans, after = [], 0
        while page := await self._store.list_records(Ban, after=after, limit=PAGE_MAX):
            bans += page
            after = page[-1].id
        old = self._now_ms() - KEPT_MS
        ended = [ban.id for ban in bans if 0 < ban.expires_at < old]
        await self._store.delete_records(Ban, ended)
        self._known = set(bans)
        self._index(bans)
        self._end_connections()

    def _index(self, bans: list[Ban]) -> None:
        self._visitors, self._places, self._networks = {}, {}, []
        for ban in bans:
            if not is_on(ban, self._now_ms()):
                continue
            if ban.kind is BanKind.VISITOR:
                self._visitors.setdefault(ban.value, []).append(ban)
            elif ban.kind is BanKind.ADDRESS:
                self._places.setdefault(ban.value, []).append(ban)
            else:
                self._networks.append((ipaddress.ip_network(ban.value), ban))

    def _end_connections(self) -> None:
        if self._hub is None or not self._is_used:
            return
        for connection in list(self._hub.connections()):
            principal = connection.principal
            if principal is not None and self.of(principal) is not None:
                connection.close(CloseCode.BANNED, "banned")

    @property
    def _is_used(self) -> bool:
        return bool(self._visitors or self._places or self._networks)

    async def run(self) -> None:
        """Look for what others banned, and now and then at all, until cancelled."""
        await Rounds("bans are looked at", self._look_s).run(self._look)

    async def _look(self) -> None:
        self._left_s -= self._look_s
        if self._left_s <= 0 or await self._find_new():
            self._left_s = INTERVAL_S
            await self.load()

    async def _find_new(self) -> bool:
        """Whether somebody was banned, or for another time, since all were read."""
        recent = await self._store.list_records(
            Ban,
            at_least={"created_at": self._now_ms() - _RECENT_MS},
            limit=PAGE_MAX,
        )
        return not self._known.issuperset(recent)

    # -- asking ------------------------------------------------------------------------

    def find(
        self, site_id: int, names: Collection[ParticipantId], address: str
    ) -> Ban | None:
        """Return what keeps a visitor of these names at an address from a site."""
        if not self._is_used:
            return None
        found = [ban for name in names for ban in self._visitors.get(name, ())]
        found += self._places.get(address, ())
        if self._networks and (place := _place(address)) is not None:
            found += [ban for net, ban in self._networks if _is_in(place, net)]
        now_ms = self._now_ms()
        of_site = (ban for ban in found if ban.site_id in (0, site_id))
        return next((ban for ban in of_site if is_on(ban, now_ms)), None)

    def of(self, principal: Principal) -> Ban | None:
        """Return what keeps somebody away; agents are never banned."""
        if principal.is_agent:
            return None
        return self.find(principal.site_id, principal.numbers, principal.address)

    def check(self, principal: Principal) -> None:
        """Let somebody through. Raises `Banned`, which does not say why."""
        if self.of(principal) is not None:
            raise Banned

    def check_visitor(
        self, site_id: int, names: Collection[ParticipantId], address: str
    ) -> None:
        """Let a visitor who is not connected through. Raises `Banned`."""
        if self.find(site_id, names, address) is not None:
            raise Banned


def is_on(ban: Ban, now_ms: int) -> bool:
    """Whether a ban has not ended."""
    return not ban.expires_at or ban.expires_at > now_ms


def parse_place(text: str) -> tuple[BanKind, str]:
    """Return what an address or a network is banned as. Raises `Invalid`."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise Invalid(
            "This is no address such as 203.0.113.5, and no network such as "
            "203.0.113.0/24 or 2001:db8::/48."
        ) from None
    if isinstance(network, ipaddress.IPv6Network):
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= _MAPPED_PREFIX:
            # As it is counted: a ban of it as IPv6 would hold nobody.
            prefix = network.prefixlen - _MAPPED_PREFIX
            return parse_place(f"{mapped}/{prefix}")
        if network.prefixlen >= _IPV6_PREFIX:
            whole = network.supernet(new_prefix=_IPV6_PREFIX)
            return BanKind.ADDRESS, str(whole)
    elif network.prefixlen == network.max_prefixlen:
        return BanKind.ADDRESS, str(network.network_address)
    if network.prefixlen < _SHORTEST[network.version]:
        shortest = _SHORTEST[network.version]
        raise Invalid(f"This network is too large: at least /{shortest}.")
    return BanKind.NETWORK, str(network)


def _place(address: str) -> Network | None:
    """Return an address as it is counted; None where nobody knows it."""
    try:
        return ipaddress.ip_network(address, strict=False)
    except ValueError:
        return None


def _is_in(place: Network, network: Network) -> bool:
    if isinstance(place, ipaddress.IPv4Network):
        return isinstance(network, ipaddress.IPv4Network) and place.subnet_of(network)
    return isinstance(network, ipaddress.IPv6Network) and place.subnet_of(network)
