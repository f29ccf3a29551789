"""Which place in the queue a visitor has, told while it changes.

A visitor watches a list of its own, `queue.5.v12` (the site's id and its own): one row
while its conversation waits, none otherwise. Places are counted from the store, for
all who watch at once, when something here has changed the queue, and every few seconds
besides: other nodes change it too.
"""

import logging
from typing import Any

import anyio

from kefu_core.abc.store import Store
from kefu_core.desk.access import QUEUE
from kefu_core.errors import KefuError
from kefu_core.hub import Hub
from kefu_core.model import Appended, Conversation, Cursor, MessageKind

logger = logging.getLogger(__name__)

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
        self._wake = anyio.Event()

    def attach(self, hub: Hub) -> None:
        """Take the hub, whose lists visitors watch."""
        self._hub = hub
        hub.observers.append(self)

    def begin(self, topic: str) -> None:
        """Make a visitor's list, which somebody is about to watch."""
        assert self._hub is not None, "used before attach()"
        self._hub.lists.topic(topic)
        self._wake.set()

    # -- what the hub tells ------------------------------------------------------------

    def message_committed(self, appended: Appended) -> None:
        """Count anew when somebody came into the queue, or left it."""
        row, message = appended.conversation, appended.message
        is_new = row is not None and row.queued_at == message.at
        if is_new or message.kind not in (MessageKind.TEXT, MessageKind.NOTE):
            self._wake.set()

    def message_found(self, repeated: Appended) -> None:
        """Count anew: nobody was told of it."""
        self._wake.set()

    def cursor_advanced(self, cursor: Cursor) -> None:
        """Nothing: reading moves nobody."""

    def history_erased(self) -> None:
        """Nothing: what waits, waits still."""

    # -- counting ----------------------------------------------------------------------

    async def run(self) -> None:
        """Tell those who watch, until cancelled."""
        while True:
            with anyio.move_on_after(INTERVAL_S):
                await self._wake.wait()
            self._wake = anyio.Event()
            try:
                await self.tell()
            except KefuError as error:
                logger.info("places in the queue are counted again later: %s", error)
            except Exception:
                # A fault of ours must not end the server, and not spin.
                logger.exception("places in the queue cannot be counted")
            await anyio.sleep(_PACE_S)

    async def tell(self) -> None:
        """Bring all lists that are watched up to date. Raises `StoreError`."""
        if self._hub is None:
            return
        lists = self._hub.lists
        for topic in lists.beginning_with(QUEUE):
            if not topic.watcher_count:
                lists.discard(topic.topic)
        if not lists.beginning_with(QUEUE):
            return
        places = await self._places()
        # Those who began to watch meanwhile are told as well.
        for topic in lists.beginning_with(QUEUE):
            row = places.get(topic.topic)
            for number in [n for n in topic.rows if row is None or n != row["id"]]:
                topic.drop(number)
            if row is not None:
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
