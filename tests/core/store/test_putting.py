"""Rows that somebody else makes at the same moment."""

import time
from pathlib import Path

import pytest

from kefu_core.model import Arrival, Cursor
from kefu_core.store import putting
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import AGENT, SITE, VISITOR, Clock, draft
from kefu_core.types import ParticipantId, Seq, UnixMs


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cursor_that_another_node_makes_meanwhile_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/kefu.db"
    async with SqlStore(url, now=time.monotonic, now_ms=Clock()) as store:
        await store.put_site(SITE)
        conversation = (await store.open_conversation(SITE.id, VISITOR)).id

        def cursor(who: str, delivered: int) -> Cursor:
            return Cursor(
                conversation=conversation,
                participant=ParticipantId(who),
                delivered=Seq(delivered),
            )

        await store.advance_cursors([cursor("v1", 3), cursor("a1", 9)])

        async def look_too_early(
            connection: object, wanted: set[int]
        ) -> tuple[set[int], dict[tuple[int, str], tuple[int, int]]]:
            return wanted, {}

        monkeypatch.setattr(putting, "_held_cursors", look_too_early)
        await store.advance_cursors([cursor("v1", 5), cursor("a1", 7), cursor("a2", 2)])
        found = {each.participant: each for each in await store.cursors(conversation)}
        kept = [cursor("v1", 5), cursor("a1", 9), cursor("a2", 2)]
        assert found == {each.participant: each for each in kept}


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_two_nodes_hear_at_once_is_late_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    url = f"sqlite+aiosqlite:///{tmp_path}/kefu.db"
    async with SqlStore(url, now=time.monotonic, now_ms=clock) as store:
        await store.put_site(SITE)
        row = (await store.open_conversation(SITE.id, VISITOR)).id
        for number in range(1, 5):
            await store.append(draft(row, number, sender=AGENT))
        clock.ms += 60_000
        arrival = Arrival(
            conversation=row,
            participant=VISITOR.id,
            heard_at=UnixMs(clock.ms),
            here_since=UnixMs(clock.ms),
        )

        async def before_either_wrote(
            connection: object, wanted: set[int]
        ) -> tuple[set[int], dict[tuple[int, str], tuple[int, int]]]:
            return wanted, {(row, VISITOR.id): (1, 0)}

        first, rest, more = (
            Cursor(conversation=row, participant=VISITOR.id, delivered=Seq(seq))
            for seq in (1, 3, 4)
        )
        await store.advance_cursors([first])
        monkeypatch.setattr(putting, "_held_cursors", before_either_wrote)
        for cursor in (rest, more, rest):
            await store.advance_cursors([cursor], [arrival])
        (late,) = await store.late_deliveries(0, UnixMs(0))
        assert (late.messages, late.longest_ms) == (2, 60_000)
