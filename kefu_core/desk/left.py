"""The list of left messages that nobody has looked after, as agents watch it."""

from collections.abc import Callable
from typing import Any, cast

from kefu_core.abc.store import Store
from kefu_core.desk.offline import offline_row
from kefu_core.desk.pace import Paces
from kefu_core.desk.rounds import Rounds
from kefu_core.hub.lists import WatchedList
from kefu_core.limits import Limits
from kefu_core.records import OfflineMessage, OfflineStatus

TOPIC = "offline"
INTERVAL_S = 10.0
"""What another node was left, or looked after, is seen this late."""


class LeftMessages:
    """Keeps the watched list `offline`, and how fast messages may be left."""

    def __init__(self, store: Store, limits: Limits, now: Callable[[], float]) -> None:
        """Take the store, and monotonic seconds."""
        self._store = store
        self._limits = limits
        self._topic = WatchedList(TOPIC)
        per_h = limits.left_messages_per_h
        self.paces = Paces(per_h / 3600, per_h, now)
        per_h = limits.left_messages_per_address_h
        self.paces_of_address = Paces(per_h / 3600, per_h, now)

    def attach(self, topic: WatchedList) -> None:
        """Take the list that agents watch."""
        self._topic = topic

    async def load(self) -> None:
        """Show what is open in the store. Raises `StoreUnavailable`."""
        found = await self._store.list_records(
            OfflineMessage,
            where={"status": OfflineStatus.OPEN.value},
            limit=self._limits.list_rows_max,
        )
        rows = {message.id: message for message in found}
        for number in [n for n in self._topic.rows if n not in rows]:
            self._topic.drop(number)
        for message in reversed(found):
            self.put(message)

    async def run(self) -> None:
        """Look every few seconds for what other nodes did, until cancelled."""
        await Rounds("left messages are looked at", INTERVAL_S).run(self._look)

    async def _look(self) -> None:
        if self._topic.watcher_count:
            await self.load()

    def put(self, message: OfflineMessage) -> None:
        """Show a message as it is now: those that are open, the newest of them."""
        if message.status is not OfflineStatus.OPEN:
            self._topic.drop(message.id)
            return
        self._topic.put(cast("dict[str, Any]", offline_row(message)))
        while len(self._topic.rows) > self._limits.list_rows_max:
            self._topic.drop(min(self._topic.rows))
