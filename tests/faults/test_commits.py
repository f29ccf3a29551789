"""A COMMIT goes through and its answer does not: nobody knows, and nothing doubles."""

import re
import time

import anyio
import pytest

from benchmarks.databases import PrivateServer
from kefu_core.abc.store import Outcome, PendingAppend
from kefu_core.errors import StoreUnavailable
from kefu_core.limits import Limits
from kefu_core.model import Appended
from kefu_core.store.sql import SqlStore
from kefu_core.testing.proxy import Proxy, proxy_to
from kefu_core.testing.stores import SITE, VISITOR, draft
from kefu_core.types import ConversationId, Seq

pytestmark = pytest.mark.anyio
CUTS = 20
BATCH = 3


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


class CutAfterCommit:
    """Lets everything pass; once armed, the answer to the next COMMIT is the end."""

    def __init__(self, proxy: Proxy) -> None:
        self.is_armed = False
        self._proxy = proxy

    def feed(self, data: bytes) -> bytes:
        # Not `READ COMMITTED`, which a new connection says.
        if self.is_armed and re.search(rb"COMMIT(?!TED)", data):
            self.is_armed = False
            # Not one byte of what the database says from here on arrives.
            self._proxy.down.cut_at = self._proxy.down.passed_bytes
        return data


async def append_some(
    store: SqlStore, conversation: ConversationId, numbers: range
) -> list[Outcome]:
    """Submit a batch; return each answer, in the order in which they came."""
    answers: list[Outcome] = []
    for number in numbers:
        one = PendingAppend(
            draft(conversation, number),
            lambda _, outcome: answers.append(outcome),
            size=100,
            submitted_at=time.monotonic(),
        )
        store.submit(one)
    with anyio.fail_after(20):
        while len(answers) < len(numbers):
            await anyio.sleep(0.001)
    return answers


@pytest.mark.parametrize("name", ["mysql", "postgres"])
async def test_a_commit_without_an_answer_is_stored_once_and_answered_once(
    request: pytest.FixtureRequest, name: str
) -> None:
    server: PrivateServer = request.getfixturevalue(f"{name}_server")
    direct = server.create(f"commits_{name}")
    async with proxy_to(server.port) as proxy:
        cutter = CutAfterCommit(proxy)
        proxy.up.filter = lambda: cutter
        url = direct.replace(f":{server.port}/", f":{proxy.port}/")
        async with SqlStore(
            url, now=time.monotonic, now_ms=lambda: time.time_ns() // 1_000_000
        ) as store:
            await store.put_site(SITE)
            conversation = (await store.open_conversation(SITE.id, VISITOR)).id
            # The appender has its connection from here on.
            await store.append(draft(conversation, 0))
            for cut in range(CUTS):
                numbers = range(cut * BATCH + 1, (cut + 1) * BATCH + 1)
                cutter.is_armed = True
                answers = await append_some(store, conversation, numbers)
                assert not cutter.is_armed, "no COMMIT was seen"
                found = [a for a in answers if isinstance(a, Appended)]
                # Run again, the transaction found what it had stored itself.
                assert [a.message.seq for a in found] == [n + 1 for n in numbers]
                assert any(a.duplicate for a in found)
            assert proxy.cut_count == CUTS
            log = await store.history(conversation, after=Seq(0))
            assert [m.seq for m in log] == list(range(1, CUTS * BATCH + 2))
            assert [m.key for m in log] == [f"k{n}" for n in range(CUTS * BATCH + 1)]
    server.drop(f"commits_{name}")


@pytest.mark.parametrize("name", ["mysql", "postgres"])
async def test_a_database_killed_under_load_costs_time_and_no_message(
    request: pytest.FixtureRequest, name: str
) -> None:
    server: PrivateServer = request.getfixturevalue(f"{name}_server")
    url = server.create(f"killed_{name}")
    stored: dict[str, int] = {}
    refusals: list[Outcome] = []

    async def write(store: SqlStore, conversation: ConversationId, first: int) -> None:
        """Write one message after the other; what is refused is sent again."""
        for number in range(first, first + 60):
            while f"k{number}" not in stored:
                [answer] = await append_some(
                    store, conversation, range(number, number + 1)
                )
                if isinstance(answer, Appended):
                    stored[answer.message.key] = answer.message.seq
                else:
                    refusals.append(answer)
                    await anyio.sleep(0.05)

    async with SqlStore(
        url, now=time.monotonic, now_ms=lambda: time.time_ns() // 1_000_000
    ) as store:
        await store.put_site(SITE)
        conversation = (await store.open_conversation(SITE.id, VISITOR)).id
        async with anyio.create_task_group() as tasks:
            for first in (0, 1_000, 2_000):
                tasks.start_soon(write, store, conversation, first)
            for _ in range(2):
                seen = len(stored)
                while len(stored) < min(seen + 30, 170):
                    await anyio.sleep(0.005)
                await anyio.to_thread.run_sync(server.kill)
                await anyio.to_thread.run_sync(server.start)
        log = [
            message
            for after in (0, 100)
            for message in await store.history(conversation, after=Seq(after))
        ]
        assert [m.seq for m in log] == list(range(1, 181))
        assert {m.key: m.seq for m in log} == stored
        for first in (0, 1_000, 2_000):
            mine = [int(m.key[1:]) for m in log if 0 <= int(m.key[1:]) - first < 60]
            assert mine == sorted(mine)
        assert all(answer.retry for answer in refusals)  # type: ignore[union-attr]
        assert store.reads_checked_out == 0
    server.drop(f"killed_{name}")


@pytest.mark.parametrize("name", ["mysql", "postgres"])
async def test_a_database_that_stands_still_slows_and_loses_nothing(
    request: pytest.FixtureRequest, name: str
) -> None:
    server: PrivateServer = request.getfixturevalue(f"{name}_server")
    url = server.create(f"still_{name}")
    async with SqlStore(
        url, now=time.monotonic, now_ms=lambda: time.time_ns() // 1_000_000
    ) as store:
        await store.put_site(SITE)
        conversation = (await store.open_conversation(SITE.id, VISITOR)).id
        answers: list[Outcome] = []
        async with anyio.create_task_group() as tasks:

            async def write() -> None:
                answers.extend(await append_some(store, conversation, range(50)))

            with server.stalled():
                tasks.start_soon(write)
                ticks = 0
                for _ in range(40):
                    await anyio.sleep(0.01)
                    ticks += 1
                # The event loop went on, and nobody was told a thing.
                assert (ticks, answers) == (40, [])
        assert [a.message.seq for a in answers if isinstance(a, Appended)] == list(
            range(1, 51)
        )
    server.drop(f"still_{name}")


@pytest.mark.parametrize("name", ["mysql", "postgres"])
async def test_a_job_in_a_database_that_stands_still_is_given_up_in_time(
    request: pytest.FixtureRequest, name: str
) -> None:
    server: PrivateServer = request.getfixturevalue(f"{name}_server")
    url = server.create(f"job_{name}")
    limits = Limits(job_timeout_s=0.2, appender_wait_s=0.1)
    async with SqlStore(
        url, limits=limits, now=time.monotonic, now_ms=lambda: time.time_ns() // 10**6
    ) as store:
        await store.put_site(SITE)
        with server.stalled(), anyio.fail_after(20), pytest.raises(StoreUnavailable):
            await store.put_site(SITE)
        # Its connection was thrown away; the next one does it.
        await store.put_site(SITE)
    server.drop(f"job_{name}")
