"""A bad network between people and a server: drops, half-open links, slow readers.

Everybody dials a proxy of `kefu_core.testing.proxy`, over real sockets; most one that
is as fast as it can be, some one that passes few bytes and stands still now and then.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import msgspec

from kefu_core.testing.proxy import Link, Proxy, proxy_to

HOST = "127.0.0.1"
STEP_S = 0.5
MINUTE_S = 60.0
DROPS = ("reset", "end", "half-open", "silence")
"""A reset, an orderly end, a reset of which the server is not told, and a link on which
nothing arrives any more and nobody is told."""
DROP_WEIGHTS = (3, 3, 2, 2)
SLOW_BUFFER_BYTES = 65_536
"""What the kernel takes for a slow reader; its own choice would be megabytes."""


class NetworkPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How bad it is."""

    drops_min: float = 0.01
    """Share of the connections that drops in a minute; drawn anew each minute."""
    drops_max: float = 0.05
    idle_s: float = 60.0
    """A connection on which nothing passes for so long is cut, as by a usual proxy."""
    slow_bytes_per_s: int = 4_096
    """What reaches a slow reader."""
    still_every_s: float = 40.0
    """Slow readers stop reading altogether, after so long on the average."""
    still_s: float = 20.0
    """For so long at most."""


class Network:
    """The proxies, and what happens to those behind them."""

    def __init__(
        self,
        plan: NetworkPlan,
        fast: dict[str, Proxy],
        slow: dict[str, Proxy],
        rng: random.Random,
    ) -> None:
        """Take running proxies, by `http` and `tcp`; `misbehave` begins it."""
        self._plan = plan
        self._fast, self._slow = fast, slow
        self._rng = rng
        self._done: Counter[str] = Counter()
        for proxy in slow.values():
            proxy.down.bytes_per_s = plan.slow_bytes_per_s
            proxy.receive_buffer_bytes = SLOW_BUFFER_BYTES
        for proxy in self._proxies:
            proxy.idle_s = plan.idle_s
            proxy.keeps_hosts = True

    @property
    def _proxies(self) -> list[Proxy]:
        return [*self._fast.values(), *self._slow.values()]

    @property
    def faults(self) -> dict[str, int]:
        """What has happened so far, by kind."""
        idle = sum(proxy.cut_count for proxy in self._proxies)
        return dict(self._done) | {"idle cut": idle}

    def ports(self, *, is_slow: bool) -> tuple[int, int]:
        """Return where HTTP and TCP are dialled."""
        proxies = self._slow if is_slow else self._fast
        return proxies["http"].port, proxies["tcp"].port

    async def misbehave(self) -> None:
        """Do it until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._drop)
            tasks.start_soon(self._stand_still)

    async def _drop(self) -> None:
        rng, plan = self._rng, self._plan
        minute_at, chance = anyio.current_time(), 0.0
        while True:
            if anyio.current_time() >= minute_at:
                minute_at += MINUTE_S
                share = rng.uniform(plan.drops_min, plan.drops_max)
                chance = share * STEP_S / MINUTE_S
            for proxy in self._proxies:
                for link in proxy.links:
                    if rng.random() < chance:
                        await self._drop_one(proxy, link)
            await anyio.sleep(STEP_S)

    async def _drop_one(self, proxy: Proxy, link: Link) -> None:
        kind = self._rng.choices(DROPS, DROP_WEIGHTS)[0]
        self._done[kind] += 1
        if kind == "silence":
            proxy.strand([link])
        elif kind == "half-open":
            await proxy.abandon([link])
        else:
            proxy.is_resetting = kind == "reset"
            await proxy.cut([link])

    async def _stand_still(self) -> None:
        rng, plan = self._rng, self._plan
        while True:
            await anyio.sleep(rng.expovariate(1 / plan.still_every_s))
            self._done["stopped reading"] += 1
            self._let_read(False)
            try:
                await anyio.sleep(rng.uniform(plan.still_s / 4, plan.still_s))
            finally:
                self._let_read(True)

    def _let_read(self, is_reading: bool) -> None:
        for proxy in self._slow.values():
            proxy.down.is_paused = not is_reading


@asynccontextmanager
async def bad_network(
    plan: NetworkPlan, http_port: int, tcp_port: int, rng: random.Random
) -> AsyncIterator[Network]:
    """Run the proxies to a server's two ports."""
    async with AsyncExitStack() as stack:

        async def proxy(port: int) -> Proxy:
            return await stack.enter_async_context(proxy_to(port))

        fast = {"http": await proxy(http_port), "tcp": await proxy(tcp_port)}
        slow = {"http": await proxy(http_port), "tcp": await proxy(tcp_port)}
        yield Network(plan, fast, slow, rng)
