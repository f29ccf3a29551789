"""`kefu visitor` and `kefu site retention` as an operator uses them."""

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.server.process import ServerProcess, environment, kefu
from tests.server.test_exporting import fill
from tests.server.test_live import frames, live, log_in


def test_all_of_a_visitor_is_written_and_then_erased(tmp_path: Path) -> None:
    fill(tmp_path)
    written = kefu(tmp_path, "visitor", "export", "v2", "--out", "v2.jsonl")
    assert (written.returncode, written.stderr) == (0, "")
    assert written.stdout == "Wrote 1 conversations with 5 messages to v2.jsonl.\n"
    records = [json.loads(x) for x in (tmp_path / "v2.jsonl").read_text().splitlines()]
    assert {r.get("visitor") for r in records if r["t"] == "conversation"} == {"v2"}
    erased = kefu(tmp_path, "visitor", "erase", "v2", "--yes")
    assert (erased.returncode, erased.stderr) == (0, "")
    assert erased.stdout == (
        "Erased 4 texts and notes in 1 conversations, and the name of v2.\n"
    )
    kefu(tmp_path, "export", "--out", "all.jsonl")
    text = (tmp_path / "all.jsonl").read_text()
    assert text.count('"kind":"erased"') == 4
    assert "访客2" not in text
    assert "访客1" in text
    again = kefu(tmp_path, "visitor", "erase", "2", "--yes")
    assert again.stdout.startswith("Erased 0 texts")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["erase", "v2"], "--yes"),
        (["erase", "v9", "--yes"], "no visitor v9"),
        (["erase", "ana", "--yes"], "such as v12"),
        (["export", "v9", "--out", "x"], "no visitor v9"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_erases_nothing(
    tmp_path: Path, arguments: list[str], part: str
) -> None:
    fill(tmp_path)
    done = kefu(tmp_path, "visitor", *arguments)
    assert done.returncode == 1
    assert part in done.stderr
    kefu(tmp_path, "export", "--out", "all.jsonl")
    assert "erased" not in (tmp_path / "all.jsonl").read_text()


@pytest.mark.parametrize(("answer", "status"), [("yes\n", 0), ("y\n", 1), ("\n", 1)])
def test_a_terminal_is_asked_first(tmp_path: Path, answer: str, status: int) -> None:
    fill(tmp_path)
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "kefu_server", "visitor", "erase", "v2"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    os.write(ours, answer.encode())
    out, error = child.communicate(timeout=60)
    os.close(ours)
    assert child.returncode == status
    assert "v2 (访客2) has 1 conversations with 5 messages." in out
    assert ("Erased 4 texts" in out) is (status == 0)
    assert error == ("" if status == 0 else "kefu: Nothing was erased.\n")


def test_a_sites_retention_is_set_shown_and_taken_back(tmp_path: Path) -> None:
    fill(tmp_path)
    kept = kefu(tmp_path, "site", "retention", "tea", "--days", "90")
    assert (kept.returncode, kept.stderr) == (0, "")
    assert "after 90 days" in kept.stdout
    assert kefu(tmp_path, "site", "list").stdout.endswith("\tkept 90 days\n")
    assert "are kept" in kefu(tmp_path, "site", "retention", "tea", "--days=0").stdout
    assert "days" not in kefu(tmp_path, "site", "list").stdout
    wrong = kefu(tmp_path, "site", "retention", "no", "--days", "1")
    assert (wrong.returncode, "kefu site list" in wrong.stderr) == (1, True)
    wrong = kefu(tmp_path, "site", "retention", "tea", "--days=-1")
    assert (wrong.returncode, "not -1" in wrong.stderr) == (1, True)


def _shown(
    server: ServerProcess, cookie: str, conversation: int, count: int
) -> list[str]:
    """Return what somebody who comes new is shown of a conversation."""
    follow = {"t": "follow", "conversation": conversation, "after": 0}
    with live(server, server.url, cookie) as (socket, _):
        socket.send(json.dumps(follow))
        shown: list[str] = []
        while len(shown) < count:
            received = frames(socket.recv(timeout=10))
            shown += [each["kind"] for each in received if each["t"] == "message"]
        return shown


def test_a_running_server_shows_nothing_that_the_command_erased(
    tmp_path: Path,
) -> None:
    conversation = fill(tmp_path, messages=0)[0]
    with ServerProcess(tmp_path) as server:
        cookie = log_in(server)
        with live(server, server.url, cookie) as (socket, _):
            # While somebody follows, the newest messages are in the server's memory.
            follow = {"t": "follow", "conversation": conversation, "after": 0}
            socket.send(json.dumps(follow))
            for number in (1, 2):
                send = {"conversation": conversation, "key": f"k{number}", "n": number}
                socket.send(json.dumps({"t": "send", "body": "secret", **send}))
            assert _shown(server, cookie, conversation, 2) == ["text"] * 2
            done = kefu(tmp_path, "visitor", "erase", "v1", "--yes")
            assert done.returncode == 0, done.stderr
            deadline = time.monotonic() + 15
            while "text" in _shown(server, cookie, conversation, 2):
                assert time.monotonic() < deadline
            assert _shown(server, cookie, conversation, 2) == ["erased"] * 2
