"""Retention in the background, and noticing what others erased."""

import anyio
import pytest
from msgspec.structs import replace

from kefu_core.errors import StoreUnavailable
from kefu_core.followers import retention
from kefu_core.followers.retention import DAY_MS, ErasureWatch, Retention, next_limit
from kefu_core.model import MessageKind
from kefu_core.records import AuditEntry, PageView, Visit
from kefu_core.store.memory import MemoryStore
from kefu_core.testing.stores import Clock
from kefu_core.types import ParticipantId, UnixMs
from tests.core.upkeep.world import SHOP, memory_store, talk

pytestmark = pytest.mark.anyio


async def kinds(store: MemoryStore, conversation: int) -> set[MessageKind]:
    return {m.kind for m in await store.history(conversation, limit=10_000)}


async def test_every_site_keeps_texts_as_long_as_it_says() -> None:
    clock = Clock()
    async with memory_store(clock) as store:
        old = await talk(store, 1, ["a"] * 700)
        clock.ms += 3 * DAY_MS
        new = await talk(store, 2, ["a"])
        clock.ms += 8 * DAY_MS
        follower = Retention(store, now=lambda: 0.0, now_ms=clock)
        await follower.erase_all()
        assert await kinds(store, old) == {MessageKind.TEXT}
        await store.put_site(replace(SHOP, retention_days=10))
        await follower.erase_all()
        assert await kinds(store, old) == {MessageKind.ERASED}
        assert await kinds(store, new) == {MessageKind.TEXT}


async def test_the_journal_is_kept_for_so_many_days() -> None:
    clock = Clock()
    async with memory_store(clock) as store:
        for number in range(1, 251):
            age_days = 11 if number <= 220 else 9
            at = UnixMs(clock.ms - age_days * DAY_MS)
            await store.put_records(AuditEntry(id=number, at=at, who="a1", action="x"))
        follower = Retention(store, now=lambda: 0.0, now_ms=clock, journal_days=10)
        await follower.erase_all()
        left = await store.list_records(AuditEntry, after=0)
        assert [row.id for row in left] == list(range(221, 251))


async def test_visits_and_their_pages_are_kept_as_long_as_the_site_says() -> None:
    clock = Clock()
    async with memory_store(clock) as store:
        for number, site_id in ((1, SHOP.id), (2, SHOP.id), (3, 99)):
            age_days = 20 if number != 2 else 5
            at = UnixMs(clock.ms - age_days * DAY_MS)
            visit = Visit(
                id=number,
                site_id=site_id,
                visitor=ParticipantId("v1"),
                started_at=at,
                last_seen_at=at,
            )
            page = PageView(id=number, visit_id=number, url="https://a.example/")
            await store.put_records(visit, page)
        await store.put_site(replace(SHOP, retention_days=10))
        await Retention(store, now=lambda: 0.0, now_ms=clock).erase_all()
        for kind in (Visit, PageView):
            assert {row.id for row in await store.list_records(kind)} == {2, 3}


def test_steps_grow_while_they_are_quick_and_shrink_when_they_are_not() -> None:
    assert next_limit(5, 0.001) == 10
    assert next_limit(5, 0.0) == 10
    assert next_limit(150, 0.001) == 200
    assert next_limit(100, 0.05) == 50
    assert next_limit(100, 10.0) == 5


async def test_it_runs_for_ever_whatever_the_store_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "FIRST_AFTER_S", 0.0)
    monkeypatch.setattr(retention, "INTERVAL_S", 0.001)
    faults = [StoreUnavailable(), ZeroDivisionError(), None]

    class Faulty(Retention):
        async def erase_all(self) -> None:
            if faults and (fault := faults.pop(0)) is not None:
                raise fault
            if not faults:
                done.set()

    done = anyio.Event()
    async with memory_store() as store, anyio.create_task_group() as tasks:
        tasks.start_soon(Faulty(store, now=lambda: 0.0, now_ms=Clock()).run)
        with anyio.fail_after(5):
            await done.wait()
        tasks.cancel_scope.cancel()


async def test_an_erasure_by_anybody_is_noticed_and_no_other_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "MARK_INTERVAL_S", 0.001)
    forgotten = 0

    def forget() -> None:
        nonlocal forgotten
        forgotten += 1

    async def looked(store: MemoryStore, times: int = 3) -> None:
        nonlocal looks
        looks = 0
        with anyio.fail_after(5):
            while looks < times:
                await anyio.sleep(0.001)

    looks = 0
    async with memory_store() as store, anyio.create_task_group() as tasks:
        ask = store.erasure_mark

        async def asked() -> int:
            nonlocal looks
            looks += 1
            if looks == 2:
                raise StoreUnavailable
            return await ask()

        store.erasure_mark = asked  # type: ignore[method-assign]
        tasks.start_soon(ErasureWatch(store, forget).run)
        await looked(store)
        assert forgotten == 1
        conversation = await talk(store, 1, ["a", "b"])
        await looked(store)
        assert forgotten == 1
        await store.erase_conversation(conversation)
        await looked(store, 4)
        assert forgotten == 2
        tasks.cancel_scope.cancel()
