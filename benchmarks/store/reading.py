"""How long it takes to look back: pages, lists and searches at random places.

Databases of all sizes are asked in turn, one query each, so that what else the machine
does falls on all of them alike. Everything that is asked is in the memory of
the database or of the operating system: each kind is asked some times before.
"""

import random
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from benchmarks.store.corpus import AGENTS, LABELS, SITES, Corpus
from benchmarks.store.words import choose_words
from kefu_core.abc.archive import ConversationFilter, Place, SearchQuery
from kefu_core.abc.store import Store
from kefu_core.ids import agent_participant
from kefu_core.model import ConversationStatus
from kefu_core.types import Seq, UnixMs

PAGE = 50
QUERIES = 210
"""Of each kind and size, at least 200."""
_WARM_UP = 20
_WEEK_MS = 7 * 86_400_000


class ReadError(Exception):
    """An answer was not what the history holds."""


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds that a query took."""

    queries: int
    p50: float
    p95: float
    incomplete: int = 0
    """Searches whose time was up before the page was full."""


class Sized(msgspec.Struct, frozen=True, kw_only=True):
    """One open database and how much of the corpus it holds."""

    messages: int
    conversations: int
    store: Store


Ask = Callable[[Sized, random.Random], Awaitable[bool]]
"""One query at a random place; False if it was cut short. Raises `ReadError`."""


async def measure_reads(
    databases: Sequence[Sized],
    *,
    queries: int = QUERIES,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, list[Times]]:
    """Return for each kind of query the times at each size, in the order given."""
    found: dict[str, list[Times]] = {}
    for kind, ask in _kinds().items():
        taken: list[list[float]] = [[] for _ in databases]
        cut = [0] * len(databases)
        # The same places and words for all, as far as they have them.
        rngs = [random.Random(kind) for _ in databases]
        for number in range(min(_WARM_UP, queries) + queries):
            for place, database in enumerate(databases):
                started = time.perf_counter()
                is_whole = await ask(database, rngs[place])
                if number >= min(_WARM_UP, queries):
                    taken[place].append((time.perf_counter() - started) * 1e3)
                    cut[place] += not is_whole
        found[kind] = [
            times_of(ms, incomplete=cut[place]) for place, ms in enumerate(taken)
        ]
        progress()
    return found


def times_of(ms: Sequence[float], *, incomplete: int = 0) -> Times:
    """Return the percentiles."""
    cuts = statistics.quantiles(ms, n=20, method="inclusive")
    return Times(
        queries=len(ms),
        p50=round(statistics.median(ms), 2),
        p95=round(cuts[-1], 2),
        incomplete=incomplete,
    )


def kinds() -> list[str]:
    """Return the names of what is measured."""
    return [*_READS, *(f"search_{degree}" for degree in _DEGREES)]


def _kinds() -> Mapping[str, Ask]:
    words = choose_words(Corpus())
    searches = {f"search_{degree}": _searching(words[degree]) for degree in _DEGREES}
    return _READS | searches


async def _ask_nothing(database: Sized, rng: random.Random) -> bool:
    await database.store.ping()
    return True


async def _ask_page(database: Sized, rng: random.Random) -> bool:
    row = _corpus.story(rng.randrange(database.conversations)).conversation
    last = row.last_seq
    before = Seq(rng.randint(min(last, PAGE), last) + 1)
    page = await database.store.history(row.id, before=before, limit=PAGE)
    if [m.seq for m in page] != list(range(max(1, before - PAGE), before)):
        raise ReadError(f"A page of conversation {row.id} is not whole.")
    return True


async def _ask_first(database: Sized, rng: random.Random) -> bool:
    wanted = _filter(rng, None)
    rows = await database.store.find_conversations(wanted, limit=PAGE)
    if wanted == ConversationFilter() and not rows:
        raise ReadError("The first page of a list is empty.")
    return True


async def _ask_deep(database: Sized, rng: random.Random) -> bool:
    # From anywhere but the oldest twentieth, where pages are short.
    oldest = database.conversations // 20
    story = _corpus.story(rng.randrange(oldest, database.conversations))
    row = story.conversation
    before: Place = row.last_at, row.id
    wanted = _filter(rng, row.last_at)
    rows = await database.store.find_conversations(wanted, before=before, limit=PAGE)
    if any(found.last_at > row.last_at + 900_000 for found in rows):
        raise ReadError("A page of a list begins above its place.")
    return True


def _filter(rng: random.Random, at: UnixMs | None) -> ConversationFilter:
    site = rng.randint(1, SITES)
    agent = agent_participant(rng.randint(1, AGENTS))
    closed = ConversationStatus.CLOSED
    label = rng.choice(LABELS)
    wanted = rng.choice(
        (
            ConversationFilter(),
            ConversationFilter(site_id=site),
            ConversationFilter(assignee=agent),
            ConversationFilter(status=closed),
            ConversationFilter(label=label),
            ConversationFilter(site_id=site, status=closed),
            ConversationFilter(assignee=agent, status=closed),
            ConversationFilter(site_id=site, label=label),
        )
    )
    if at is not None and rng.random() < 0.3:
        since = UnixMs(at - _WEEK_MS)
        return msgspec.structs.replace(wanted, active_from=since)
    return wanted


def _searching(words: Sequence[str]) -> Ask:
    async def ask(database: Sized, rng: random.Random) -> bool:
        word = rng.choice(words)
        found = await database.store.search(SearchQuery(text=word))
        if any(word not in hit.message.body for hit in found.hits):
            raise ReadError(f"A hit for {word} does not contain it.")
        return found.is_complete

    return ask


_corpus = Corpus()
_READS: dict[str, Ask] = {
    "ping": _ask_nothing,
    "page": _ask_page,
    "list_first": _ask_first,
    "list_deep": _ask_deep,
}
_DEGREES = ("common", "medium", "rare", "absent")
