"""A copy of an installation: whole, resumable, and of one moment."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kefu_core.errors import ConfigurationError, Conflict
from kefu_core.model import Agent, AgentSession, Arrival, Cursor, MessageKind
from kefu_core.store import copying, walking
from kefu_core.store.copying import CopyReport, copy_installation
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import Clock, draft
from kefu_core.types import ParticipantId, Seq, UnixMs
from tests.core.upkeep.world import ANA, SHOP, guest
from tests.databases import ENGINES

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {}


def url_of(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def opened(url: str) -> SqlStore:
    return SqlStore(url, now=time.monotonic, now_ms=Clock())


async def fill(url: str, *, seed: int = 1, conversations: int = 7) -> str:
    """Make an installation with something in every table; returns its epoch."""
    rng = random.Random(seed)
    async with opened(url) as store:
        await store.put_site(SHOP)
        await store.put_agent(ANA)
        await store.put_agent(
            Agent(id=8, login="Bö", name="", password_hash="x", is_active=False)
        )
        for number in range(3):
            await store.put_agent_session(
                AgentSession(
                    token_hash=f"{number}f" * 32,
                    agent_id=7,
                    created_at=UnixMs(number),
                    last_used_at=UnixMs(number),
                )
            )
        for number in range(1, conversations + 1):
            row = (await store.open_conversation(SHOP.id, guest(number))).id
            who = ParticipantId(f"v{number}")
            await store.append(draft(row, 98, sender="a7"))
            for place in range(rng.randrange(12)):
                body = rng.choice(["😀退货", "a", "长" * 3_000, "'\"\\%_\n"])
                data = rng.choice([None, {"a": [1, None]}])
                await store.append(draft(row, place, sender=who, body=body, data=data))
            labels = {"labels": rng.sample(["退货", "急", "VIP", "a"], 2)}
            await store.append(
                draft(
                    row, 99, sender="a7", kind=MessageKind.LABELS, body="", data=labels
                )
            )
            for participant in (who, ParticipantId("a7")):
                await store.advance_cursors(
                    [
                        Cursor(
                            conversation=row,
                            participant=participant,
                            delivered=Seq(1),
                            read=Seq(rng.randrange(2)),
                        )
                    ],
                    [
                        Arrival(
                            conversation=row,
                            participant=participant,
                            heard_at=UnixMs(Clock().ms + 60_000),
                            here_since=UnixMs(0),
                        )
                    ],
                )
        return store.epoch


def rows_of(path: Path) -> dict[str, set[tuple[Any, ...]]]:
    with sqlite3.connect(path) as database:
        found = {
            table.name: set(database.execute(f"SELECT * FROM {table.name}"))
            for table, _ in walking.COPIED
        }
    database.close()
    return found


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "_BATCH", 5)
    monkeypatch.setattr(walking, "_BATCH_BYTES", 2_000)


async def test_a_copy_has_every_row_and_an_epoch_of_its_own(tmp_path: Path) -> None:
    source, target = tmp_path / "a.db", tmp_path / "b.db"
    epoch = await fill(url_of(source))
    copied: list[tuple[int, int]] = []
    compared: list[tuple[int, int]] = []
    report = await copy_installation(
        url_of(source),
        url_of(target),
        on_copied=lambda *seen: copied.append(seen),
        on_compared=lambda *seen: compared.append(seen),
    )
    assert rows_of(target) == rows_of(source)
    rows = {name: len(found) for name, found in rows_of(source).items()}
    assert rows["late_delivery"] == 7
    assert report == CopyReport(rows=rows, has_resumed=False)
    total = sum(rows.values())
    assert copied == sorted(copied)
    assert (copied[-1], compared[-1]) == ((total, total), (2 * total, 2 * total))
    async with opened(url_of(target)) as store:
        assert store.epoch not in ("", epoch)
        assert not store.epoch.startswith("copying")
        assert (await store.audit()).is_sound
    with pytest.raises(Conflict, match="something else"):
        await copy_installation(url_of(source), url_of(target))


async def test_an_empty_installation_is_copied_too(tmp_path: Path) -> None:
    async with opened(url_of(tmp_path / "a.db")):
        pass
    report = await copy_installation(
        url_of(tmp_path / "a.db"), url_of(tmp_path / "b.db")
    )
    assert set(report.rows.values()) == {0}


CHILD = """
import sys, anyio
from kefu_core.store import copying, walking

walking._BATCH = 5

def copied(done, total):
    print(done, flush=True)

print(anyio.run(lambda: copying.copy_installation(
    sys.argv[1], sys.argv[2], on_copied=copied)).has_resumed, flush=True)
