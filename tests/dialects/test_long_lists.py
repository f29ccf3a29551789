"""Lists of any length, though SQL Server takes 2,100 values in one statement.

The watcher of every test counts the values; these lists are long enough to find out.
"""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kefu_core.model import Cursor
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import SITE, VISITOR, Clock, draft
from kefu_core.types import ConversationId, ParticipantId, Seq

pytestmark = pytest.mark.anyio
MANY = range(1, 2_501)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'kefu.db'}"
    async with SqlStore(url, now=time.monotonic, now_ms=Clock()) as store:
        yield store


async def test_no_list_that_a_caller_gives_is_too_long(store: SqlStore) -> None:
    await store.put_site(SITE)
    conversation = (await store.open_conversation(SITE.id, VISITOR)).id
    await store.append(draft(conversation))
    ids = [ConversationId(number) for number in MANY] + [conversation]
    assert await store.heads(ids) == {conversation: 1}
    counts = await store.count_unread(ids)
    assert (counts[conversation], len(counts)) == (1, len(ids))
    everybody = [ParticipantId(f"{kind}{n}") for kind in "va" for n in MANY]
    assert [person.name for person in await store.people(everybody)] == [VISITOR.name]
    assert await store.live_agent_sessions([f"hash{n}" for n in MANY]) == set()
    await store.advance_cursors(
        [
            Cursor(conversation=one, participant=VISITOR.id, delivered=Seq(1))
            for one in ids
        ]
    )
    assert [cursor.delivered for cursor in await store.cursors(*ids)] == [1]
