"""How many bytes a visitor and a site may send in a day, and when there is room."""

import pytest

from kefu_core.desk.allowance import DAY_MS, check_day
from kefu_core.errors import TooLarge, TooMany
from kefu_core.records import Attachment, AttachmentStatus
from kefu_core.site import Files
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ParticipantId, UnixMs

pytestmark = pytest.mark.anyio

NOW = 10 * DAY_MS
FILES = Files(visitor_day_bytes_max=100, site_day_bytes_max=150)
V1, V2 = ParticipantId("v1"), ParticipantId("v2")


async def store_of(*rows: tuple[ParticipantId, int, int]) -> MemoryStore:
    """Return a store with files: of whom, how large, how long ago in seconds."""
    store = MemoryStore(now=lambda: 0.0, now_ms=lambda: NOW)
    statuses = list(AttachmentStatus)
    for number, (who, size, ago_s) in enumerate(rows, 1):
        await store.put_records(
            Attachment(
                id=number,
                site_id=1,
                conversation_id=1,
                uploader=who,
                key=f"k{number}",
                name="a",
                media_type="text/plain",
                size=size,
                status=statuses[number % len(statuses)],
                created_at=UnixMs(NOW - ago_s * 1000),
            )
        )
    return store


async def wait_of(store: MemoryStore, who: ParticipantId, size: int) -> float:
    """Return for how long somebody is told to wait; 0: they may send."""
    try:
        await check_day(store, 1, [who], size, FILES, NOW)
    except TooMany as refused:
        return refused.retry_after_s or 0.0
    return 0.0


async def test_who_sent_too_much_waits_until_enough_of_it_is_a_day_old() -> None:
    store = await store_of((V1, 40, 90_000), (V1, 30, 80_000), (V1, 50, 3_600))
    assert await wait_of(store, V1, 20) == 0
    assert await wait_of(store, V1, 21) == 86_400 - 80_000 + 1
    assert await wait_of(store, V1, 50) == 86_400 - 80_000 + 1
    assert await wait_of(store, V1, 51) == 86_400 - 3_600 + 1


async def test_all_of_a_site_share_its_day() -> None:
    store = await store_of((V1, 100, 50_000), (ParticipantId("a1"), 30, 40_000))
    assert await wait_of(store, V2, 20) == 0
    assert await wait_of(store, V2, 21) == 86_400 - 50_000 + 1
    await check_day(store, 2, [V2], 100, FILES, NOW)


async def test_what_fits_in_no_day_is_too_large() -> None:
    with pytest.raises(TooLarge):
        await check_day(await store_of(), 1, [V1], 101, FILES, NOW)
