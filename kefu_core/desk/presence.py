"""Which agents are there, what each of them chose, and how much they have to do.

Theory of operation
-------------------

Presence is a lease in the store, not a connection: an agent may have several tabs on
several nodes, and a node may die. Every node renews the leases of the agents who
receive on it, all of them in one transaction three times in a lease; whoever receives
nowhere is offline when the lease ends. What an agent chose (online, busy, away) is kept
beside the lease and outlives it.

Agents watch the list `agents`: a row for each active account. It is read from the store
about once a second while somebody watches, so what happens on other nodes is seen too,
and at once after what this node has done.
"""

from collections.abc import Callable
from typing import Any, Literal, TypedDict, cast

import msgspec

from kefu_core.abc.records import PAGE_MAX
from kefu_core.abc.store import Store
from kefu_core.desk.rounds import Rounds
from kefu_core.hub import Hub
from kefu_core.hub.lists import WatchedList
from kefu_core.ids import agent_participant
from kefu_core.limits import Limits
from kefu_core.model import Agent, Appended, Cursor, MessageKind
from kefu_core.records import AgentPresence, AgentStatus, Team
from kefu_core.types import ParticipantId, UnixMs

TOPIC = "agents"
INTERVAL_S = 1.0
_COUNTED = frozenset({MessageKind.ASSIGNMENT, MessageKind.CLOSE, MessageKind.REOPEN})
"""A text changes no count: who writes into what is closed counted for nobody."""


class PresentRow(TypedDict):
    """An agent as colleagues see it."""

    id: int
    name: str
    status: Literal["online", "busy", "away", "offline"]
    chosen: Literal["online", "busy", "away"]
    """What it is while it receives."""
    active: int
    """Conversations that it answers."""
    capacity: int
    """Conversations at once; 0 for as many as there are."""
    sites: list[int]
    """Empty for all."""
    teams: list[int]
    language: str
    """What it reads and writes; empty: what its sites say."""


class Colleague(msgspec.Struct, frozen=True, kw_only=True):
    """An active agent, with all that decides whether it gets a conversation."""

    agent: Agent
    status: AgentStatus
    is_there: bool
    """Its lease holds."""
    lease_until: UnixMs
    assigned_at: UnixMs
    active: int
    teams: tuple[int, ...]

    @property
    def who(self) -> ParticipantId:
        """Return the participant."""
        return agent_participant(self.agent.id)

    def serves(self, site_id: int) -> bool:
        """Whether it answers for a site."""
        return self.agent.sites is None or site_id in self.agent.sites

    @property
    def has_room(self) -> bool:
        """Whether one more conversation is within its capacity."""
        return not self.agent.capacity or self.active < self.agent.capacity


