"""How many bytes of files visitors may send in a day.

What is stored is counted, not what this process has seen: a restart forgets nothing,
and several servers count together.
"""

from kefu_core.abc.store import Store
from kefu_core.errors import TooLarge, TooMany
from kefu_core.records import Attachment, AttachmentStatus
from kefu_core.site import Files
from kefu_core.types import ParticipantId

DAY_MS = 86_400_000
_PAGE = 500


async def check_day(
    store: Store,
    site_id: int,
    visitor: ParticipantId,
    size: int,
    settings: Files,
    now_ms: int,
) -> None:
    """Say whether so many bytes more may come within these 24 hours.

    Raises:
        TooLarge: They fit in no day.
        TooMany: Not now; says when there will be room.
    """
    of_site: dict[str, int | str] = {"site_id": site_id}
    for where, bytes_max in (
        (of_site | {"uploader": visitor}, settings.visitor_day_bytes_max),
        (of_site, settings.site_day_bytes_max),
    ):
        if size > bytes_max:
            raise TooLarge(f"The file has {size:,} bytes; at most {bytes_max:,} a day.")
        sent = await store.sum_records(
            Attachment,
            "size",
            # All of them, said so that the index on status and time is of use.
            where={**where, "status": [each.value for each in AttachmentStatus]},
            at_least={"created_at": now_ms - DAY_MS},
        )
        if sent + size > bytes_max:
            wait_s = await _wait_s(store, where, sent + size - bytes_max, now_ms)
            raise TooMany("Too many bytes were sent today.", retry_after_s=wait_s)


async def _wait_s(
    store: Store, where: dict[str, int | str], excess: int, now_ms: int
) -> float:
    """Return when enough of what came first is a day old."""
    at, after = now_ms - DAY_MS, 0
    while excess > 0 and (
        rows := await store.list_records(
            Attachment,
            where=where,
            at_least={"created_at": now_ms - DAY_MS},
            after=after,
            limit=_PAGE,
        )
    ):
        for row in rows:
            if excess > 0:
                excess -= row.size
                at = max(at, row.created_at)
        after = rows[-1].id
    return float((at + DAY_MS - now_ms) // 1000 + 1)
