"""What guessing at logins tells, and what many logins at once cost."""

import statistics
import time
from collections.abc import Iterator

import anyio
import httpx
import msgspec
import psutil
import pytest
from argon2 import PasswordHasher

from kefu_core.errors import Unauthorized
from kefu_core.limits import Limits
from kefu_core.store.memory import MemoryStore
from kefu_server.auth import Authenticator
from tests.faults.people import Server, Story, running
from tests.server.conftest import (
    ORIGIN,
    PASSWORD,
    Clock,
    agent,
    clock,
    store,
)

__all__ = ["agent", "clock", "store"]

TRIES = 200
LOGINS = 200
ROOM_BYTES = 64 * 1024 * 1024


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_the_work_for_an_answer_does_not_tell_whether_an_account_exists(
    store: MemoryStore, clock: Clock
) -> None:
    """Whether the wrong password is that of an account, of nobody or of one closed."""
    auth = Authenticator(
        store,
        b"s" * 40,
        msgspec.structs.replace(
            Limits(), login_failures_max=10**6, address_login_failures_max=10**6
        ),
        origins=(ORIGIN,),
        is_secure=False,
        now=clock.now,
        now_ms=clock.now_ms,
    )
    # Twenty times as quick as a real one: what else differs weighs more.
    quick_hasher = PasswordHasher(time_cost=1, memory_cost=4096, parallelism=1)
    auth.passwords._hasher = quick_hasher
    stored = quick_hasher.hash(PASSWORD)
    for login in ("ana", "gone"):
        account = await store.find_agent(login=login)
        assert account is not None
        await store.put_agent(msgspec.structs.replace(account, password_hash=stored))
    logins = ("ana", "nobody", "gone")
    took: dict[str, list[float]] = {login: [] for login in logins}
    for number in range(TRIES + 10):
        # In turns, so that a busy moment of the machine meets all of them alike.
        for login in logins[number % 3 :] + logins[: number % 3]:
            started = time.process_time()
            with pytest.raises(Unauthorized):
                await auth.login(login, "wrong horse battery", "192.0.2.1")
            took[login].append(time.process_time() - started)
    # Time of the processor, in which other programs do not show. What the machine adds
    # is never negative, so the quickest quarter tells of the work itself.
    quick = {
        login: statistics.mean(sorted(each[10:])[: TRIES // 4])
        for login, each in took.items()
    }
    assert max(quick.values()) / min(quick.values()) < 1.05, quick


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"login_failures_max": 10_000, "address_login_failures_max": 10_000}
    with Server(tmp_path_factory.mktemp("server"), **limits) as server:
        yield server


def test_two_hundred_logins_at_once_cost_little_memory_and_stop_nobody(
    server: Server,
) -> None:
    process = psutil.Process(server.process.pid)
    statuses: list[int] = []
    peak = 0

    async def log_in(http: httpx.AsyncClient, number: int) -> None:
        login = "ana" if number % 2 else f"nobody{number}"
        body = {"login": login, "password": "wrong horse battery"}
        answer = await http.post("/api/agent/login", json=body)
        statuses.append(answer.status_code)

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, process.memory_info().rss)
            await anyio.sleep(0.005)

    async def log_in_and_talk() -> int:
        story = Story(server, time.monotonic)
        visitor = story.person("v", server.visitor(), "websocket")
        person = story.person("a", server.agent_token, "websocket")
        limits = httpx.Limits(max_connections=LOGINS)
        async with (
            running(story),
            httpx.AsyncClient(
                base_url=server.url,
                headers={"origin": server.url},
                limits=limits,
                timeout=60,
                trust_env=False,
            ) as http,
            anyio.create_task_group() as watching,
        ):
            await story.begin(visitor, person)
            # Once each, so that what a first time costs is not counted.
            await log_in(http, 0)
            before = process.memory_info().rss
            watching.start_soon(watch)
            async with anyio.create_task_group() as tasks:
                for number in range(LOGINS):
                    tasks.start_soon(log_in, http, number)
                for one in (visitor, person) * 5:
                    await one.talk(4, per_s=20)
            await story.until_complete()
            watching.cancel_scope.cancel()
        verdict = await story.end()
        assert verdict.passed, (verdict.faults, verdict.life)
        assert [one.down_count for one in story.people] == [0, 0]
        return before

    before = anyio.run(log_in_and_talk)
    assert peak - before <= ROOM_BYTES
    assert len(statuses) == LOGINS + 1
    # Those far back in the line are told to come again, where the line grows so long.
    assert {401} <= set(statuses) <= {401, 503}
