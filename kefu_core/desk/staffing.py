"""Whether somebody is there: what decides if visitors are asked to leave a message.

A site is staffed while an agent who may serve it receives, here or on another node
that renews the agent's lease, and has not said to be away. Outside a site's hours it is
not, or only then, as the site says. Visitors watch a list of one row, named by their
site: `staffed.5` has `{"id": 5, "staffed": true}`; outside the hours `closed` and
`opens_at` tell of it.
"""

from collections.abc import Callable
from typing import NotRequired, TypedDict

from kefu_core.abc.records import PAGE_MAX
from kefu_core.abc.store import Store
from kefu_core.desk.access import STAFFED
from kefu_core.desk.rounds import Rounds
from kefu_core.hours import is_open, opens_at
from kefu_core.hub import Hub
from kefu_core.ids import agent_participant
from kefu_core.languages import language_of
from kefu_core.model import Agent, Site
from kefu_core.records import AgentPresence, AgentStatus
from kefu_core.site import Hours
from kefu_core.types import UnixMs

INTERVAL_S = 1.0
"""So late visitors learn that somebody has come or gone."""
_READ_S = 2.0
"""For so long accounts are remembered; the answer is a hint, never a permission."""
LANGUAGES_MAX = 4
"""So many languages visitors are told: of any two, one is not what a visitor reads."""


class StaffedRow(TypedDict):
    """What a site's visitors are told."""

    id: int
    staffed: bool
    closed: NotRequired[bool]
    """It is outside the hours, and nobody is there for that."""
    opens_at: NotRequired[UnixMs | None]
    """When it opens again; None for never."""


class Staffing:
    """Knows of each site whether somebody is there."""

    def __init__(
        self, store: Store, now: Callable[[], float], now_ms: Callable[[], int]
    ) -> None:
        """Take the store and clocks (monotonic s, Unix ms)."""
        self._store = store
        self._now = now
        self._now_ms = now_ms
        self._hub: Hub | None = None
        self._agents: list[Agent] = []
        self._presence: dict[int, AgentPresence] = {}
        self._hours: dict[int, Hours] = {}
        self._read_at = float("-inf")

    def attach(self, hub: Hub) -> None:
        """Take the hub, which knows who receives."""
        self._hub = hub

    async def is_staffed(self, site_id: int) -> bool:
        """Whether an agent who may serve this site is here. Raises `StoreError`."""
        return (await self.row_of(site_id))["staffed"]

    async def languages_of(self, site: Site) -> list[str]:
        """Return what a site's agents read and write, never who of them does.

        Each language once. Raises `StoreError`.
        """
        await self._refresh()
        own = site.settings.translation.language
        tags = sorted(
            agent.language or own
            for agent in self._agents
            if _serves(agent, site.id) and (agent.language or own)
        )
        return [*{language_of(tag): tag for tag in tags}.values()][:LANGUAGES_MAX]

    async def row_of(self, site_id: int) -> StaffedRow:
        """Return what a site's visitors are told. Raises `StoreError`.

        Those who watch are told on the way; a site's list begins with the first asking.
        """
        await self._refresh()
        row = self._row_of(site_id)
        if self._hub is not None:
            topic = self._hub.lists.topic(f"{STAFFED}{site_id}")
            topic.put(dict(row))
        return row

    def _row_of(self, site_id: int) -> StaffedRow:
        hours, now = self._hours.get(site_id, Hours()), UnixMs(self._now_ms())
        is_staffed = self._is_staffed(site_id)
        if is_open(hours, now) or (is_staffed and not hours.is_strict):
            return {"id": site_id, "staffed": is_staffed}
        opens = opens_at(hours, now)
        return {"id": site_id, "staffed": False, "closed": True, "opens_at": opens}

    def _is_staffed(self, site_id: int) -> bool:
        return any(
            _serves(agent, site_id) and self._is_there(agent) for agent in self._agents
        )

    def _is_there(self, agent: Agent) -> bool:
        """Whether an agent receives, here or by its lease, and not away."""
        presence = self._presence.get(agent.id)
        if presence is not None and presence.status is AgentStatus.AWAY:
            return False
        if presence is not None and presence.lease_until > self._now_ms():
            return True
        who = agent_participant(agent.id)
        return self._hub is not None and self._hub.is_receiving(who)

    def look_again(self) -> None:
        """Hear that an account has changed here."""
        self._read_at = float("-inf")

    async def _refresh(self) -> None:
        if self._now() - self._read_at > _READ_S:
            await self._read()

    async def _read(self) -> None:
        self._agents = await self._store.agents()
        ids = [agent.id for agent in self._agents[:PAGE_MAX]]
        found = await self._store.list_records(
            AgentPresence, where={"id": ids}, limit=PAGE_MAX
        )
        self._presence = {presence.id: presence for presence in found}
        sites = await self._store.sites()
        self._hours = {site.id: site.settings.hours for site in sites}
        self._read_at = self._now()

    async def load(self) -> None:
        """Make the list of every site. Raises `StoreUnavailable`."""
        for site in await self._store.sites():
            await self.is_staffed(site.id)

    async def run(self) -> None:
        """Tell those who watch, until cancelled."""
        await Rounds("who is there is looked at", INTERVAL_S).run(self._tell)

    async def _tell(self) -> None:
        if self._hub is None:
            return
        for topic in self._hub.lists.beginning_with(STAFFED):
            # What nobody watches costs nothing; who comes is told within a second.
            if topic.watcher_count:
                await self.is_staffed(int(topic.topic.removeprefix(STAFFED)))


def _serves(agent: Agent, site_id: int) -> bool:
    """Whether an agent may answer for a site."""
    return agent.is_active and (agent.sites is None or site_id in agent.sites)
