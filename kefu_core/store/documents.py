"""Which number the search index knows a message by, and back.

The number is the message's millisecond and the first free place within it. So nothing
else is needed to find it again: it is looked for where it was looked for a place.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.ids import document_id_at
from kefu_core.model import Message
from kefu_core.store import tables as t
from kefu_core.store.bulk import insert_rows
from kefu_core.types import ConversationId, Seq

T = TypeVar("T")
PlaceOfMessage = tuple[ConversationId, Seq]

IN_MAX = 500
"""Values in one IN list."""
_COLUMNS = ("id", "conversation_id", "seq")
_WINDOW_MAX = 4_096
_FAR = 2**32
"""Some hours of ids: where a message goes whose whole neighbourhood is taken."""

_d = t.search_document.c
_TAKEN = select(_d.id).where(_d.id.in_(bindparam("ids", expanding=True)))
_PLACES = select(_d.id, _d.conversation_id, _d.seq).where(
    _d.id.in_(bindparam("ids", expanding=True))
)
_LAST = select(func.max(_d.id)).where(
    _d.id >= bindparam("first"), _d.id < bindparam("end")
)
_FAR_PLACE = select(_d.id).where(
    _d.id >= bindparam("first"),
    _d.id < bindparam("end"),
    _d.conversation_id == bindparam("conversation"),
    _d.seq == bindparam("seq"),
)
_REMOVE = delete(t.search_document).where(_d.id.in_(bindparam("ids", expanding=True)))


def chunks(values: Collection[T], size: int = IN_MAX) -> Iterator[list[T]]:
    """Yield the values in lists of at most `size`."""
    rest = list(values)
    for at in range(0, len(rest), size):
        yield rest[at : at + size]


async def number(connection: AsyncConnection, messages: Sequence[Message]) -> list[int]:
    """Give each of these a free number, the least that its time allows.

    The caller holds the index's lock, and writes them down in the same transaction.
    """
    numbers: dict[PlaceOfMessage, int] = {}
    used: set[int] = set()
    waiting: dict[int, list[Message]] = {}
    for message in messages:
        waiting.setdefault(document_id_at(message.at), []).append(message)
    ends = {base: base for base in waiting}
    while waiting:
        windows = {
            base: range(ends[base], ends[base] + _step(base, ends[base], len(those)))
            for base, those in waiting.items()
        }
        taken = await _taken(connection, windows.values())
        for base, window in windows.items():
            free = (n for n in window if n not in taken and n not in used)
            for message, found in zip(list(waiting[base]), free, strict=False):
                numbers[message.conversation, message.seq] = found
                used.add(found)
                waiting[base].remove(message)
            ends[base] = window.stop
            if waiting[base] and window.stop - base >= _WINDOW_MAX:
                ends[base] = await _far(connection, base, used)
        waiting = {base: those for base, those in waiting.items() if those}
    return [numbers[message.conversation, message.seq] for message in messages]


def _step(base: int, end: int, wanted: int) -> int:
    """Return how many places to look at next: as many as before, so few steps."""
    return max(wanted, min(end - base, _WINDOW_MAX))


async def _taken(connection: AsyncConnection, windows: Iterable[range]) -> set[int]:
    taken: set[int] = set()
    for ids in chunks({n for window in windows for n in window}):
        taken.update((await connection.execute(_TAKEN, {"ids": ids})).scalars())
    return taken


async def _far(connection: AsyncConnection, base: int, used: set[int]) -> int:
    """Return a place beyond all that are taken: a flood of one moment ends there."""
    values = {"first": base, "end": base + _FAR}
    last = (await connection.execute(_LAST, values)).scalar() or base
    return max([int(last), *(n for n in used if base <= n < base + _FAR)]) + 1


async def insert_documents(
    connection: AsyncConnection, numbers: Sequence[int], messages: Sequence[Message]
) -> None:
    """Write down which message each number is."""
    rows = sorted(
        (n, message.conversation, message.seq)
        for n, message in zip(numbers, messages, strict=True)
    )
    await insert_rows(connection, t.search_document, _COLUMNS, rows)


async def find_numbers(
    connection: AsyncConnection, messages: Collection[Message]
) -> dict[PlaceOfMessage, int]:
    """Return the numbers of those that are indexed; costs most for those that are not.

    Only messages that the index has been past may be asked for.
    """
    numbers: dict[PlaceOfMessage, int] = {}
    missing = {(m.conversation, m.seq): document_id_at(m.at) for m in messages}
    begin, end = 0, 4
    while missing and begin < _WINDOW_MAX:
        wanted = {base + n for base in missing.values() for n in range(begin, end)}
        for ids in chunks(wanted):
            for row in await connection.execute(_PLACES, {"ids": ids}):
                place = ConversationId(row[1]), Seq(row[2])
                if missing.pop(place, None) is not None:
                    numbers[place] = row[0]
        begin, end = end, end * 8
    for place, base in missing.items():
        found = await connection.execute(_FAR_PLACE, _far_values(place, base))
        if (far := found.scalar()) is not None:
            numbers[place] = far
    return numbers


def _far_values(place: PlaceOfMessage, base: int) -> dict[str, Any]:
    # A flood puts one beyond the last of its hours, so it may be twice as far.
    return {
        "first": base + _WINDOW_MAX,
        "end": base + 2 * _FAR,
        "conversation": place[0],
        "seq": place[1],
    }


async def remove_documents(
    connection: AsyncConnection, numbers: Collection[int]
) -> None:
    """Forget which messages these were."""
    for ids in chunks(numbers):
        await connection.execute(_REMOVE, {"ids": ids})
