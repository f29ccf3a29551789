"""Whether somebody is there: what decides if visitors are asked to leave a message.

A site is staffed while an agent who may serve it is connected. Visitors watch a list of
one row, named by their site: `staffed.5` has `{"id": 5, "staffed": true}`.
"""

import logging
from collections.abc import Callable

import anyio

from kefu_core.abc.store import Store
from kefu_core.desk.access import STAFFED
from kefu_core.errors import KefuError
from kefu_core.hub import Hub
from kefu_core.model import Agent

logger = logging.getLogger(__name__)

INTERVAL_S = 1.0
"""So late visitors learn that somebody has come or gone."""
_AGENTS_S = 5.0
"""For so long accounts are remembered; the answer is a hint, never a permission."""


class Staffing:
    """Knows of each site whether somebody is there."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        """Take the store, and monotonic seconds."""
        self._store = store
        self._now = now
        self._hub: Hub | None = None
        self._agents: dict[int, Agent] = {}
        self._agents_at = float("-inf")

    def attach(self, hub: Hub) -> None:
        """Take the hub, which knows who is connected."""
        self._hub = hub

    async def is_staffed(self, site_id: int) -> bool:
        """Whether an agent who may serve this site is here. Raises `StoreError`.

        Those who watch are told on the way; a site's list begins with the first asking.
        """
        staffed = await self._is_staffed(site_id)
        if self._hub is not None:
            topic = self._hub.lists.topic(f"{STAFFED}{site_id}")
            topic.put({"id": site_id, "staffed": staffed})
        return staffed

    async def _is_staffed(self, site_id: int) -> bool:
        connected = self._hub.connected_agents() if self._hub else ()
        if not connected:
            return False
        if self._now() - self._agents_at > _AGENTS_S:
            self._agents = {agent.id: agent for agent in await self._store.agents()}
            self._agents_at = self._now()
        agents = [self._agents.get(int(each[1:])) for each in connected]
        return any(
            agent is not None and (agent.sites is None or site_id in agent.sites)
            for agent in agents
        )

    async def load(self) -> None:
        """Make the list of every site. Raises `StoreUnavailable`."""
        for site in await self._store.sites():
            await self.is_staffed(site.id)

    async def run(self) -> None:
        """Tell those who watch, until cancelled."""
        while True:
            await anyio.sleep(INTERVAL_S)
            try:
                await self._tell()
            except KefuError as error:
                logger.info("who is there is looked at again later: %s", error)

    async def _tell(self) -> None:
        if self._hub is None:
            return
        for topic in self._hub.lists.beginning_with(STAFFED):
            # A list that nobody watches is kept true as well: it is a snapshot later.
            await self.is_staffed(int(topic.topic.removeprefix(STAFFED)))