"""


def test_a_copy_that_is_killed_goes_on_and_is_whole(tmp_path: Path) -> None:
    source, target = tmp_path / "a.db", tmp_path / "b.db"
    anyio.run(lambda: fill(url_of(source), conversations=20))
    command = [sys.executable, "-c", CHILD, url_of(source), url_of(target)]
    reached = [0]
    for kill_after in (3, 9, 12, 2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for number, line in enumerate(child.stdout):
                if number == kill_after:
                    child.send_signal(signal.SIGKILL)
                    reached.append(int(line))
    assert reached == sorted(reached)
    with pytest.raises(ConfigurationError, match="unfinished copy"):
        anyio.run(lambda: fill(url_of(target)))
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "True"
    assert int(done.stdout.splitlines()[0]) >= reached[-1] - 5
    assert rows_of(target) == rows_of(source)


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "a.db"
    anyio.run(lambda: fill(url_of(path)))
    return path


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stops=st.lists(st.integers(0, 70), min_size=1, max_size=3))
def test_stopped_anywhere_a_copy_ends_as_the_source(
    tmp_path_factory: pytest.TempPathFactory, filled: Path, stops: list[int]
) -> None:
    source, target = filled, tmp_path_factory.mktemp("target") / "b.db"

    async def run() -> None:
        for stop in stops:
            with pytest.raises(Stopped):
                await copy_installation(
                    url_of(source), url_of(target), on_copied=_stop_at(stop)
                )
        await copy_installation(url_of(source), url_of(target))

    anyio.run(run)
    assert rows_of(target) == rows_of(source)


async def test_a_source_that_is_written_to_is_noticed_and_then_copied_anew(
    tmp_path: Path,
) -> None:
    source, target = tmp_path / "a.db", tmp_path / "b.db"
    await fill(url_of(source))
    is_written = False

    def write(done: int, total: int) -> None:
        nonlocal is_written
        if done and not is_written:
            is_written = True
            with sqlite3.connect(source) as database:
                database.execute("UPDATE conversation SET last_seq = last_seq + 1")
            database.close()

    with pytest.raises(Conflict, match="Stop its server"):
        await copy_installation(url_of(source), url_of(target), on_copied=write)
    report = await copy_installation(url_of(source), url_of(target))
    assert not report.has_resumed
    assert rows_of(target) == rows_of(source)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE message SET body = 'x' WHERE seq = 1",
        "DELETE FROM participant WHERE participant = 'a7'",
        "UPDATE agent SET is_active = 1",
        (
            "INSERT OR IGNORE INTO visitor (id, site_id, name, created_at)"
            " VALUES (999, 1, '', 0)"
        ),
    ],
)
async def test_what_differs_in_the_end_is_noticed_and_then_copied_anew(
    tmp_path: Path, damage: str
) -> None:
    source, target = tmp_path / "a.db", tmp_path / "b.db"
    await fill(url_of(source))

    def spoil(done: int, total: int) -> None:
        if done == total:
            with sqlite3.connect(target) as database:
                database.execute(damage)
            database.close()

    with pytest.raises(Conflict, match="is not that of the source"):
        await copy_installation(url_of(source), url_of(target), on_copied=spoil)
    await copy_installation(url_of(source), url_of(target))
    assert rows_of(target) == rows_of(source)


async def test_a_target_with_other_data_is_left_alone(tmp_path: Path) -> None:
    source, target, other = (tmp_path / name for name in ("a.db", "b.db", "c.db"))
    await fill(url_of(source))
    await fill(url_of(target), seed=2)
    before = rows_of(target)
    with pytest.raises(Conflict, match="something else"):
        await copy_installation(url_of(source), url_of(target))
    assert rows_of(target) == before
    with pytest.raises(ConfigurationError, match="same"):
        await copy_installation(url_of(source), url_of(source))
    with pytest.raises(ConfigurationError, match="no file"):
        await copy_installation(url_of(other), url_of(tmp_path / "d.db"))
    assert not other.exists()
    # Another installation's unfinished copy is other data too.
    with pytest.raises(Stopped):
        await copy_installation(url_of(source), url_of(other), on_copied=_stop_at(10))
    with pytest.raises(Conflict):
        await copy_installation(url_of(target), url_of(other))
    with pytest.raises(Conflict, match="no whole installation"):
        await copy_installation(url_of(other), url_of(tmp_path / "d.db"))


@pytest.mark.parametrize(
    "database_url", [name for name in ENGINES if name != "sqlite"], indirect=True
)
async def test_there_and_back_nothing_changes(
    tmp_path: Path, filled: Path, database_url: str
) -> None:
    back = tmp_path / "back.db"
    for stop in (12, 45):
        with pytest.raises(Stopped):
            await copy_installation(
                url_of(filled), database_url, on_copied=_stop_at(stop)
            )
    there = await copy_installation(url_of(filled), database_url)
    assert there.has_resumed
    async with opened(database_url) as store:
        assert (await store.audit()).is_sound
    with pytest.raises(Stopped):
        await copy_installation(database_url, url_of(back), on_copied=_stop_at(30))
    await copy_installation(database_url, url_of(back))
    assert rows_of(back) == rows_of(filled)


def _stop_at(stop: int) -> copying.OnRows:
    def copied(done: int, total: int) -> None:
        if done >= stop:
            raise Stopped

    return copied


async def test_the_times_of_millions_of_rows_do_not_overflow(tmp_path: Path) -> None:
    """Their sum is past 64 bits from five million rows on."""
    source, target = tmp_path / "source.db", tmp_path / "target.db"
    await fill(url_of(source), conversations=3)
    with sqlite3.connect(source) as database:
        database.execute("UPDATE conversation SET kept_from = 4611686018427387904")
    database.close()
    report = await copy_installation(url_of(source), url_of(target))
    assert report.rows["conversation"] == 3
