"""The search index against looking at everything: merged, killed and erased at will."""

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from kefu_core import text
from kefu_core.abc.archive import SearchQuery
from kefu_core.errors import StoreUnavailable
from kefu_core.ids import document_id_at
from kefu_core.model import Message, MessageKind
from kefu_core.store import documents, indexing, merging, postings, segments
from kefu_core.store import tables as t
from kefu_core.store.schema import upgrade
from kefu_core.store.sql import SqlStore
from kefu_core.testing.archive import World, index_all, places, search_all
from kefu_core.testing.stores import Clock
from tests.depth import times

TINY = {
    segments: {"FANOUT": 3, "_LEVEL_0_MAX": 3},
    merging: {
        **{"FANOUT": 3, "_ROWS_ASKED": 8, "_FAT": 1},
        "_PURGED_AT_ONCE": 3,
    },
    postings: {"ROW_DOCUMENTS_MAX": 4, "_COMPRESSED_MIN": 3},
    indexing: {"WALKED_AT_ONCE": 3},
    documents: {"_WINDOW_MAX": 8},
}
PARTS = (
    "发货",
    "退款",
    "什么时候",
    "货",
    "款发",
    "order",
    "sf1",
    "!",
    "😀",
    "快递",
    "的",
)
WORDS = ("发货", "退款", "退款发货", "时候", "order 发货", "sf1", "快递 退款", "款发")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "kefu.db"
    anyio.run(upgrade, f"sqlite+aiosqlite:///{path}")
    return path


@contextmanager
def tiny(fat_bytes_max: int) -> Iterator[None]:
    """Make everything small, so that little data goes all ways."""
    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        for module, values in TINY.items():
            for name, value in values.items():
                patched.setattr(module, name, value)
        patched.setattr(merging, "_FAT_BYTES_MAX", fat_bytes_max)
        yield


class Killed(ValueError):
    """The process died."""


class Indexed(World):
    """A world whose index is brought up, merged, killed and erased by chance."""

    store: SqlStore

    def __init__(self, store: SqlStore, clock: Clock, seed: int) -> None:
        super().__init__(store, clock, seed)
        self.erased: set[tuple[int, int]] = set()

    async def talk(self) -> None:
        for _ in range(self.rng.randrange(1, 12)):
            self.clock.ms += self.rng.choice((0, 0, 1, 1_000, 1_000_000))
            body = "".join(self.rng.choices(PARTS, k=self.rng.randrange(1, 6)))
            kind = self.rng.choice((MessageKind.TEXT,) * 4 + (MessageKind.CLOSE,))
            conversation = self.rng.choice(list(self.rows))
            await self.say(conversation, body, kind=kind)

    async def index(self) -> None:
        await self.store.index_some(limit=self.rng.randrange(1, 9))

    async def index_some_of_these(self) -> None:
        some = self.rng.sample(list(self.rows), 2)
        await self.store.index_some(some, limit=self.rng.randrange(1, 9))

    async def tend(self) -> None:
        for _ in range(self.rng.randrange(1, 9)):
            await self.store.tend_index()

    async def kill(self) -> None:
        """Do a step whose transaction never ends."""
        conversations = list(self.rows)
        indexed = partial(indexing.index, conversations=conversations, limit=5)
        step: Any = self.rng.choice((indexed, merging.tend))

        async def job(connection: Any) -> None:
            await step(connection)
            raise Killed

        with pytest.raises(StoreUnavailable):
            await self.store._do(job)

    async def erase(self) -> None:
        if not self.messages:
            return
        some = self.rng.sample(self.messages, min(4, len(self.messages)))
        some = [m for m in some if (m.conversation, m.seq) not in self.erased]
        await self.store._do(lambda c: _erase(c, some))
        self.erased |= {(m.conversation, m.seq) for m in some}
        self.messages = [m for m in self.messages if m not in some]

    is_ordered = True
    """False where a flood put messages behind later ones."""

    async def check(self) -> None:
        """Compare searches with what is known to be indexed."""
        cursors = dict(await self._all(select(*t.search_cursor.c)))
        for words in WORDS:
            limit = self.rng.choice((1, 2, 50))
            query = SearchQuery(text=words, limit=limit)
            hits = [hit.message for hit in await search_all(self.store, query)]
            expected = [
                m for m in self.found(query) if m.seq <= cursors.get(m.conversation, 0)
            ]
            assert sorted(places(hits)) == sorted(places(expected)), words
            times = [message.at for message in hits]
            assert times == sorted(times, reverse=True) or not self.is_ordered
        await self.check_tables()

    async def check_tables(self) -> None:
        """Every document is in one whole segment, in the rows of its terms, once."""
        whole = {
            s.id for s in await self.store._read(segments.list_segments) if s.is_whole
        }
        numbers = {
            row[0]: (row[1], row[2])
            for row in await self._all(select(*t.search_document.c))
        }
        assert len(set(numbers.values())) == len(numbers)
        terms: dict[int, dict[int, int]] = {}
        ends: dict[tuple[int, int], int] = {}
        query = select(*t.search_posting.c).order_by(*t.search_posting.primary_key)
        for segment, term, newest, rest in await self._all(query):
            if segment not in whole:
                continue
            row = postings.decode(newest, rest)[::-1]
            assert row == sorted(set(row))
            assert ends.get((segment, term), -1) < row[0]
            ends[segment, term] = row[-1]
            for document in row:
                assert (
                    terms.setdefault(document, {}).setdefault(term, segment) == segment
                )
        by_place = {(m.conversation, m.seq): m for m in self.messages}
        assert set(terms) == {
            n for n, place in numbers.items() if text.terms(by_place[place].body)
        }
        for document, of_document in terms.items():
            message = by_place[numbers[document]]
            assert len(set(of_document.values())) == 1
            assert set(of_document) == set(
                map(postings.term_number, text.terms(message.body))
            )
            assert document >= document_id_at(message.at)

    async def _all(self, query: Any) -> Any:
        async def read(connection: Any) -> Any:
            return (await connection.execute(query)).all()

        return await self.store._read(read)


