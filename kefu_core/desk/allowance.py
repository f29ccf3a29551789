"""How many bytes of files visitors may send in a day.

What is stored is counted, not what this process has seen: a restart forgets nothing,
and several servers count together. Between a count and the row that it let through no
other file of the site is counted on the same node, so however many come in at once,
together they keep to the limits. Nodes do not wait for each other: of files that come
in over several at the same instant each node may let one through, so a day may go
beyond its limit by one file for each node but the first.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager

import anyio

from kefu_core.abc.records import Value, Wanted
from kefu_core.abc.store import Store
from kefu_core.errors import TooLarge, TooMany
from kefu_core.records import Attachment, AttachmentStatus
from kefu_core.site import Files
from kefu_core.types import ParticipantId

DAY_MS = 86_400_000
_PAGE = 500


class Turns:
    """Lets the files of a site be counted one after the other, on this node."""

    def __init__(self) -> None:
        """Begin with nobody's turn."""
        self._locks: defaultdict[int, anyio.Lock] = defaultdict(anyio.Lock)

    def of(self, site_id: int) -> AbstractAsyncContextManager[None]:
        """Hold a site's turn, from the count to the commit of the row."""
        return self._locks[site_id]


async def check_day(
    store: Store,
    site_id: int,
    names: Sequence[ParticipantId],
    size: int,
    settings: Files,
    now_ms: int,
) -> None:
    """Say whether a visitor, by any of its names, may send so many bytes more today.

    Raises:
        TooLarge: They fit in no day.
        TooMany: Not now; says when there will be room.
    """
    of_site: dict[str, Value | Collection[Value]] = {"site_id": site_id}
    for where, bytes_max in (
        (of_site | {"uploader": names}, settings.visitor_day_bytes_max),
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


async def _wait_s(store: Store, where: Wanted, excess: int, now_ms: int) -> float:
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
