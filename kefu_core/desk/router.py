"""Gives conversations to agents by itself, and takes them back from who is gone.

Theory of operation
-------------------

Every node of an installation routes, each on its own, from what the store says at this
moment: who is there, how much each has to do, who waits. Nodes do not talk about it.
What keeps them from giving a conversation twice, or an agent more than its capacity, is
the condition of the line that is appended (`model.Given`): it is looked at in the
transaction, under the locks of the conversation's row and of the agent's. Who is
refused looks again.

A turn begins when something here may have made one possible (somebody wrote, closed,
came, chose another status), and every few seconds besides: what happened on other
nodes, and a turn that the database refused, is found by that sweep. So nothing is
forgotten, whoever dies when.

The queue is walked from its head. A conversation whose team is away does not hold up
those behind it.
"""

from collections.abc import Callable

import msgspec

from kefu_core.abc.records import PAGE_MAX
from kefu_core.abc.store import Store
from kefu_core.desk.presence import Colleague, Presence
from kefu_core.desk.rounds import Rounds
from kefu_core.desk.routing import able, as_read, choose, goes_back, team_of
from kefu_core.errors import Conflict
from kefu_core.folding import is_visitor
from kefu_core.hours import is_open
from kefu_core.hub import Hub
from kefu_core.ids import SYSTEM, IdGenerator
from kefu_core.model import (
    OWN_KEYS,
    SPOKEN_KINDS,
    Appended,
    Conversation,
    Cursor,
    Draft,
    MessageKind,
)
from kefu_core.records import Team
from kefu_core.site import Hours, Routing, RoutingMethod
from kefu_core.types import ParticipantId, UnixMs

SWEEP_S = 5.0
"""So late a turn comes that nothing on this node has called for."""
_GATHER_S = 0.02
"""A burst of news is one turn."""
_PAGE = 200
_TRIES = 10
"""With one conversation in one turn; the next turn goes on."""
_LOG_BACK = 100
"""So many messages back the previous agent is looked for."""
ROUTING, OFFLINE = "routing", "offline"
"""Reasons that stand in the lines."""