async def _erase(connection: Any, messages: list[Message]) -> None:
    await indexing.unindex(connection, messages)
    for message in messages:
        await connection.execute(
            update(t.message)
            .where(
                t.message.c.conversation_id == message.conversation,
                t.message.c.seq == message.seq,
            )
            .values(kind="erased", body="")
        )


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


STEPS = (
    *("talk", "index", "tend") * 3,
    *("index_some_of_these", "kill", "erase", "check"),
)


@settings(max_examples=settings.default.max_examples // times(20, 10))
@given(
    st.integers(0, 2**32), st.lists(st.sampled_from(STEPS), min_size=20, max_size=70)
)
def test_whatever_happens_to_the_index_a_search_finds_what_is_there(
    empty: Path, tmp_path_factory: pytest.TempPathFactory, seed: int, steps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("index") / "kefu.db"
    shutil.copy(empty, path)

    async def run() -> None:
        url = f"sqlite+aiosqlite:///{path}"
        await live(url, seed, steps)

    with tiny(fat_bytes_max=4 + seed % 2 * 20):
        anyio.run(run)


async def live(url: str, seed: int, steps: list[str]) -> None:
    """Let the steps happen; at the end everything must be indexed and found."""
    clock = Clock()
    async with SqlStore(url, now=time.monotonic, now_ms=clock) as store:
        # A few conversations are read instead: the index is what is asked here.
        store._few_conversations = _none  # type: ignore[method-assign]
        world = Indexed(store, clock, seed)
        await world.open(4)
        for step in ("talk", *steps, "talk"):
            await getattr(world, step)()
        await index_all(store)
        await world.check()
        assert (await store.index_state()).messages_behind == 0


@pytest.mark.anyio
@pytest.mark.parametrize("seed", [1, 2])
async def test_every_engine_does_the_same(database_url: str, seed: int) -> None:
    rng = random.Random(seed)
    with tiny(fat_bytes_max=4 + seed % 2 * 20):
        await live(database_url, seed, rng.choices(STEPS, k=times(40, 80)))


async def _none(query: SearchQuery) -> None:
    return None


@pytest.mark.anyio
async def test_a_flood_in_one_millisecond_is_found_and_erased_as_everything_else(
    empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "_WINDOW_MAX", 4)
    shutil.copy(empty, tmp_path / "kefu.db")
    url, clock = f"sqlite+aiosqlite:///{tmp_path / 'kefu.db'}", Clock()
    async with SqlStore(url, now=time.monotonic, now_ms=clock) as store:
        store._few_conversations = _none  # type: ignore[method-assign]
        world = Indexed(store, clock, 1)
        world.is_ordered = False
        await world.open(2)
        for number in range(30):
            await world.say(list(world.rows)[number % 2], "发货了")
        clock.ms += 60_000
        await world.say(next(iter(world.rows)), "什么时候发货")
        while await store.index_some(limit=7):
            await world.check()
        while world.messages:
            await world.erase()
            await world.check()
        assert await world._all(select(t.search_posting.c.term)) == []
