"""The pages of those who have acted, kept with them.

Who only looks is never stored. From the moment that a visitor has a conversation, the
pages of this visit are: those before it and those that follow, until it ends. They go
with the visitor when it is erased, and with what its site keeps no longer.

Written every few seconds and only where something has changed; best effort, so the
last seconds before a stop may be missing.
"""

from collections.abc import Callable, Sequence

import msgspec

from kefu_core.abc.store import Store
from kefu_core.desk.rounds import Rounds
from kefu_core.desk.visits import SeenPage, Visit, Visits
from kefu_core.ids import IdGenerator
from kefu_core.model import Appended, Cursor
from kefu_core.records import PageView
from kefu_core.records import Visit as KeptVisit
from kefu_core.types import ParticipantId, UnixMs

INTERVAL_S = 3.0
PAGES_MAX = 100
"""Of one visit; more are counted and not kept."""
VISITS_MAX = 20
"""So many of a visitor's visits are told, those that were last."""
_NEVER = -1
"""In the place of a record's id: this page was erased while it was shown."""


class Trails:
    """Stores the visits of those who talk."""

    def __init__(
        self,
        store: Store,
        visits: Visits,
        ids: IdGenerator,
        now_ms: Callable[[], int],
    ) -> None:
        """Take the store, the table of who is here, and Unix milliseconds."""
        self._store = store
        self._visits = visits
        self._ids = ids
        self._now_ms = now_ms

    # -- what the hub tells ------------------------------------------------------------

    def message_committed(self, appended: Appended) -> None:
        """Nothing: who talks is seen in the agents' list."""

    def message_found(self, repeated: Appended) -> None:
        """Nothing, as above."""

    def cursor_advanced(self, cursor: Cursor) -> None:
        """Nothing: reading is no page."""

    def history_erased(self) -> None:
        """Forget what was kept: it may be what was erased, and must not come again."""
        for visit in self._visits.acting():
            visit.kept_id = 0
            last = visit.trail.pop()
            visit.trail.clear()
            visit.trail.append(msgspec.structs.replace(last, kept_id=_NEVER))

    # -- keeping -----------------------------------------------------------------------

    async def run(self) -> None:
        """Store what has changed, until cancelled."""
        await Rounds("pages of visitors are kept", INTERVAL_S).run(self.keep)

    async def keep(self) -> None:
        """Bring all that is stored up to date. Raises `StoreError`."""
        ended = self._visits.ended
        for visit in self._visits.acting():
            mark = (visit.pages, visit.invitation and visit.invitation.state)
            if visit.kept_mark != mark:
                await self._keep(visit)
                visit.kept_mark = mark
            # One by one: others may end meanwhile.
            if visit in ended:
                ended.remove(visit)

    async def _keep(self, visit: Visit) -> None:
        is_new = not visit.kept_id
        if is_new:
            visit.kept_id = self._ids.new()
        number, pages = visit.kept_id, self._pages(visit)
        record = _record(visit, number, UnixMs(self._now_ms()))
        if is_new:
            await self._store.put_records(record, *pages)
        elif await self._store.change_record(record, when={"visitor": record.visitor}):
            await self._store.put_records(*pages)
        else:
            # It was erased meanwhile: what follows is a visit of its own.
            visit.kept_id = 0
            return
        # An erasure that came in between has not seen these pages.
        if await self._store.find_record(KeptVisit, number) is None:
            await self._store.delete_records(PageView, [page.id for page in pages])

    def _pages(self, visit: Visit) -> list[PageView]:
        """Return the pages that are not stored as they are now."""
        changed = []
        for page in list(visit.trail):
            is_known = page.kept_id and page.kept_seconds == page.seconds
            if (
                is_known
                or page.kept_id == _NEVER
                or (not page.kept_id and visit.kept_pages >= PAGES_MAX)
            ):
                continue
            if not page.kept_id:
                page.kept_id = self._ids.new()
                visit.kept_pages += 1
            page.kept_seconds = page.seconds
            changed.append(
                PageView(
                    id=page.kept_id,
                    visit_id=visit.kept_id,
                    url=page.url,
                    title=page.title,
                    at=page.at,
                    seconds=page.seconds,
                )
            )
        return changed


def _record(visit: Visit, number: int, now: UnixMs) -> KeptVisit:
    invitation = visit.invitation
    return KeptVisit(
        id=number,
        site_id=visit.site_id,
        visitor=visit.participant,
        started_at=visit.since,
        last_seen_at=now,
        user_agent=visit.browser,
        language=visit.language,
        screen=visit.screen,
        referrer=visit.source,
        pages=visit.pages,
        invitations={invitation.by: invitation.state.value} if invitation else {},
    )


async def load_visits(
    store: Store, names: Sequence[ParticipantId], may_see: Callable[[int], bool]
) -> list[KeptVisit]:
    """Return a visitor's visits that were kept, the newest first.

    Args:
        store: Where they are.
        names: Whose, by all its numbers.
        may_see: Whether who asks serves a site.
    """
    where = {"visitor": names}
    kept = await store.list_records(KeptVisit, where=where, limit=VISITS_MAX)
    return [visit for visit in kept if may_see(visit.site_id)]


async def load_pages(store: Store, visit: KeptVisit) -> list[SeenPage]:
    """Return the pages of a visit that was kept."""
    pages = await store.list_records(
        PageView, where={"visit_id": visit.id}, after=0, limit=PAGES_MAX
    )
    return [
        SeenPage(url=page.url, title=page.title, at=page.at, seconds=page.seconds)
        for page in pages
    ]
