"""`python -m benchmarks store`: fill, write, read, at each size."""

import time
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
from rich.progress import Progress, TaskID

from benchmarks.result import machine, versions
from benchmarks.store import appending
from benchmarks.store.appending import Appending
from benchmarks.store.filling import Fill, add_people, fill
from benchmarks.store.places import Place, engine_of, opened
from benchmarks.store.reading import Sized, Times, kinds, measure_reads
from benchmarks.store.sizes import size_of, split
from kefu_core.abc.store import Store
from kefu_core.node import monotonic, unix_ms
from kefu_core.store import schema
from kefu_core.store.sql import SqlStore

MARKS = (50_000, 500_000, 5_000_000)
_INDEX_AT_ONCE = 2_000


class StoreOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `store` is asked to do."""

    url: str
    messages: int = MARKS[-1]
    data: Path
    seconds: float = 2.0
    """Of each turn of the appender, and of the bare insert."""
    rounds: int = appending.ROUNDS
    senders: tuple[int, ...] = appending.SENDERS
    queries: int = 210
    command: str = ""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One size."""

    messages: int
    conversations: int
    filled_per_s: float | None
    """Rows of messages, by the bulk fill; None when they were there."""
    indexed_per_s: float | None
    """Messages into the search index; None when they were there."""
    bytes_per_message: float
    """Of the file or tables, without the search index."""
    index_bytes_per_message: float
    bytes_by_table: dict[str, int]


class StoreResult(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of `store`; README.md explains the keys."""

    engine: str
    append: list[Appending]
    marks: list[Mark]
    latency_ms: dict[str, list[Times]]
    """By kind of query, one for each mark."""
    faults: list[str]
    machine: dict[str, str | int | float]
    versions: dict[str, str]
    command: str


async def run_store(options: StoreOptions, progress: Progress) -> StoreResult:
    """Fill up to each mark and measure.

    Raises:
        FillError, AppendError, ReadError: The run is worth nothing; the text says why.
        ServerMissingError: The database's programs are not installed.
    """
    before = machine()
    marks = [mark for mark in MARKS if mark < options.messages] + [options.messages]
    with opened(options.url, options.data) as place:
        filled: list[Mark] = []
        latency: dict[str, list[Times]] = {kind: [] for kind in kinds()}
        url = ""
        for group in [[mark] for mark in marks] if place.is_shared else [marks]:
            async with AsyncExitStack() as stores:
                databases = []
                for mark in group:
                    url = place.url_of(mark)
                    found, database = await _prepare(url, mark, stores, progress)
                    filled.append(found)
                    databases.append(database)
                reads = await _read(options, databases, progress)
            for kind, times in reads.items():
                latency[kind] += times
        append = await _append(options, url, place, progress)
        engine = await engine_of(url)
    return StoreResult(
        engine=engine,
        append=append,
        marks=filled,
        latency_ms=latency,
        faults=faults_in(latency),
        machine=before,
        versions=versions(),
        command=options.command,
    )


async def _prepare(
    url: str, mark: int, stores: AsyncExitStack, progress: Progress
) -> tuple[Mark, Sized]:
    await schema.upgrade(url)
    store = await stores.enter_async_context(
        SqlStore(url, now=monotonic, now_ms=unix_ms)
    )
    await add_people(store)
    task = progress.add_task(f"fill {mark:,}", total=mark)
    filled = await fill(
        url, mark, progress=lambda done: progress.update(task, completed=done)
    )
    indexed_per_s = await bring_up(store, filled, progress)
    sizes = await size_of(url)
    rest, index = split(sizes)
    found = Mark(
        messages=filled.messages,
        conversations=filled.conversations,
        filled_per_s=round(filled.added / filled.seconds) if filled.added else None,
        indexed_per_s=indexed_per_s,
        bytes_per_message=round(rest / filled.messages, 1),
        index_bytes_per_message=round(index / filled.messages, 1),
        bytes_by_table=dict(sorted(sizes.items(), key=lambda item: -item[1])),
    )
    return found, Sized(
        messages=filled.messages, conversations=filled.conversations, store=store
    )


async def bring_up(store: Store, filled: Fill, progress: Progress) -> float | None:
    """Bring the search index up; return messages a second."""
    task: TaskID = progress.add_task("index", total=filled.messages)
    started, done = time.monotonic(), 0
    while added := await store.index_some(limit=_INDEX_AT_ONCE):
        done += added
        progress.update(task, completed=done)
        while await store.tend_index():
            pass
    progress.update(task, completed=filled.messages)
    return round(done / (time.monotonic() - started)) if done else None


async def _read(
    options: StoreOptions, databases: list[Sized], progress: Progress
) -> dict[str, list[Times]]:
    task = progress.add_task("read", total=len(kinds()))
    return await measure_reads(
        databases,
        queries=options.queries,
        progress=lambda: progress.advance(task),
    )


async def _append(
    options: StoreOptions, url: str, place: Place, progress: Progress
) -> list[Appending]:
    task = progress.add_task("append", total=len(options.senders) * options.rounds)
    return await appending.compare(
        url,
        senders=options.senders,
        seconds=options.seconds,
        rounds=options.rounds,
        server_cpu=place.server_cpu,
        progress=lambda: progress.advance(task),
    )


def faults_in(latency: dict[str, list[Times]]) -> list[str]:
    """Return what makes figures worth less than they look."""
    return [
        f"{times.incomplete} of {times.queries} of {kind} ran out of time."
        for kind, sizes in latency.items()
        for times in sizes
        if times.incomplete
    ]
