"""What each site's translations of a day came to, and where they stop.

Characters are written down before a service is asked for them: so a process that is
killed in between has counted too much, never too little, and several nodes share one
budget. They are written down in blocks, since a transaction for each text would hold up
messages that come meanwhile; what is left of a block, or was not translated, is struck
out at the next `flush`. Where a hundredth of the day's budget is less than a text,
each is written down by itself. Without the store each process counts for itself, and
adds it when the store is back.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import anyio
import msgspec

from kefu_core.abc.records import Records
from kefu_core.abc.translator import TranslationFailed, Trouble
from kefu_core.errors import Conflict
from kefu_core.hours import day_number, zone_of
from kefu_core.ids import IdGenerator
from kefu_core.model import Site
from kefu_core.records import TranslationUsage
from kefu_core.translators.cache import Guard
from kefu_core.types import UnixMs

logger = logging.getLogger(__name__)

BLOCK_CHARS = 2_000
_TRIES = 8


class _Day(msgspec.Struct, kw_only=True):
    """One site's day as this process knows it."""

    day: int
    site: Site
    chars: int = 0
    """Of all processes, when the store was asked last."""
    owed_chars: int = 0
    """Not written yet."""
    reserve: int = 0
    """Written, or owed, and not spent."""
    owed_calls: int = 0
    owed_hits: int = 0
    has_warned: bool = False
    has_stopped: bool = False
    lock: anyio.Lock


class Ledger:
    """Counts for all sites."""

    def __init__(
        self,
        store: Records,
        guard: Guard,
        *,
        ids: IdGenerator,
        now_ms: Callable[[], int],
    ) -> None:
        """Take the store, what bears its failures, and the clock (Unix ms)."""
        self._store = store
        self._guard = guard
        self._ids = ids
        self._now_ms = now_ms
        self._days: dict[int, _Day] = {}
        self.warnings = self.refusals = 0
        """Days that came near their end; texts that were not translated for it."""
        self.stopped: dict[int, int] = {}
        """The last day of each site that was used up."""

    async def spend(self, site: Site, chars: int) -> int:
        """Write down characters that a service is about to be asked for.

        Returns:
            The day, for `give_back`.

        Raises:
            TranslationFailed: With them the day's budget would be exceeded.
        """
        day = await self._today(site)
        if self._take(site, day, chars):
            return day.day
        async with day.lock:
            # Somebody else may have written down more than it needed.
            if self._take(site, day, chars):
                return day.day
            budget = site.settings.translation.chars_per_day
            block = min(BLOCK_CHARS, budget // 100) if budget else BLOCK_CHARS
            for wanted in {max(chars, block): None, chars: None}:
                day.owed_chars += wanted
                day.owed_calls += 1
                if await self._write(site, day, is_asking=True):
                    day.reserve += wanted - chars
                    self._warn(site, day)
                    return day.day
                day.owed_chars -= wanted
                day.owed_calls -= 1
        self.refusals += 1
        self.stopped[site.id] = day.day
        text = f"The site {site.id} may translate {budget} characters a day, and has."
        if not day.has_stopped:
            day.has_stopped = True
            logger.warning("nothing more is translated today: %s", text)
        left_s = self._seconds_left(site)
        raise TranslationFailed(text, Trouble.BUDGET, retry_after_s=left_s)

    async def give_back(self, site: Site, day_number: int, chars: int) -> None:
        """Do not count what no service has translated. Never raises."""
        day = await self._today(site)
        if day.day == day_number:
            day.reserve += chars

    async def saved(self, site: Site, texts: int) -> None:
        """Count texts that no service was needed for. Never raises."""
        day = await self._today(site)
        day.owed_hits += texts

    async def flush(self) -> None:
        """Write what is counted in memory only. Never raises."""
        for day in [*self._days.values()]:
            await self._settle(day)

    async def _settle(self, day: _Day) -> None:
        async with day.lock:
            day.owed_chars -= day.reserve
            day.reserve = 0
            if day.owed_chars or day.owed_calls or day.owed_hits:
                await self._write(day.site, day, is_asking=False)

    def _take(self, site: Site, day: _Day, chars: int) -> bool:
        """Spend what is written down already, if that is enough."""
        budget = site.settings.translation.chars_per_day
        spent = day.chars + day.owed_chars - day.reserve
        if day.reserve < chars or (budget and spent + chars > budget):
            return False
        day.reserve -= chars
        day.owed_calls += 1
        self._warn(site, day)
        return True

    async def _today(self, site: Site) -> _Day:
        number = self._number(site)
        day = self._days.get(site.id)
        if day is None or day.day != number:
            self._days[site.id] = _Day(day=number, site=site, lock=anyio.Lock())
            if day is not None:
                await self._settle(day)
        return self._days[site.id]

    def _number(self, site: Site) -> int:
        zone = zone_of(site.settings.hours)
        return day_number(UnixMs(self._now_ms()), zone)

    async def _write(self, site: Site, day: _Day, *, is_asking: bool) -> bool:
        """Add what is owed; whether it is within the budget, if that is asked."""
        with self._guard():
            for _ in range(_TRIES):
                if await self._try(site, day, is_asking=is_asking):
                    return True
                if is_asking and self._is_over(site, day):
                    return False
        # The store is away, or everybody writes at once: what this process knows holds.
        return not (is_asking and self._is_over(site, day))

    def _is_over(self, site: Site, day: _Day) -> bool:
        budget = site.settings.translation.chars_per_day
        return bool(budget) and day.chars + day.owed_chars > budget

    async def _try(self, site: Site, day: _Day, *, is_asking: bool) -> bool:
        where = {"site_id": site.id, "day": day.day}
        rows = await self._store.list_records(TranslationUsage, where=where, limit=1)
        day.chars = rows[0].chars if rows else 0
        if is_asking and self._is_over(site, day):
            return False
        old = rows[0] if rows else self._empty(site, day)
        owed = day.owed_chars, day.owed_calls, day.owed_hits
        new = msgspec.structs.replace(
            old,
            chars=max(0, old.chars + owed[0]),
            calls=old.calls + owed[1],
            hits=old.hits + owed[2],
        )
        if rows:
            seen = {"chars": old.chars, "calls": old.calls, "hits": old.hits}
            is_written = new == old or await self._store.change_record(new, when=seen)
        else:
            is_written = await self._create(new)
        if is_written:
            day.chars = new.chars
            day.owed_chars -= owed[0]
            day.owed_calls -= owed[1]
            day.owed_hits -= owed[2]
        return is_written

    def _empty(self, site: Site, day: _Day) -> TranslationUsage:
        return TranslationUsage(id=self._ids.new(), site_id=site.id, day=day.day)

    async def _create(self, usage: TranslationUsage) -> bool:
        try:
            await self._store.put_records(usage)
        except Conflict:
            # Another node was first.
            return False
        return True

    def _warn(self, site: Site, day: _Day) -> None:
        rules = site.settings.translation
        used = day.chars + day.owed_chars - day.reserve
        is_near = used >= rules.warn_at * rules.chars_per_day
        if not rules.chars_per_day or not is_near or day.has_warned:
            return
        day.has_warned = True
        self.warnings += 1
        logger.warning(
            "the site %d has used %d of the %d characters it may translate today",
            site.id,
            used,
            rules.chars_per_day,
        )

    def _seconds_left(self, site: Site) -> float:
        now = datetime.fromtimestamp(
            self._now_ms() / 1000, zone_of(site.settings.hours)
        )
        midnight = (now + timedelta(days=1)).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        return max(1.0, midnight.timestamp() - now.timestamp())
