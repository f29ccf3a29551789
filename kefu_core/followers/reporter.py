"""Keeps the figures of reports up with the log, so that a report reads a few rows.

Every number is derived from the log and written as a whole, never added to: what runs
twice, on two nodes at once or is killed half-way comes to the same. Each conversation
that was active since the last look is folded into one row a day; each day whose rows
changed is added up anew.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio

from kefu_core.abc.archive import ConversationFilter, Place
from kefu_core.abc.store import Store
from kefu_core.errors import KefuError
from kefu_core.folding import QUARTER_MS
from kefu_core.followers.figures import DayOf, Figures, figures_of
from kefu_core.hours import day_number, zone_of
from kefu_core.ids import IdGenerator
from kefu_core.model import Conversation, Message
from kefu_core.records import ConversationDay, DayFigures
from kefu_core.types import Seq, UnixMs

logger = logging.getLogger(__name__)

INTERVAL_S = 60.0
FIRST_AFTER_S = 5.0
WHOLE_MAX = 2_000
"""Of a longer log only what is newer than the day before yesterday is read."""
_PAGE = 100
_LOG_PAGE = 200
_DAY_MS = 86_400_000


class Reporter:
    """Looks at what changed every minute."""

    def __init__(
        self,
        store: Store,
        *,
        ids: IdGenerator,
        now: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        """Take the store and clocks (monotonic s, Unix ms)."""
        self._store = store
        self._ids = ids
        self._now = now
        self._now_ms = now_ms
        self._since: UnixMs | None = None
        """Conversations active later were not looked at; None: nothing is known."""

    async def run(self) -> None:
        """Go on until cancelled; a store that is away is waited for."""
        await anyio.sleep(FIRST_AFTER_S)
        while True:
            try:
                await self.update()
            except KefuError as error:
                logger.info("the figures of reports go on in a minute: %s", error)
            except Exception:
                # A fault of ours here must not end the server.
                logger.exception("the figures of reports failed; tried again")
            await anyio.sleep(INTERVAL_S)

    async def update(self) -> int:
        """Bring the figures up to the log; return how many conversations it took.

        Raises:
            StoreUnavailable, Busy: What was not reached is reached the next time.
            Conflict: Another node wrote the same at the same moment.
        """
        began = UnixMs(self._now_ms())
        is_first = self._since is None
        if self._since is None:
            self._since = await self._last_known()
        zones = {
            site.id: zone_of(site.settings.hours) for site in await self._store.sites()
        }
        changed: set[tuple[int, int]] = set()
        count, before = 0, None
        wanted = ConversationFilter(active_from=self._since)
        while rows := await self._store.find_conversations(
            wanted, before=before, limit=_PAGE
        ):
            started = self._now()
            for row in rows:
                day_of = partial(day_number, zone=zones.get(row.site_id, UTC))
                changed |= await self._fold(row, day_of, is_first=is_first)
            count += len(rows)
            before = _place(rows[-1])
            # Nobody waits for a report: at most half of the time is spent on it.
            await anyio.sleep(min(1.0, self._now() - started))
        for day, site_id in sorted(changed):
            await self._add_up(site_id, day)
        self._since = UnixMs(began - QUARTER_MS)
        return count

    async def _last_known(self) -> UnixMs:
        """Return from when on conversations may not have been looked at."""
        newest = await self._store.list_records(DayFigures, limit=1)
        if not newest:
            return UnixMs(0)
        # Rows are made in the order of days, but for days of the past that changed.
        known = max(row.day for row in await self._store.list_records(DayFigures))
        day = datetime.strptime(str(known), "%Y%m%d").replace(tzinfo=UTC)
        return UnixMs(int(day.timestamp() * 1000) - 2 * _DAY_MS)

    async def _fold(
        self, row: Conversation, day_of: DayOf, *, is_first: bool
    ) -> set[tuple[int, int]]:
        """Write a conversation's rows; return the days and sites to add up anew.

        At the first look all of them, since whoever looked before may have been
        killed between the two.
        """
        first = Seq(1)
        if row.last_seq > WHOLE_MAX:
            since = UnixMs(self._now_ms() - 2 * _DAY_MS)
            first = await self._store.seq_at(row.id, since)
        messages = await self._read(row, first)
        figures = figures_of(messages, day_of)
        if first > 1 and messages:
            # The first day is there only in part; it was whole when it was folded.
            figures.pop(day_of(messages[0].at), None)
        changed = await self._keep(row, figures, is_whole=first == 1)
        return {(day, row.site_id) for day in (figures if is_first else changed)}

    async def _read(self, row: Conversation, first: Seq) -> list[Message]:
        messages: list[Message] = []
        after = Seq(first - 1)
        while page := await self._store.history(row.id, after=after, limit=_LOG_PAGE):
            messages += page
            after = page[-1].seq
            if len(page) < _LOG_PAGE:
                break
        return messages

    async def _keep(
        self, row: Conversation, figures: Figures, *, is_whole: bool
    ) -> set[int]:
        """Write a conversation's days; return those that changed.

        Of a whole log the days it has no more are emptied: in another time zone
        something may have happened on another day.
        """
        where: dict[str, Any] = {"conversation_id": row.id}
        if not is_whole:
            where["day"] = [*figures]
        known = {record.day: record for record in await self._stored(where)}
        gone: Figures = {day: {} for day in known if is_whole and day not in figures}
        records = [
            ConversationDay(
                id=known[day].id if day in known else self._ids.new(),
                conversation_id=row.id,
                site_id=row.site_id,
                day=day,
                figures=agents,
            )
            for day, agents in (figures | gone).items()
        ]
        changed = [record for record in records if known.get(record.day) != record]
        await self._store.put_records(*changed)
        return {record.day for record in changed}

    async def _stored(self, where: dict[str, Any]) -> list[ConversationDay]:
        found: list[ConversationDay] = []
        after = 0
        while rows := await self._store.list_records(
            ConversationDay, where=where, after=after, limit=500
        ):
            found += rows
            after = rows[-1].id
        return found

    async def _add_up(self, site_id: int, day: int) -> None:
        sums: defaultdict[int, Counter[str]] = defaultdict(Counter)
        where = {"site_id": site_id, "day": day}
        for row in await self._stored(where):
            for agent, fields in row.figures.items():
                sums[int(agent)].update(fields)
        stored = await self._store.list_records(DayFigures, where=where, limit=500)
        known = {record.agent_id: record.id for record in stored}
        await self._store.put_records(
            *(
                DayFigures(
                    id=known.get(agent) or self._ids.new(),
                    day=day,
                    site_id=site_id,
                    agent_id=agent,
                    **sums[agent],
                )
                for agent in {*sums, *known}
            )
        )


def _place(row: Conversation) -> Place:
    return row.last_at, row.id
