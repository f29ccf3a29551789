"""Rows that somebody else makes at the same moment."""

import time
from pathlib import Path

import pytest

from kefu_core.model import Cursor
from kefu_core.store import putting
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import SITE, VISITOR, Clock
from kefu_core.types import ParticipantId, Seq


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
