"""Blanks what a site keeps no longer, and notices what was blanked elsewhere.

Both only ask the store. Erasing goes in small transactions with pauses in between, so
that sends never wait long behind it: at most a fifth of the time is spent in them.
"""

import logging
from collections.abc import Callable

import anyio

from kefu_core.abc.store import Store
from kefu_core.errors import KefuError
from kefu_core.model import Site
from kefu_core.records import AuditEntry, CachedTranslation, PageView, Visit
from kefu_core.types import UnixMs

logger = logging.getLogger(__name__)

DAY_MS = 86_400_000
INTERVAL_S = 3600.0
"""Texts go at most an hour after their last day."""
FIRST_AFTER_S = 60.0
"""A starting server has better things to do."""
MARK_INTERVAL_S = 2.0
STEP_S = 0.025
"""What one transaction aims at: sends that come meanwhile wait for it."""
CACHED_DAYS, CACHED_CHARS_MAX = 30, 20_000_000
"""Of a site's cached translations: how long they are kept, and how much of them."""
_LIMIT_MIN = 5
_LIMIT_MAX = 200
_PAUSES = 4.0
_PAUSE_S_MIN = 0.02


class Retention:
    """Keeps every site's promise of how long texts and notes are kept."""

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], float],
        now_ms: Callable[[], int],
        journal_days: int = 400,
    ) -> None:
        """Take the store and clocks (monotonic s, Unix ms)."""
        self._store = store
        self._journal_days = journal_days
        self._now = now
        self._now_ms = now_ms

    async def run(self) -> None:
        """Erase every hour, until cancelled."""
        await anyio.sleep(FIRST_AFTER_S)
        while True:
            try:
                await self.erase_all()
            except KefuError as error:
                logger.info("retention goes on in the next hour: %s", error)
            except Exception:
                # A fault of ours here must not end the server.
                logger.exception("retention failed; it is tried again in an hour")
            await anyio.sleep(INTERVAL_S)

    async def erase_all(self) -> None:
        """Erase all that is due on every site. Raises `StoreUnavailable`."""
        for site in await self._store.sites():
            if site.retention_days > 0:
                before = self._now_ms() - site.retention_days * DAY_MS
                await self._erase(site.id, UnixMs(before))
                await self._forget_visits(site.id, before)
            await self._forget_translations(site)
        await self._forget_journal(self._now_ms() - self._journal_days * DAY_MS)

    async def _erase(self, site_id: int, before: UnixMs) -> None:
        limit = _LIMIT_MIN
        while True:
            began = self._now()
            if not await self._store.erase_old(site_id, before, limit=limit):
                return
            took = self._now() - began
            limit = next_limit(limit, took)
            await anyio.sleep(max(_PAUSE_S_MIN, _PAUSES * took))

    async def _forget_visits(self, site_id: int, before: int) -> None:
        """Delete visits that were over before a time, and the pages of each."""
        while visits := await self._store.list_records(
            Visit, where={"site_id": site_id}, at_most={"last_seen_at": before}
        ):
            numbers = [visit.id for visit in visits]
            while pages := await self._store.list_records(
                PageView, where={"visit_id": numbers}
            ):
                await self._store.delete_records(PageView, [page.id for page in pages])
                await anyio.sleep(_PAUSE_S_MIN)
            # Last: as long as it is there, the next hour finds its pages.
            await self._store.delete_records(Visit, numbers)

    async def _forget_journal(self, before: int) -> None:
        """Delete who did what before a time; the oldest have the lowest ids."""
        while rows := await self._store.list_records(AuditEntry, after=0):
            old = [row.id for row in rows if row.at < before]
            await self._store.delete_records(AuditEntry, old)
            if len(old) < len(rows):
                return
            await anyio.sleep(_PAUSE_S_MIN)

    async def _forget_translations(self, site: Site) -> None:
        """Delete what was cached long ago, and the oldest of what is too much.

        They are copies of what people wrote: none outlives the texts themselves.
        """
        days = min(CACHED_DAYS, site.retention_days or CACHED_DAYS)
        where = {"site_id": site.id}
        old = {"created_at": self._now_ms() - days * DAY_MS}
        while rows := await self._store.list_records(
            CachedTranslation, where=where, at_most=old, after=0
        ):
            await self._store.delete_records(CachedTranslation, [r.id for r in rows])
            await anyio.sleep(_PAUSE_S_MIN)
        surplus = await self._store.sum_records(CachedTranslation, "chars", where=where)
        while (surplus := surplus - CACHED_CHARS_MAX) > 0:
            rows = await self._store.list_records(
                CachedTranslation, where=where, after=0
            )
            await self._store.delete_records(CachedTranslation, [r.id for r in rows])
            surplus += CACHED_CHARS_MAX - sum(row.chars for row in rows)
            await anyio.sleep(_PAUSE_S_MIN)


def next_limit(limit: int, took: float) -> int:
    """Return how many messages the next step may take, after one that took so long.

    What a message costs depends on how often its words occur: their rows of the search
    index are written anew. Twice as many after a quick step, fewer after a slow one.
    """
    fitting = limit * 2 if took <= 0 else int(limit * STEP_S / took)
    return max(_LIMIT_MIN, min(fitting, limit * 2, _LIMIT_MAX))


class ErasureWatch:
    """Notices erasures by whatever process: this one's, another node's, a command's.

    Texts in this process's memory are dropped within `MARK_INTERVAL_S`.
    """

    def __init__(self, store: Store, forget: Callable[[], None]) -> None:
        """Take the store, and what drops everything that memory holds of texts."""
        self._store = store
        self._forget = forget

    async def run(self) -> None:
        """Look every two seconds, until cancelled."""
        seen: int | None = None
        while True:
            try:
                mark = await self._store.erasure_mark()
                # The first look may come after the first texts: nobody knows.
                if mark != seen:
                    self._forget()
                seen = mark
            except KefuError as error:
                logger.info("erasures are looked for at the next turn: %s", error)
            await anyio.sleep(MARK_INTERVAL_S)
