"""A wall clock that jumps under a real server: no disconnect, nothing is lost."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import anyio
import pytest

from kefu_core.client import Client
from kefu_core.errors import ConnectionClosed
from tests.depth import times
from tests.faults.people import Person, Server, Story, Way, ports_of, running

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
TOKEN_S = 3_600
JUMPS = ("-10s", "+1h", "-1d", "+0")
"""From the true time; the last one comes back."""

pytestmark = pytest.mark.skipif(
    not LIBRARIES, reason="libfaketime is not installed; no clock jumped"
)


class Clock:
    """What the server takes for the time."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "offset"
        self.jump("+0")

    def jump(self, offset: str) -> None:
        """Set how far it is from the true time."""
        beside = self._path.with_suffix(".new")
        beside.write_text(f"{offset}\n")
        beside.replace(self._path)

    @property
    def environ(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Clock]]:
    folder = tmp_path_factory.mktemp("clock")
    clock = Clock(folder)
    with Server(folder, environ=clock.environ, visitor_token_s=TOKEN_S) as server:
        yield server, clock


async def _talk_through_jumps(server: Server, clock: Clock) -> None:
    story = Story(server, anyio.current_time)
    ports = ports_of(server)
    token = server.visitor()
    visitor = story.person("v", token, Way(ports, "websocket"))
    tab = story.person("t", token, Way(ports, "longpoll"))
    agent = story.person("a", server.agent_token, Way(ports, "tcp"))
    pause_s = times(1, 40)
    async with running(story):
        await story.begin(visitor, agent)
        is_over = anyio.Event()

        async def talk(person: Person) -> None:
            while not is_over.is_set():
                await person.talk(5, 50.0)

        async with anyio.create_task_group() as talking:
            for person in (visitor, tab, agent):
                talking.start_soon(talk, person)
            for offset in JUMPS:
                await anyio.sleep(pause_s)
                seen = visitor.seen
                clock.jump(offset)
                # What was on its way is stored by then, and something after it.
                with anyio.fail_after(20):
                    while visitor.seen < seen + 50:
                        await anyio.sleep(0.05)
            is_over.set()
        with anyio.fail_after(30):
            await story.until_complete()
        assert [person.down_count for person in story.people] == [0, 0, 0]
        verdict = await story.end()
    assert verdict.passed, (verdict.faults, verdict.life)
    assert verdict.counts.acknowledged == verdict.counts.sent > 50 * len(JUMPS)
    path = server.folder / "data" / "kefu.db"
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT data FROM message WHERE kind = 'assignment'"
        # Taken once, and never given back for a lease that seemed to be over.
        assert len(database.execute(query).fetchall()) == 1
        back, ahead = database.execute(
            "SELECT min(b.at - a.at), max(b.at - a.at) FROM message a JOIN message b "
            "ON b.conversation_id = a.conversation_id AND b.seq = a.seq + 1"
        ).fetchone()
    # The hour was seen, and no message is earlier than the one before it.
    assert (back >= 0, ahead > 3_500_000) == (True, True)


@pytest.mark.timeout(420)
def test_jumps_end_no_connection_lose_no_lease_and_no_message(
    server: tuple[Server, Clock],
) -> None:
    anyio.run(_talk_through_jumps, *server)


def test_a_token_ends_by_the_wall_clock_give_or_take_a_minute(
    server: tuple[Server, Clock],
) -> None:
    running_server, clock = server

    async def is_taken(token: str) -> bool:
        client = Client(running_server.url, token=token, transport="websocket")
        async with client:
            with anyio.fail_after(10), suppress(ConnectionClosed):
                await client.wait_live()
            return client.is_live

    try:
        clock.jump("+0")
        token = running_server.visitor()
        for offset, expected in (
            (-60, True),
            (TOKEN_S - 60, True),
            (TOKEN_S + 60, False),
        ):
            clock.jump(f"{offset:+d}s")
            assert anyio.run(is_taken, token) is expected, offset
    finally:
        clock.jump("+0")
