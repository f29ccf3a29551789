"""What agents want texts to be translated as: it wins over cache and services."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from kefu_core.abc.records import PAGE_MAX, Records
from kefu_core.abc.translator import KEPT, Translated
from kefu_core.languages import are_same, text_key
from kefu_core.records import GlossaryEntry
from kefu_core.translators.cache import Ask, Guard

FRESH_S = 10.0
"""A correction holds everywhere after so long."""
ENTRIES_MAX = 2_000
"""Of one site; the desk takes no more."""
_Entries = dict[str, list[GlossaryEntry]]


class Corrections:
    """The glossary of each site, held for a few seconds."""

    def __init__(
        self, store: Records, guard: Guard, *, now: Callable[[], float]
    ) -> None:
        """Take the store, what bears its failures, and monotonic seconds."""
        self._store = store
        self._guard = guard
        self._now = now
        self._held: dict[int, tuple[float, _Entries]] = {}

    async def find(self, ask: Ask, texts: Sequence[str]) -> dict[str, Translated]:
        """Return what agents have said of whole texts, by text. Never raises."""
        entries = await self._entries(ask.site_id)
        found: dict[str, Translated] = {}
        for text in texts if entries else ():
            fitting = [e for e in entries.get(text_key(text), ()) if _fits(e, ask)]
            if fitting:
                best = max(fitting, key=lambda entry: _closeness(entry, ask))
                found[text] = Translated(
                    text=best.translation, source=best.source, provider=KEPT
                )
        return found

    async def _entries(self, site_id: int) -> _Entries:
        entries: _Entries = {}
        if site_id in self._held:
            read_at, entries = self._held[site_id]
            if self._now() - read_at < FRESH_S:
                return entries
            # Whoever comes meanwhile has the older ones.
            self._held[site_id] = (self._now(), entries)
        with self._guard():
            found: defaultdict[str, list[GlossaryEntry]] = defaultdict(list)
            after, count = 0, 0
            while rows := await self._store.list_records(
                GlossaryEntry, where={"site_id": site_id}, after=after, limit=PAGE_MAX
            ):
                for row in rows:
                    found[row.text_key].append(row)
                after, count = rows[-1].id, count + len(rows)
                if len(rows) < PAGE_MAX or count >= ENTRIES_MAX:
                    break
            entries = dict(found)
        self._held[site_id] = (self._now(), entries)
        return entries


def _fits(entry: GlossaryEntry, ask: Ask) -> bool:
    if not are_same(entry.target, ask.target):
        return False
    return not entry.source or not ask.source or are_same(entry.source, ask.source)


def _closeness(entry: GlossaryEntry, ask: Ask) -> tuple[bool, bool, int]:
    return entry.target == ask.target, are_same(entry.source, ask.source), entry.id