class Presence:
    """Renews leases, and keeps the watched list `agents`."""

    def __init__(
        self,
        store: Store,
        limits: Limits,
        now: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        """Take the store and clocks (monotonic s, Unix ms)."""
        self._store = store
        self._lease_s = limits.agent_lease_s
        self._now = now
        self._now_ms = now_ms
        self._hub: Hub | None = None
        self._topic = WatchedList(TOPIC)
        self._renewed: set[int] = set()
        """Whose lease was renewed at the last turn."""
        self._renewed_at = float("-inf")
        self.came: Callable[[], None] = lambda: None
        """Is told that somebody may have come, or chosen otherwise."""
        self._rounds = Rounds("who is there is written down", INTERVAL_S)

    def attach(self, hub: Hub) -> None:
        """Take the hub, which knows who receives here."""
        self._hub = hub
        self._topic = hub.lists.topic(TOPIC)
        hub.observers.append(self)

    # -- what the hub tells ------------------------------------------------------------

    def message_committed(self, appended: Appended) -> None:
        """Count anew who answers how many, where that may have changed."""
        if appended.message.kind in _COUNTED:
            self._rounds.wake()

    def message_found(self, repeated: Appended) -> None:
        """Count anew: nobody was told of it."""
        self._rounds.wake()

    def cursor_advanced(self, cursor: Cursor) -> None:
        """Nothing: who has read what is nothing to do."""

    def history_erased(self) -> None:
        """Nothing: agents are no visitors."""

    # -- leases ------------------------------------------------------------------------

    async def load(self) -> None:
        """Fill the list. Raises `StoreUnavailable`."""
        await self.tell()

    async def run(self) -> None:
        """Renew leases and tell those who watch, until cancelled."""
        await self._rounds.run(self._round)

    async def _round(self) -> None:
        await self.renew()
        # What nobody watches costs nothing; who comes is told within a second.
        if self._topic.watcher_count:
            await self.tell()

    async def renew(self) -> None:
        """Renew the leases of who receives here, if it is time to."""
        if self._hub is None:
            return
        here = {int(who[1:]) for who in self._hub.receiving_agents()}
        is_due = self._now() - self._renewed_at >= self._lease_s / 3
        if not here - self._renewed and not is_due:
            return
        newcomers, self._renewed = here - self._renewed, here
        self._renewed_at = self._now()
        if here:
            now_ms = self._now_ms()
            until = UnixMs(now_ms + int(self._lease_s * 1000))
            await self._store.renew_presence(here, until=until, now=UnixMs(now_ms))
        if newcomers:
            self.came()

    async def leave(self, agent_id: int) -> None:
        """End the lease of an agent who has logged out, unless it receives here still.

        Raises `StoreError`. Another node that it receives on renews it soon.
        """
        who = agent_participant(agent_id)
        if self._hub is None or self._hub.is_receiving(who):
            return
        self._renewed.discard(agent_id)
        known = await self._store.find_record(AgentPresence, agent_id)
        now_ms = UnixMs(self._now_ms())
        if known is not None and known.lease_until > now_ms:
            gone = msgspec.structs.replace(known, lease_until=now_ms)
            when = {"lease_until": known.lease_until, "status": known.status.value}
            await self._store.change_record(gone, when=when)
            self._rounds.wake()

    async def choose(self, agent_id: int, status: AgentStatus) -> None:
        """Store what an agent chose. Raises `StoreError`."""
        while True:
            known = await self._store.find_record(AgentPresence, agent_id)
            now_ms = UnixMs(self._now_ms())
            if known is None:
                await self._store.renew_presence([agent_id], until=now_ms, now=now_ms)
                continue
            chosen = msgspec.structs.replace(known, status=status, changed_at=now_ms)
            # Only while nobody renews the lease at this moment: neither is lost.
            when = {"lease_until": known.lease_until, "assigned_at": known.assigned_at}
            if await self._store.change_record(chosen, when=when):
                break
        await self.tell()
        self.came()

    async def note_assigned(self, agent_id: int) -> None:
        """Write down that an agent got a conversation: the next is another's turn."""
        known = await self._store.find_record(AgentPresence, agent_id)
        if known is not None:
            at = UnixMs(max(self._now_ms(), known.assigned_at + 1))
            changed = msgspec.structs.replace(known, assigned_at=at)
            # A turn that is lost to a renewal of the lease costs nobody anything.
            when = {"lease_until": known.lease_until, "status": known.status.value}
            await self._store.change_record(changed, when=when)

    async def colleagues(self) -> list[Colleague]:
        """Return every active agent as it is now. Raises `StoreError`."""
        agents = [agent for agent in await self._store.agents() if agent.is_active]
        found: dict[int, AgentPresence] = {}
        for start in range(0, len(agents), PAGE_MAX):
            ids = [agent.id for agent in agents[start : start + PAGE_MAX]]
            some = await self._store.list_records(
                AgentPresence, where={"id": ids}, limit=PAGE_MAX
            )
            found.update({presence.id: presence for presence in some})
        active = await self._store.count_answered()
        teams = await self._store.list_records(Team, after=0, limit=PAGE_MAX)
        now_ms = self._now_ms()
        colleagues = []
        for agent in agents:
            known = found.get(agent.id) or AgentPresence(id=agent.id)
            colleagues.append(
                Colleague(
                    agent=agent,
                    status=known.status,
                    is_there=known.lease_until > now_ms,
                    lease_until=known.lease_until,
                    assigned_at=known.assigned_at,
                    active=active.get(agent_participant(agent.id), 0),
                    teams=tuple(team.id for team in teams if agent.id in team.agents),
                )
            )
        return colleagues

    async def tell(self) -> None:
        """Bring the list up to date. Raises `StoreError`."""
        rows = {row["id"]: row for row in await self.rows()}
        for number in [n for n in self._topic.rows if n not in rows]:
            self._topic.drop(number)
        for row in rows.values():
            self._topic.put(cast("dict[str, Any]", row))

    async def rows(self) -> list[PresentRow]:
        """Return every active agent as colleagues see it. Raises `StoreError`."""
        return [present_row(each) for each in await self.colleagues()]


def present_row(colleague: Colleague) -> PresentRow:
    """Return an agent as colleagues see it."""
    agent = colleague.agent
    chosen = cast("Any", colleague.status.value)
    return {
        "id": agent.id,
        "name": agent.name,
        "status": chosen if colleague.is_there else "offline",
        "chosen": chosen,
        "active": colleague.active,
        "capacity": agent.capacity,
        "sites": list(agent.sites or ()),
        "teams": list(colleague.teams),
        "language": agent.language,
    }