class Router:
    """One node's routing."""

    def __init__(
        self,
        store: Store,
        presence: Presence,
        ids: IdGenerator,
        now_ms: Callable[[], int],
    ) -> None:
        """Take the store, who is there, and the clock (Unix ms)."""
        self._store = store
        self._presence = presence
        self._ids = ids
        self._now_ms = now_ms
        self._hub: Hub | None = None
        self._rounds = Rounds(
            "conversations are given out", SWEEP_S, gather_s=_GATHER_S
        )

    def attach(self, hub: Hub) -> None:
        """Take the hub, through which lines are appended."""
        self._hub = hub
        hub.observers.append(self)
        self._presence.came = self.wake

    def wake(self) -> None:
        """Let a turn begin soon."""
        self._rounds.wake()

    # -- what the hub tells ------------------------------------------------------------

    def message_committed(self, appended: Appended) -> None:
        """Begin a turn when somebody came into the queue, or an agent got free."""
        row, message = appended.conversation, appended.message
        if row is None or (message.sender == SYSTEM and row.queued_at == 0):
            return
        is_news = row.queued_at == message.at or message.kind not in SPOKEN_KINDS
        if is_news:
            self._rounds.wake()

    def message_found(self, repeated: Appended) -> None:
        """Begin a turn: nobody was told of it."""
        self._rounds.wake()

    def cursor_advanced(self, cursor: Cursor) -> None:
        """Nothing: reading is no work."""

    def history_erased(self) -> None:
        """Nothing: what waits, waits still."""

    # -- turns -------------------------------------------------------------------------

    async def run(self) -> None:
        """Route until cancelled."""
        await self._rounds.run(self.turn)

    async def turn(self) -> None:
        """Take back and give out all that can be. Raises `StoreError`."""
        if self._hub is None or self._hub.is_draining:
            return
        sites = await self._store.sites()
        rules = {site.id: site.settings.routing for site in sites}
        waiting = {site.id for site in sites if self._waits(site.settings.hours)}
        colleagues = await self._presence.colleagues()
        await self._take_back(rules, colleagues)
        if any(rule.method is not RoutingMethod.MANUAL for rule in rules.values()):
            await self._give_out(rules, colleagues, waiting)

    def _waits(self, hours: Hours) -> bool:
        """Whether a site's hours keep its conversations in the queue."""
        return hours.is_strict and not is_open(hours, UnixMs(self._now_ms()))

    # -- taking back -------------------------------------------------------------------

    async def _take_back(
        self, rules: dict[int, Routing], colleagues: list[Colleague]
    ) -> None:
        known = {each.who: each for each in colleagues}
        for who in await self._store.count_answered():
            agent = known.get(who)
            if agent is not None and agent.is_there:
                continue
            for row in await self._store.list_answered(who, limit=PAGE_MAX):
                rule = rules.get(row.site_id, Routing())
                if goes_back(row, rule, agent, self._now_ms()):
                    await self._append(row, None, OFFLINE)

    # -- giving out --------------------------------------------------------------------

    async def _give_out(
        self,
        rules: dict[int, Routing],
        colleagues: list[Colleague],
        waiting: set[int],
    ) -> None:
        teams = await self._store.list_records(Team, after=0, limit=PAGE_MAX)
        after = None
        while any(each.is_there and each.has_room for each in colleagues):
            page = await self._store.list_queued(after=after, limit=_PAGE)
            for row in page:
                rule = rules.get(row.site_id, Routing())
                is_given = row.site_id not in waiting
                if is_given and rule.method is not RoutingMethod.MANUAL:
                    team = team_of(row, rule, teams)
                    colleagues = await self._give(row, rule, team, colleagues)
            if len(page) < _PAGE:
                return
            after = page[-1].queued_at, page[-1].id

    async def _give(
        self, row: Conversation, rule: Routing, team: int, colleagues: list[Colleague]
    ) -> list[Colleague]:
        """Give a conversation to whose turn it is; return who has how much then."""
        for _ in range(_TRIES):
            candidates = able(row, team, colleagues)
            previous: ParticipantId | None = None
            if candidates and rule.method is RoutingMethod.PREVIOUS_FIRST:
                previous = await self._previous(row)
            chosen = choose(rule.method, candidates, previous)
            if chosen is None:
                return colleagues
            if await self._append(row, chosen, ROUTING):
                await self._presence.note_assigned(chosen.agent.id)
                return [
                    _with_one_more(each, self._now_ms()) if each is chosen else each
                    for each in colleagues
                ]
            # Somebody else was faster, with the conversation or with the agent.
            colleagues = await self._presence.colleagues()
            now = await self._store.find_conversation(row.id)
            if now is None or not now.queued_at:
                return colleagues
            row = now
        return colleagues

    async def _append(
        self, row: Conversation, to: Colleague | None, reason: str
    ) -> bool:
        """Write the line if all is as it was read; whether it was."""
        assert self._hub is not None, "used before attach()"
        given = as_read(row, capacity=to.agent.capacity if to is not None else 0)
        draft = Draft(
            conversation=row.id,
            sender=SYSTEM,
            key=f"{OWN_KEYS}{self._ids.new()}",
            kind=MessageKind.ASSIGNMENT,
            data={"assignee": to.who if to is not None else None, "reason": reason},
            given=given,
        )
        try:
            await self._hub.append(draft)
        except Conflict:
            return False
        return True

    async def _previous(self, row: Conversation) -> ParticipantId | None:
        """Return who answered this visitor last."""
        log = await self._store.history(row.id, limit=_LOG_BACK)
        for message in reversed(log):
            named = (message.data or {}).get("assignee")
            if message.kind is MessageKind.ASSIGNMENT and isinstance(named, str):
                return ParticipantId(named)
            if message.kind in SPOKEN_KINDS and not is_visitor(message.sender):
                return message.sender
        return None


def _with_one_more(colleague: Colleague, now_ms: int) -> Colleague:
    return msgspec.structs.replace(
        colleague, active=colleague.active + 1, assigned_at=now_ms
    )
