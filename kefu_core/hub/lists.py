"""Watched lists: state with a version, sent as a snapshot and then as changes."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from kefu_core.protocol.codec import Codec
from kefu_core.protocol.frames import Event, Frame, Snapshot


class Watcher(Protocol):
    """A connection that watches a list."""

    codec: Codec

    def deliver_list(self, frame: Frame, encoded: bytes | None) -> bool:
        """Queue a change; False if there was no room: a snapshot must follow."""


Sees = Callable[[frozenset[int], Mapping[str, Any]], bool]
"""Whether who serves these sites sees a row."""


def sees_nothing(sites: frozenset[int], row: Mapping[str, Any]) -> bool:
    """Return False: what nobody has allowed."""
    return False


class WatchedList:
    """Rows by id, and who watches them. Rows are never changed in place."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.version = 0
        self.rows: dict[int, dict[str, Any]] = {}
        self._watchers: dict[Watcher, None] = {}
        self._stale: set[Watcher] = set()
        """Watchers that missed a change and wait for a snapshot."""
        self._views: dict[frozenset[int], tuple[WatchedList, Sees]] = {}
        """The same list for those who may see a part of it only, while they watch."""

    def put(self, row: dict[str, Any]) -> None:
        """Insert or replace the row with this `id`; watchers hear of a real change."""
        if self.rows.get(row["id"]) == row:
            return
        self.rows[row["id"]] = row
        self._changed(Event(topic=self.topic, version=self.version + 1, put=row))
        for sites, (view, sees) in self._views.items():
            if sees(sites, row):
                view.put(row)
            else:
                view.drop(row["id"])

    def drop(self, row_id: int) -> None:
        """Remove a row."""
        if self.rows.pop(row_id, None) is not None:
            self._changed(
                Event(topic=self.topic, version=self.version + 1, drop=row_id)
            )
            for view, _ in self._views.values():
                view.drop(row_id)

    def replace(self, rows: Iterable[dict[str, Any]]) -> None:
        """Set the whole list; watchers get a snapshot."""
        self.rows = {row["id"]: row for row in rows}
        self.version += 1
        for watcher in list(self._watchers):
            self._send_snapshot(watcher)
        for sites, (view, sees) in self._views.items():
            view.replace(row for row in self.rows.values() if sees(sites, row))

    def watch(
        self,
        watcher: Watcher,
        sites: frozenset[int] | None = None,
        sees: Sees = sees_nothing,
    ) -> None:
        """Send a snapshot now and every change from now on.

        Args:
            watcher: Who.
            sites: The sites that it serves; None: it sees every row.
            sees: Whether who serves those sites sees a row.
        """
        if sites is None:
            self._watchers[watcher] = None
            self._send_snapshot(watcher)
            return
        if sites not in self._views:
            view = WatchedList(self.topic)
            view.replace(row for row in self.rows.values() if sees(sites, row))
            self._views[sites] = view, sees
        self._views[sites][0].watch(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Stop sending."""
        self._watchers.pop(watcher, None)
        self._stale.discard(watcher)
        for sites, (view, _) in list(self._views.items()):
            view.unwatch(watcher)
            if not view.watcher_count:
                del self._views[sites]

    def has_room_again(self, watcher: Watcher) -> None:
        """Bring a watcher that missed changes up to date."""
        if watcher in self._stale:
            self._send_snapshot(watcher)
        for view, _ in self._views.values():
            view.has_room_again(watcher)

    @property
    def watcher_count(self) -> int:
        """How many connections watch."""
        views = sum(view.watcher_count for view, _ in self._views.values())
        return len(self._watchers) + views

    def snapshot(self) -> Snapshot:
        """Return the list as it is now."""
        return Snapshot(
            topic=self.topic, version=self.version, rows=list(self.rows.values())
        )

    def _send_snapshot(self, watcher: Watcher) -> None:
        if watcher.deliver_list(self.snapshot(), None):
            self._stale.discard(watcher)
        else:
            self._stale.add(watcher)

    def _changed(self, event: Event) -> None:
        self.version = event.version
        encoded: dict[str, bytes] = {}
        for watcher in list(self._watchers):
            if watcher in self._stale:
                continue
            codec = watcher.codec
            if codec.name not in encoded:
                encoded[codec.name] = codec.encode(event)
            if not watcher.deliver_list(event, encoded[codec.name]):
                self._stale.add(watcher)


class Lists:
    """All watched lists of a hub, by topic."""

    def __init__(self) -> None:
        self._topics: dict[str, WatchedList] = {}

    def topic(self, name: str) -> WatchedList:
        """Return a list, making an empty one if it is new."""
        if name not in self._topics:
            self._topics[name] = WatchedList(name)
        return self._topics[name]

    def beginning_with(self, prefix: str) -> list[WatchedList]:
        """Return the lists whose names begin so."""
        return [each for name, each in self._topics.items() if name.startswith(prefix)]

    def discard(self, name: str) -> None:
        """Forget a list that nobody watches."""
        self._topics.pop(name, None)

    def find(self, name: str) -> WatchedList | None:
        """Return a list that exists."""
        return self._topics.get(name)
