import json
import os
import resource
import socket
from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress

from benchmarks import resting
from benchmarks.__main__ import main, raise_file_limit
from benchmarks.chat import ChatOptions, run_chat
from benchmarks.cutting import cut_connections
from benchmarks.echo_load import expected_bytes, frame_of, post_of
from benchmarks.idle import compare_idle
from benchmarks.noisy import NoisyOptions, run_noisy
from benchmarks.storm import StormOptions, fullest_slice, run_storm
from benchmarks.target import TRANSPORTS, Kefu
from benchmarks.yardstick import measure_echo


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_echo_of_each_kind_answers(transport: str, tmp_path: Path) -> None:
    echo = measure_echo(
        tmp_path, transport, connections=2, seconds=0.2, frame_bytes=150
    )
    assert echo.echoes > 0
    assert echo.frame_bytes == 150


def test_a_talk_over_long_poll_counts_its_exchanges() -> None:
    options = ChatOptions(
        transport="longpoll", visitors=2, agents=1, seconds=0.5, idle=0, processes=1
    )
    with Progress(disable=True) as progress:
        result, verdict = run_chat(options, progress)
    assert verdict.passed
    assert result.messages.delivered > 0
    # Each message goes up in one request and comes down in another's answer.
    assert result.exchanges_per_message is not None
    assert result.exchanges_per_message > 1


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_memory_at_rest_stands_beside_that_of_an_echo(transport: str) -> None:
    found = compare_idle(transport, 3)
    beside = {
        "longpoll": "idle_kib_per_held_poll",
    }.get(transport, "echo_kib_per_connection")
    assert {"idle_kib_per_connection", beside} <= found.keys()


def test_connections_of_all_transports_rest_on_one_server_and_leave_nothing(
    tmp_path: Path,
) -> None:
    file = tmp_path / "idle.json"
    line = "idle --mix websocket=2,longpoll=1,tcp=1 --connections 8 --json"
    assert main([*line.split(), str(file)]) == 0
    found = json.loads(file.read_bytes())
    counts = {name: one["connections"] for name, one in found["by_transport"].items()}
    assert counts == {"websocket": 4, "longpoll": 2, "tcp": 2}
    assert found["left"]["connections"] == {"before": 0, "after": 0}
    # One or the other may be there for a moment; each connection has several.
    tasks = found["left"]["tasks"]
    assert tasks["after"] <= tasks["before"] + 3


def test_who_was_sent_away_is_not_counted_as_at_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody says that there is anybody, and the server's patience is short.
    monkeypatch.setattr(resting, "Kefu", impatient)
    file = tmp_path / "idle.json"
    line = "idle --mix tcp=1 --connections 3 --json"
    assert main([*line.split(), str(file)]) == 1
    assert "Of 3 connections the server had 0" in str(json.loads(file.read_bytes()))


def impatient(*args: Any, **options: Any) -> Kefu:
    """Return a server that takes a client for gone after two seconds of silence."""
    server = Kefu(*args, **options)
    server.environ["KEFU_LIMITS_HEARTBEAT_S"] = "1"
    return server


@pytest.mark.parametrize(
    ("transport", "drop"), [("tcp", "kill"), ("websocket", "cut"), ("longpoll", "cut")]
)
def test_everybody_who_was_dropped_comes_back_with_everything(
    transport: str, drop: str
) -> None:
    options = StormOptions(
        transport=transport,
        visitors=4,
        agents=1,
        rate=20,
        processes=1,
        mix={"websocket": 0.5, "tcp": 0.5} if transport == "websocket" else {},
        talk_s=0.5,
        drop=drop,
    )
    with Progress(disable=True) as progress:
        found, verdict = run_storm(options, progress)
    assert verdict.passed
    assert found["behind_at_the_end"] == 0
    assert found["sent"] == found["acknowledged"] != 0
    assert found["listen_overflows"] == 0
    # A session of long poll outlives its connections.
    assert bool(found["fullest_slice_share"]) is (transport != "longpoll")


def test_the_fullest_slice_of_returns_is_found_wherever_it_begins() -> None:
    assert fullest_slice([0.0, 1.0, 1.2, 1.25, 1.26, 3.0]) == 3 / 6
    assert fullest_slice([5.0]) == 1.0
    assert fullest_slice([]) == 0.0


def test_an_answer_is_as_long_as_its_head_says() -> None:
    head = b"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n"
    assert expected_bytes(head + b"12") == len(head) + 5


def test_a_bare_request_declares_its_body() -> None:
    request = post_of(frame_of(120))
    head, _, body = request.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head


def test_files_may_be_opened_up_to_the_limit_of_the_system() -> None:
    hard = raise_file_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)


def test_a_cut_ends_the_connections_to_one_port_at_both_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as near:
            far, _ = server.accept()
            with far:
                before = len(os.listdir("/proc/self/fd"))
                assert cut_connections(port) == 1
                assert len(os.listdir("/proc/self/fd")) == before
                assert near.recv(1) == b""
                assert far.recv(1) == b""


def test_who_floods_is_refused_and_cut_off_and_nobody_loses_anything() -> None:
    # Long enough for the flooder to be cut off: it is read at a pace of ours.
    options = NoisyOptions(
        visitors=4, agents=2, rate=20.0, flood=2_000.0, seconds=8.0, rounds=1
    )
    with Progress(disable=True) as progress:
        found, verdict = run_noisy(options, progress)
    assert verdict.passed
    assert found["behind_at_the_end"] == 0
    assert found["connections_ended"] == {}
    answers = found["flooder_answers"]
    assert isinstance(answers, dict)
    assert answers["rate_limited"] > answers.get("page", 0)
    assert found["flooder_cut"]
    assert isinstance(found["p99_ratio"], float)
