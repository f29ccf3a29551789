"""The benchmark of a large history: what it fills is what the store would have left."""

from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from benchmarks.store.appending import LOAD_SITE, compare
from benchmarks.store.corpus import Corpus
from benchmarks.store.filling import FillError, add_people, fill
from benchmarks.store.reading import kinds, times_of
from benchmarks.store.run import StoreOptions, faults_in, run_store
from benchmarks.store.showing import aims, plot_store, show_store
from benchmarks.store.words import choose_words, pairs
from kefu_core.abc.archive import ConversationFilter
from kefu_core.folding import fold
from kefu_core.ids import visitor_participant
from kefu_core.model import Conversation, Draft, Person, Role, Site
from kefu_core.node import monotonic, unix_ms
from kefu_core.store import schema
from kefu_core.store.sql import SqlStore

MESSAGES = 700

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def open_store(url: str) -> SqlStore:
    return SqlStore(url, now=monotonic, now_ms=unix_ms)


async def new_database(folder: Path, title: str = "store") -> str:
    url = f"sqlite+aiosqlite:///{folder}/{title}.db"
    await schema.upgrade(url)
    async with open_store(url) as store:
        await add_people(store)
    return url


async def rows_of(store: SqlStore) -> list[Conversation]:
    rows = await store.find_conversations(ConversationFilter(), limit=1_000)
    return sorted(rows, key=lambda row: row.id)


async def test_a_filled_conversation_is_the_fold_of_its_log(tmp_path: Path) -> None:
    url = await new_database(tmp_path)
    await fill(url, MESSAGES)
    async with open_store(url) as store:
        for row in await rows_of(store):
            log = await store.history(row.id, limit=1_000)
            folded = Conversation(
                id=row.id,
                site_id=row.site_id,
                visitor=row.visitor,
                last_at=row.opened_at,
                opened_at=row.opened_at,
            )
            for message in log:
                folded = fold(folded, message)
            assert row == folded


async def test_a_fill_in_two_parts_is_the_fill_in_one(tmp_path: Path) -> None:
    whole = await new_database(tmp_path, "whole")
    parts = await new_database(tmp_path, "parts")
    first = await fill(parts, MESSAGES // 3)
    second = await fill(parts, MESSAGES)
    at_once = await fill(whole, MESSAGES)
    assert first.added + second.added == second.messages == at_once.messages
    async with open_store(whole) as one, open_store(parts) as other:
        rows = await rows_of(one)
        assert await rows_of(other) == rows
        for row in rows:
            assert await other.history(row.id) == await one.history(row.id)
            assert await other.cursors(row.id) == await one.cursors(row.id)


async def test_a_full_database_is_not_filled_further(tmp_path: Path) -> None:
    url = await new_database(tmp_path)
    await fill(url, MESSAGES)
    assert (await fill(url, MESSAGES // 2)).added == 0


async def test_a_database_with_other_conversations_is_left_alone(
    tmp_path: Path,
) -> None:
    url = await new_database(tmp_path)
    async with open_store(url) as store:
        visitor = Person(id=visitor_participant(7), name="", role=Role.VISITOR)
        await store.open_conversation(1, visitor)
    with pytest.raises(FillError):
        await fill(url, MESSAGES)


async def test_what_the_appender_was_measured_with_is_taken_away(
    tmp_path: Path,
) -> None:
    url = await new_database(tmp_path)
    await fill(url, MESSAGES)
    async with open_store(url) as store:
        before = await rows_of(store)
        # As a run that was killed leaves it.
        site = Site(id=LOAD_SITE, name="Benchmark load", embed_key="benchmark-load")
        await store.put_site(site)
        visitor = Person(id=visitor_participant(7), name="", role=Role.VISITOR)
        row = await store.open_conversation(LOAD_SITE, visitor)
        await store.append(
            Draft(conversation=row.id, sender=visitor.id, key="k", body="你好")
        )
    [found] = await compare(url, senders=[3], seconds=0.05, rounds=1)
    assert found.appender.client_cpu_us > 0 < found.bare.client_cpu_us
    async with open_store(url) as store:
        assert await rows_of(store) == before


def test_conversations_ascend_and_their_messages_never_go_back() -> None:
    corpus = Corpus()
    stories = [corpus.story(number) for number in range(800)]
    ids = [story.conversation.id for story in stories]
    assert ids == sorted(set(ids))
    for story in stories:
        times = [message.at for message in story.messages]
        assert times == sorted(times)
        assert story.conversation.opened_at <= times[0]


def test_the_words_of_each_degree_are_as_frequent_as_they_say() -> None:
    corpus = Corpus()
    words = choose_words(corpus)
    bodies = [m.body for n in range(300) for m in corpus.story(n).messages]
    seen = {word: 0 for degree in words.values() for word in degree}
    for body in bodies:
        for pair in pairs(body) & seen.keys():
            seen[pair] += 1
    shares = {
        degree: sum(seen[word] for word in found) / len(found) / len(bodies)
        for degree, found in words.items()
    }
    assert shares["common"] > shares["medium"] > shares["rare"] >= shares["absent"]
    assert shares["absent"] == 0
    assert all(words.values())


async def test_a_run_measures_everything_and_draws_it(tmp_path: Path) -> None:
    options = StoreOptions(
        url="sqlite",
        messages=MESSAGES,
        data=tmp_path / "data",
        seconds=0.05,
        rounds=1,
        senders=(1, 3),
        queries=7,
    )
    with Progress(disable=True) as progress:
        result = await run_store(options, progress)
    assert not result.faults
    assert set(result.latency_ms) == set(kinds())
    assert [line.senders for line in result.append] == [1, 3]
    assert result.marks[0].messages >= MESSAGES
    assert result.marks[0].bytes_per_message > 50
    for path in plot_store(result, tmp_path / "plots"):
        assert path.read_bytes().startswith(b"\x89PNG")
    console = Console(record=True, width=120)
    show_store(console, result)
    assert "appender" in console.export_text()
    assert any("search_rare" in aim for aim in aims(result))


def test_searches_that_ran_out_of_time_are_a_fault() -> None:
    times = times_of([1.0, 2.0, 3.0], incomplete=2)
    assert faults_in({"search_common": [times]}) == [
        "2 of 3 of search_common ran out of time."
    ]
