"""Rows of what came late: none for nothing, and none that outlives its texts."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from kefu_core.model import Arrival, Cursor
from kefu_core.store.arrivals import Lines, Rise, late_rows
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import AGENT, SITE, VISITOR, Clock, draft
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

AT = UnixMs(1_000_000)


def rise(who: str) -> Rise:
    arrival = Arrival(
        conversation=ConversationId(1),
        participant=ParticipantId(who),
        heard_at=AT,
        here_since=UnixMs(0),
    )
    return Rise(arrival, 0, 9)


def lines(sender: str, *, kind: str = "text", seq: int = 1, at: int = 0) -> Lines:
    return Lines(1, "v1", "a1", sender, kind, seq, seq, at)


@pytest.mark.parametrize(
    ("who", "found", "seqs"),
    [
        ("v1", [lines("a1", seq=2), lines("a2", seq=5), lines("v1", seq=7)], (2, 5)),
        ("a1", [lines("a1", seq=2), lines("v1", seq=4), lines("v1", seq=7)], (4, 7)),
        ("v1", [lines("v1"), lines("a1", kind="assignment")], None),
        ("a1", [lines("a1"), lines("a2")], None),
        ("a2", [lines("v1"), lines("a1")], None),
    ],
)
def test_a_row_holds_what_was_said_to_its_participant(
    who: str, found: list[Lines], seqs: tuple[int, int] | None
) -> None:
    rows = late_rows([rise(who)], found)
    kept = [(row["first_seq"], row["last_seq"]) for row in rows]
    assert kept == ([seqs] if seqs else [])


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_row_goes_with_the_last_text_of_its_range(tmp_path: Path) -> None:
    path, clock = tmp_path / "kefu.db", Clock()
    url = f"sqlite+aiosqlite:///{path}"

    def ranges() -> list[tuple[int, int]]:
        with closing(sqlite3.connect(path)) as database:
            query = "SELECT first_seq, last_seq FROM late_delivery ORDER BY first_seq"
            return database.execute(query).fetchall()

    async with SqlStore(url, now=time.monotonic, now_ms=clock) as store:
        await store.put_site(SITE)
        row = (await store.open_conversation(SITE.id, VISITOR)).id
        for number in range(1, 5):
            await store.append(draft(row, number, sender=AGENT))
        for seq in (2, 4):
            clock.ms += 60_000
            cursor = Cursor(
                conversation=row, participant=VISITOR.id, delivered=Seq(seq)
            )
            arrival = Arrival(
                conversation=row,
                participant=VISITOR.id,
                heard_at=UnixMs(clock.ms),
                here_since=UnixMs(clock.ms),
            )
            await store.advance_cursors([cursor], [arrival])
        assert ranges() == [(1, 2), (3, 4)]
        await store.erase_conversation(row, upto=Seq(3))
        assert ranges() == [(3, 4)]
        await store.erase_conversation(row)
        assert ranges() == []
