"""The comparison: it measures what works, fails what does not, and cuts for real."""

import asyncio
import socket

import pytest
from rich.console import Console
from rich.progress import Progress

from benchmarks.compare import people
from benchmarks.compare.ejabberd import EjabberdTarget
from benchmarks.compare.figures import NOWHERE, Comparison, Window, ratios_of
from benchmarks.compare.load import Load, Plan
from benchmarks.compare.run import CompareOptions, run_compare
from benchmarks.compare.showing import show_comparison
from benchmarks.compare.targets import SocketIoTarget, TargetMissingError
from benchmarks.compare.wire import TEXT, Wire, open_wire
from benchmarks.databases import MariaDb, ServerMissingError


def compare(
    *targets: str, database: str = "sqlite", idle: int = 0, cuts: int = 0
) -> Comparison:
    options = CompareOptions(
        visitors=4,
        agents=2,
        seconds=0.5,
        rounds=1,
        targets=targets,
        databases=(database,),
        idle=idle,
        cuts=cuts,
        warm_up_s=0.2,
        rate=40.0,
    )
    with Progress(disable=True) as progress:
        return run_compare(options, progress)


def test_kefu_and_socketio_do_the_same_work_and_kefu_loses_nothing() -> None:
    found = compare("kefu", "socketio", idle=3, cuts=1)
    assert found.failed == {}
    assert found.missing == {}
    rows = {row.target: row for row in found.rows}
    assert rows.keys() == {"kefu", "socketio"}
    assert found.idle_kib_per_connection.keys() == rows.keys()
    (ours,) = [cut for cut in found.cuts if cut.target == "kefu"]
    assert ours.cuts == 2
    assert ours.acknowledged == ours.sent > 0
    assert ours.lost == ours.doubled == ours.unanswered == 0
    plain, asking = [cut for cut in found.cuts if cut.target == "socketio"]
    assert (plain.keeps, asking.keeps) == (False, True)
    # Whoever asks for what was missed gets it, before the first message too.
    assert asking.lost == 0
    console = Console(record=True, width=200)
    show_comparison(console, found)
    assert "FAILED" not in console.export_text()


def test_a_target_that_does_not_store_what_it_acknowledged_has_no_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SocketIoTarget, "stored", lambda self: 0)
    found = compare("kefu", "socketio", "socketio-unstored")
    assert "0 of" in found.failed["socketio on sqlite"]
    ours, unstored = found.rows
    assert ours.durable_per_s is not None
    assert (unstored.database, unstored.durable_per_s) == (NOWHERE, None)
    assert [ratio.target for ratio in found.ratios] == ["socketio-unstored"]


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_ejabberd_archives_what_it_acknowledges(database: str) -> None:
    try:
        EjabberdTarget.check()
        MariaDb()
    except (TargetMissingError, ServerMissingError) as missing:
        pytest.skip(f"ejabberd was not compared with kefu: {missing}")
    found = compare("ejabberd", database=database, cuts=1)
    assert found.failed == {}
    assert [row.database for row in found.rows] == [database]
    assert [cut.lost for cut in found.cuts] == [0]


def window(target: str, database: str, number: int, us: float) -> Window:
    return Window(
        target=target,
        database=database,
        round=number,
        delivered=1,
        delivered_per_s=1.0,
        acknowledged_per_s=1.0,
        server_us=us,
        database_us=0.0 if database == NOWHERE else us,
        p50_ms=1.0,
        p99_ms=1.0,
        server_share=1.0,
        generator_share=0.5,
    )


def test_ratios_are_taken_within_a_round_and_like_with_like() -> None:
    windows = [
        window("kefu", "sqlite", 0, 10.0),
        window("kefu", "sqlite", 1, 100.0),
        window("socketio", "sqlite", 0, 80.0),
        window("socketio", "sqlite", 1, 1_000.0),
        # Beside what stores nothing, only the servers are compared.
        window("socketio-unstored", NOWHERE, 0, 20.0),
    ]
    stored, unstored = ratios_of(windows)
    assert (stored.times.low, stored.times.high) == (8.0, 10.0)
    assert stored.counts == "total"
    assert stored.is_met
    assert (unstored.counts, unstored.times.median) == ("server", 2.0)


def frames_of(*frames: tuple[int, bytes]) -> bytes:
    written = b""
    for first, payload in frames:
        length = len(payload)
        head = bytes((first, length)) if length < 126 else bytes((first, 126))
        written += head + (length.to_bytes(2, "big") if length > 125 else b"") + payload
    return written


def test_who_was_cut_off_tries_again_until_there_is_a_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(people, "AWAY_S", (0.0, 0.0))

    async def story() -> tuple[int, bool, Load]:
        load = Load(
            Plan(dialect="kefu", url="", visitors={"v0": ""}, agents={}, addresses=[""])
        )
        person, tries = load.everybody[0], 0

        async def connect() -> None:
            nonlocal tries
            tries += 1
            if tries < 3:
                raise ConnectionRefusedError
            person.is_live = True

        monkeypatch.setattr(person, "connect", connect)
        await person.come_back()
        return tries, person.is_live, load

    tries, is_live, load = asyncio.run(story())
    assert (tries, is_live) == (3, True)
    assert load.errors.total() == 2


def test_messages_come_whole_however_the_bytes_arrive() -> None:
    async def story() -> list[bytes]:
        got: list[bytes] = []
        wire = Wire(got.append, lambda: None)
        answer = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n"
        sent = answer + frames_of(
            (0x81, b"one"), (0x01, b"tw"), (0x80, b"o"), (0x81, b"x" * 300)
        )
        for byte in sent:
            wire.data_received(bytes((byte,)))
        return got

    assert asyncio.run(story()) == [b"one", b"two", b"x" * 300]


@pytest.mark.parametrize("is_told", [True, False])
def test_a_cut_is_a_reset_or_nothing_at_all(is_told: bool) -> None:
    asyncio.run(_cut(is_told=is_told))


async def _cut(*, is_told: bool) -> None:
    loop = asyncio.get_running_loop()
    ended: list[bool] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]

        async def accept() -> socket.socket:
            far, _ = await loop.sock_accept(server)
            await loop.sock_recv(far, 4_096)
            await loop.sock_sendall(far, b"HTTP/1.1 101 Yes\r\n\r\n")
            return far

        accepted = loop.create_task(accept())
        wire = await open_wire(
            f"ws://127.0.0.1:{port}/",
            lambda data: None,
            lambda: ended.append(True),
            local_host="127.0.0.2",
        )
        with await accepted as far:
            wire.send(b"before", TEXT)
            assert (await loop.sock_recv(far, 4_096))[-6:] == b"before"
            if is_told:
                wire.reset()
                with pytest.raises(ConnectionResetError):
                    await loop.sock_recv(far, 1)
            else:
                wire.forsake()
                await loop.sock_sendall(far, frames_of((0x81, b"unheard")))
                with pytest.raises(BlockingIOError):
                    far.recv(1)
                wire.reset()
    assert ended == []
