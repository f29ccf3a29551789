"""What was delivered late: found when a cursor rises, and kept as ranges of the log.

A cursor says which messages have arrived, and the log when they were stored. So a late
delivery is a range of seqs and the moment at which it was heard of; how long each of
its messages waited is worked out when somebody asks. Ranges of one participant do not
overlap, since cursors only rise; where two nodes hear of the same at the same moment,
both begin with the same seq, and one of them is kept.

Nothing is asked for cursors that the hub can vouch for, which is nearly all of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.abc.audit import LATE_MS
from kefu_core.model import SPOKEN_KINDS, Arrival, MessageKind
from kefu_core.store import tables as t

_RANGES_MAX = 32
"""Of a statement; SQLite's expressions nest at most a thousand deep."""
_SPOKEN = [str(kind) for kind in sorted(SPOKEN_KINDS)]
_ASSIGNMENT = str(MessageKind.ASSIGNMENT)

_m, _c = t.message.c, t.conversation.c


class Rise(NamedTuple):
    """A cursor that rises, of which somebody should look whether it does so late."""

    arrival: Arrival
    after: int
    upto: int

    @property
    def waiting_before(self) -> int:
        """Messages from before this moment have waited too long."""
        return self.arrival.heard_at - LATE_MS


class Lines(NamedTuple):
    """Messages of one kind and sender that a cursor rose over."""

    conversation: int
    visitor: str
    assignee: str | None
    sender: str
    kind: str
    first: int
    last: int
    at: int
    """The time of the last of them."""


async def find_late(
    connection: AsyncConnection, rises: Sequence[Rise]
) -> list[dict[str, Any]]:
    """Return a row of `late_delivery` for each that came late."""
    rows: list[dict[str, Any]] = []
    for some in _together(rises):
        # A statement for each power of two, so that there are few to prepare.
        count = 1 << (len(some) - 1).bit_length()
        values: dict[str, int] = {}
        for place in range(count):
            rise = some[min(place, len(some) - 1)]
            values[f"c{place}"] = rise.arrival.conversation
            values[f"a{place}"] = rise.after
            values[f"u{place}"] = rise.upto
            values[f"b{place}"] = rise.waiting_before
        found = (await connection.execute(_in_ranges(count), values)).all()
        rows += late_rows(some, [Lines(*row) for row in found])
    return sorted(rows, key=lambda row: (row["conversation_id"], row["participant"]))


def late_rows(rises: Iterable[Rise], found: Iterable[Lines]) -> list[dict[str, Any]]:
    """Return a row for each rise over what was for its participant.

    What a visitor says is for the agent who has the conversation, from when it was
    given to it; whoever else reads it has waited for nothing.
    """
    by_conversation: dict[int, list[Lines]] = {}
    for lines in found:
        by_conversation.setdefault(lines.conversation, []).append(lines)
    rows = []
    for rise in rises:
        arrival = rise.arrival
        seqs: list[int] = []
        here_since: int = arrival.here_since
        for lines in by_conversation.get(arrival.conversation, ()):
            is_visitor = arrival.participant == lines.visitor
            if lines.kind == _ASSIGNMENT:
                here_since = max(here_since, 0 if is_visitor else lines.at)
                continue
            is_receiver = is_visitor or arrival.participant == lines.assignee
            if is_receiver and (lines.sender == lines.visitor) is not is_visitor:
                seqs += (lines.first, lines.last)
        if seqs:
            rows.append(
                {
                    "conversation_id": int(arrival.conversation),
                    "participant": str(arrival.participant),
                    "first_seq": min(seqs),
                    "last_seq": max(seqs),
                    "heard_at": int(arrival.heard_at),
                    "here_since": min(here_since, int(arrival.heard_at)),
                }
            )
    return rows


def _together(rises: Sequence[Rise]) -> Iterator[list[Rise]]:
    """Yield what one statement asks for: of each conversation one range."""
    left = list(rises)
    while left:
        some: dict[int, Rise] = {}
        rest = []
        for rise in left:
            if len(some) < _RANGES_MAX and rise.arrival.conversation not in some:
                some[rise.arrival.conversation] = rise
            else:
                rest.append(rise)
        yield list(some.values())
        left = rest


@cache
def _in_ranges(count: int) -> Select[Any]:
    columns = (_m.conversation_id, _c.visitor, _c.assignee, _m.sender, _m.kind)
    return (
        select(*columns, func.min(_m.seq), func.max(_m.seq), func.max(_m.at))
        .join(t.conversation, _c.id == _m.conversation_id)
        .where(
            _m.kind.in_([*_SPOKEN, _ASSIGNMENT]),
            or_(
                *(
                    and_(
                        _m.conversation_id == bindparam(f"c{place}"),
                        _m.seq > bindparam(f"a{place}"),
                        _m.seq <= bindparam(f"u{place}"),
                        or_(_m.at < bindparam(f"b{place}"), _m.kind == _ASSIGNMENT),
                    )
                    for place in range(count)
                )
            ),
        )
        .group_by(*columns)
    )
