"""Which place in the queue a visitor has, told while it changes.

A visitor watches a list of its own, `queue.5.v12` (the site's id and its own): one row
while its conversation waits, none otherwise. Places are counted from the store, for
all who watch at once, when something here has changed the queue, and every few seconds
besides: other nodes change it too.
"""

from typing import Any

from kefu_core.abc.store import Store
from kefu_core.desk.access import QUEUE
from kefu_core.desk.rounds import Rounds
from kefu_core.hub import Hub
from kefu_core.model import Appended, Conversation, Cursor, MessageKind, Principal

INTERVAL_S = 3.0
"""So late a visitor learns of what another node did."""
_PACE_S = 0.3
"""Counted no more often than this, however fast people come."""
_PAGE, _PAGES_MAX = 500, 10
"""Beyond so many nobody asks for the exact number."""


class Places:
    """Keeps the lists of those who watch their place."""

    def __init__(self, store: Store) -> None:
        """Take the store."""
        self._store = store
        self._hub: Hub | None = None
        self._rounds = Rounds(
            "places in the queue are counted", INTERVAL_S, rest_s=_PACE_S
        )
        self._names: dict[str, list[str]] = {}
        """Lists of those who have several numbers, with those of each of them."""

    def attach(self, hub: Hub) -> None:
        """Take the hub, whose lists visitors watch."""
        self._hub = hub
        hub.observers.append(self)

    def begin(self, topic: str, principal: Principal) -> None:
        """Make a visitor's list, which somebody is about to watch."""
        assert self._hub is not None, "used before attach()"
        self._hub.lists.topic(topic)
        if principal.aliases:
            # What waits under another number of the person is shown here as well.
            self._names[topic] = [
                f"{QUEUE}{principal.site_id}.{name}" for name in principal.numbers
            ]
        self._rounds.wake()

    # -- what the hub tells ------------------------------------------------------------

    def message_committed(self, appended: Appended) -> None:
        """Count anew when somebody came into the queue, or left it."""
        row, message = appended.conversation, appended.message
        is_new = row is not None and row.queued_at == message.at
        if is_new or message.kind not in (MessageKind.TEXT, MessageKind.NOTE):
            self._rounds.wake()

    def message_found(self, repeated: Appended) -> None:
        """Count anew: nobody was told of it."""
        self._rounds.wake()

    def cursor_advanced(self, cursor: Cursor) -> None:
        """Nothing: reading moves nobody."""

    def history_erased(self) -> None:
        """Nothing: what waits, waits still."""

    # -- counting ----------------------------------------------------------------------

    async def run(self) -> None:
        """Tell those who watch, until cancelled."""
        await self._rounds.run(self.tell)

    async def tell(self) -> None:
        """Bring all lists that are watched up to date. Raises `StoreError`."""
        if self._hub is None:
            return
        lists = self._hub.lists
        for topic in lists.beginning_with(QUEUE):
            if not topic.watcher_count:
                lists.discard(topic.topic)
                self._names.pop(topic.topic, None)
        if not lists.beginning_with(QUEUE):
            return
        places = await self._places()
        # Those who began to watch meanwhile are told as well.
        for topic in lists.beginning_with(QUEUE):
            names = self._names.get(topic.topic, [topic.topic])
            rows = [places[name] for name in names if name in places]
            for number in set(topic.rows) - {row["id"] for row in rows}:
                topic.drop(number)
            for row in rows:
                topic.put(row)

    async def _places(self) -> dict[str, dict[str, Any]]:
        """Return each waiting visitor's row by the name of its list."""
        found: dict[str, dict[str, Any]] = {}
        counts: dict[tuple[int, int], int] = {}
        after = None
        for _ in range(_PAGES_MAX):
            page = await self._store.list_queued(after=after, limit=_PAGE)
            for row in page:
                # Whoever waits for another team is not ahead.
                group = row.site_id, row.team_id
                counts[group] = counts.get(group, 0) + 1
                found[topic_of(row)] = {
                    "id": row.id,
                    "position": counts[group],
                    "since": row.queued_at,
                }
            if len(page) < _PAGE:
                break
            after = page[-1].queued_at, page[-1].id
        return found


def topic_of(row: Conversation) -> str:
    """Return the name of the list that a conversation's visitor watches."""
    return f"{QUEUE}{row.site_id}.{row.visitor}"
