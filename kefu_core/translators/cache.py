"""Translations that were paid for once: those of late in memory, all in the store.

A store that is away, slow or full costs what it would have saved, and nothing else.
What is new is written together, every other second: a transaction for each text would
hold up messages that come meanwhile. An erasure by whatever process takes along what
was being written: nobody can know what that was made of.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import anyio
import msgspec

from kefu_core.abc.records import PAGE_MAX, Wanted
from kefu_core.abc.store import Store
from kefu_core.abc.translator import Translated
from kefu_core.errors import Conflict, KefuError
from kefu_core.ids import IdGenerator
from kefu_core.languages import text_key
from kefu_core.records import CachedTranslation
from kefu_core.types import UnixMs

logger = logging.getLogger(__name__)

ENTRIES_MAX, CHARS_MAX = 5_000, 2_000_000
"""Of what is held in memory, of all sites together."""
DUE_MAX = 1_000
"""Of what is to be written; more is held in memory only."""
STORE_S = 2.0
"""So long the store is waited for: a translation must not take longer for it."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Between which languages, and for which site."""

    site_id: int
    source: str
    """Empty: the service is to find out."""
    target: str

    def key(self, text: str) -> str:
        """Return what a text's translation is found by, whoever makes it."""
        return text_key(self.source, self.target, text)


class Guard:
    """Counts how often the store failed, and says so once until it is back."""

    def __init__(self) -> None:
        self.failures = 0
        self._is_away = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Let a block ask the store: bounded in time, and its failure is no error."""
        with anyio.move_on_after(STORE_S) as scope:
            try:
                yield
            except KefuError as error:
                self._failed(str(error))
                return
        if scope.cancelled_caught:
            self._failed(f"no answer within {STORE_S:.0f} s")
        else:
            self._is_away = False

    def _failed(self, text: str) -> None:
        self.failures += 1
        if not self._is_away:
            logger.warning("translations go on without the store: %s", text)
        self._is_away = True


class Cache:
    """What is known of each site's texts."""

    def __init__(
        self,
        store: Store,
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
        self._held: OrderedDict[tuple[int, str], Translated] = OrderedDict()
        self._chars = 0
        self._due: list[CachedTranslation] = []
        self._unsure: list[int] = []
        """Written, but nobody has looked yet whether something was erased meanwhile."""
        self._mark: int | None = None
        """Of erasures, as it was before any of those came."""
        self._cleared = 0

    async def find(self, ask: Ask, texts: Sequence[str]) -> dict[str, Translated]:
        """Return what is known, by text. Never raises."""
        keys = {ask.key(text): text for text in texts}
        found: dict[str, Translated] = {}
        for key, text in keys.items():
            held = self._held.get((ask.site_id, key))
            if held is not None:
                self._held.move_to_end((ask.site_id, key))
                found[text] = held
        missing = [key for key, text in keys.items() if text not in found]
        if not missing:
            return found
        with self._guard():
            if self._mark is None:
                self._mark = await self._store.erasure_mark()
            for start in range(0, len(missing), PAGE_MAX):
                where: Wanted = {
                    "site_id": ask.site_id,
                    "key": missing[start : start + PAGE_MAX],
                }
                for record in await self._store.list_records(
                    CachedTranslation, where=where, limit=PAGE_MAX
                ):
                    told = Translated(
                        text=record.body, source=record.source, provider=record.provider
                    )
                    found[keys[record.key]] = told
                    self._hold(ask.site_id, record.key, told)
        return found

    def keep(self, ask: Ask, told: Mapping[str, Translated]) -> None:
        """Remember translations, by text; `flush` writes them."""
        at = UnixMs(self._now_ms())
        for text, each in told.items():
            self._hold(ask.site_id, ask.key(text), each)
            record = CachedTranslation(
                id=self._ids.new(),
                site_id=ask.site_id,
                key=ask.key(text),
                text_key=text_key(text),
                body=each.text,
                source=each.source[:35],
                provider=each.provider[:64],
                chars=len(each.text),
                created_at=at,
            )
            if len(self._due) < DUE_MAX:
                self._due.append(record)

    async def flush(self) -> None:
        """Write what is new. Never raises; what cannot be written stays in memory."""
        due, self._due = self._due, []
        if not due and not self._unsure:
            return
        cleared = self._cleared
        self._unsure += [record.id for record in due]
        with self._guard():
            await self._put(due)
            mark = await self._store.erasure_mark()
            if mark != self._mark or cleared != self._cleared:
                await self._store.delete_records(CachedTranslation, self._unsure)
            self._mark = mark
            self._unsure = []

    async def _put(self, due: Sequence[CachedTranslation]) -> None:
        try:
            await self._store.add_records(CachedTranslation, due)
        except Conflict:
            # Another node has found out the same; the rest is new.
            for record in due:
                with suppress(Conflict):
                    await self._store.add_records(CachedTranslation, [record])

    async def forget(self, site_id: int, texts: Sequence[str]) -> None:
        """Drop what was made of these texts. Raises `StoreUnavailable`."""
        self.clear()
        keys = [text_key(text) for text in texts]
        for start in range(0, len(keys), PAGE_MAX):
            where: Wanted = {
                "site_id": site_id,
                "text_key": keys[start : start + PAGE_MAX],
            }
            while rows := await self._store.list_records(
                CachedTranslation, where=where, limit=PAGE_MAX
            ):
                numbers = [row.id for row in rows]
                await self._store.delete_records(CachedTranslation, numbers)

    def clear(self) -> None:
        """Drop what is in memory: somebody has erased something."""
        self._held.clear()
        self._due.clear()
        self._chars = 0
        self._cleared += 1

    def _hold(self, site_id: int, key: str, told: Translated) -> None:
        old = self._held.pop((site_id, key), None)
        self._chars += len(told.text) - (len(old.text) if old is not None else 0)
        self._held[site_id, key] = told
        while len(self._held) > ENTRIES_MAX or self._chars > CHARS_MAX:
            _, gone = self._held.popitem(last=False)
            self._chars -= len(gone.text)
