"""Asks services for what nothing else knows, and counts what it costs.

A text goes the cheapest way: nothing to translate; a correction of an agent; what was
translated before; what somebody else is asking for at this moment; a service. Services
are asked within the site's budget, and what they say is kept within seconds, so that a
process that is killed has paid at most for what it was about to write.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import anyio

from kefu_core.abc.store import Store
from kefu_core.abc.translator import (
    EconomyFigures,
    Translated,
    TranslationFailed,
    Translations,
)
from kefu_core.ids import IdGenerator
from kefu_core.languages import are_same, has_words, normal_tag
from kefu_core.model import Site
from kefu_core.translators.cache import STORE_S, Ask, Cache, Guard
from kefu_core.translators.chain import Chain
from kefu_core.translators.corrections import Corrections
from kefu_core.translators.ledger import Ledger
from kefu_core.translators.pieces import batches

FLUSH_S = 2.0


class _Flight:
    """Texts that are being found out, and who waits for them."""

    def __init__(self) -> None:
        self.is_over = anyio.Event()
        self.told: dict[str, Translated] = {}
        """By key."""
        self.error: TranslationFailed | None = None


class Economy(Translations):
    """One for a node, over its services and all its sites."""

    def __init__(
        self,
        chain: Chain,
        store: Store,
        *,
        ids: IdGenerator,
        now: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        """Take the services, the store, and clocks (monotonic s, Unix ms)."""
        self._chain = chain
        self._now = now
        self._guard = Guard()
        self._cache = Cache(store, self._guard, ids=ids, now_ms=now_ms)
        self._corrections = Corrections(store, self._guard, now=now)
        self._ledger = Ledger(store, self._guard, ids=ids, now_ms=now_ms)
        self._flights: dict[tuple[int, str], _Flight] = {}
        self._hits: Counter[str] = Counter()
        self._hit_chars = self._joined = 0

    @property
    def figures(self) -> EconomyFigures:
        return EconomyFigures(
            services=self._chain.figures,
            hits=dict(self._hits),
            hit_chars=self._hit_chars,
            joined=self._joined,
            refusals=self._ledger.refusals,
            warnings=self._ledger.warnings,
            stopped=self._ledger.stopped,
            store_failures=self._guard.failures,
            now=self._now(),
        )

    async def translate(
        self, site: Site, texts: Sequence[str], *, source: str, target: str
    ) -> list[Translated]:
        ask = Ask(site_id=site.id, source=normal_tag(source), target=normal_tag(target))
        found: dict[str, Translated] = {}
        for text in dict.fromkeys(texts):
            if are_same(source, target) or not has_words(text):
                found[text] = Translated(text=text)
        found |= await self._corrected(site, ask, _missing(texts, found))
        while missing := _missing(texts, found):
            found |= await self._find(site, ask, missing)
        return [found[text] for text in texts]

    async def run(self) -> None:
        """Write what is new every other second, until cancelled, and then once more."""
        try:
            while True:
                await anyio.sleep(FLUSH_S)
                await self.flush()
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(STORE_S):
                await self.flush()

    async def flush(self) -> None:
        """Write what was counted and paid for. Never raises."""
        await self._cache.flush()
        await self._ledger.flush()

    def forget(self) -> None:
        """Drop all that memory holds of texts; for `ErasureWatch`."""
        self._cache.clear()

    async def forget_texts(self, site: Site, texts: Sequence[str]) -> None:
        """Drop what was made of texts that were taken back. Raises `KefuError`."""
        await self._cache.forget(site.id, texts)

    async def _corrected(
        self, site: Site, ask: Ask, texts: Sequence[str]
    ) -> dict[str, Translated]:
        found = await self._corrections.find(ask, texts)
        await self._count(site, found)
        return found

    async def _find(
        self, site: Site, ask: Ask, texts: Sequence[str]
    ) -> dict[str, Translated]:
        """Find what nobody is finding out, and wait for the rest.

        Returns what is known then: less than was asked for if somebody else was
        cancelled.
        """
        found: dict[str, Translated] = {}
        others = {
            text: flight
            for text in texts
            if (flight := self._flights.get((ask.site_id, ask.key(text)))) is not None
        }
        mine = [text for text in texts if text not in others]
        if mine:
            found |= await self._lead(site, ask, mine)
        for text, flight in others.items():
            await flight.is_over.wait()
            told = flight.told.get(ask.key(text))
            if told is not None:
                self._joined += 1
                found[text] = told
            elif flight.error is not None:
                raise _again(flight.error)
        return found

    async def _lead(
        self, site: Site, ask: Ask, texts: Sequence[str]
    ) -> dict[str, Translated]:
        flight = _Flight()
        keys = {ask.key(text): text for text in texts}
        for key in keys:
            self._flights[ask.site_id, key] = flight
        try:
            await self._get(site, ask, keys, flight)
        except TranslationFailed as error:
            flight.error = error
            raise
        finally:
            for key in keys:
                del self._flights[ask.site_id, key]
            flight.is_over.set()
        # Texts that differ in blanks at their ends share a key.
        return {text: flight.told[ask.key(text)] for text in texts}

    async def _get(
        self, site: Site, ask: Ask, keys: dict[str, str], flight: _Flight
    ) -> None:
        known = await self._cache.find(ask, [*keys.values()])
        flight.told |= {ask.key(text): told for text, told in known.items()}
        await self._count(site, known)
        missing = [text for text in keys.values() if text not in known]
        chain = self._chain
        for some in batches(missing, chain.texts_max, chain.chars_max):
            batch = [missing[at] for at in some]
            told = await self._pay(site, ask, batch)
            flight.told |= {ask.key(text): each for text, each in told.items()}
            self._cache.keep(ask, told)

    async def _pay(
        self, site: Site, ask: Ask, texts: Sequence[str]
    ) -> dict[str, Translated]:
        chars = sum(map(len, texts))
        day = await self._ledger.spend(site, chars)
        try:
            told = await self._chain.translate(
                texts, source=ask.source, target=ask.target
            )
        except TranslationFailed:
            await self._ledger.give_back(site, day, chars)
            raise
        return dict(zip(texts, told, strict=True))

    async def _count(self, site: Site, known: dict[str, Translated]) -> None:
        if known:
            self._hits.update(told.provider for told in known.values())
            self._hit_chars += sum(map(len, known))
            await self._ledger.saved(site, len(known))


def _missing(texts: Sequence[str], found: dict[str, Translated]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text not in found]


def _again(error: TranslationFailed) -> TranslationFailed:
    """Return the same for another task: each raises an exception of its own."""
    return TranslationFailed(
        error.text, error.trouble, retry_after_s=error.retry_after_s
    )
