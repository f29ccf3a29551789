"""`sent` leaves the server only after the log of the database is on disk."""

import re
import shutil
import subprocess
from pathlib import Path

import anyio
import pytest

from benchmarks.target import Kefu
from kefu_core.client import Client

MESSAGES = 1_000
AT_ONCE = 20
TRACED = "pwrite64,write,writev,fdatasync,fsync,sendto,sendmsg"
CALL = re.compile(r"(?P<call>\w+)\((?P<fd>\d+)<(?P<file>[^>]*)>(?P<rest>.*)")


def strace_works() -> bool:
    """Whether this machine lets one process watch another's system calls."""
    if shutil.which("strace") is None:
        return False
    probe = subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "true"], capture_output=True, check=False
    )
    return probe.returncode == 0


def unsynced_acknowledgements(trace: str, keys: list[str]) -> tuple[int, list[str]]:
    """Return how many `sent` were seen, and the keys of those that came too early.

    A key is on disk when a sync of the write-ahead log has *ended* that began after
    the key was written to it. An acknowledgement is early if it is not.
    """
    written: set[str] = set()
    syncing: dict[str, set[str]] = {}
    durable: set[str] = set()
    early: list[str] = []
    seen = 0
    for line in trace.splitlines():
        pid = line.split(maxsplit=1)[0]
        if "fdatasync resumed" in line or "fsync resumed" in line:
            durable |= syncing.pop(pid, set())
            continue
        call = CALL.search(line)
        if call is None:
            continue
        name, file = call["call"], call["file"]
        named = {key for key in keys if key in call["rest"]}
        if file.endswith("-wal") and name in ("pwrite64", "write", "writev"):
            written |= named
        elif file.endswith("-wal") and name in ("fdatasync", "fsync"):
            if "unfinished" in line:
                syncing[pid] = set(written)
            else:
                durable |= written
        elif file.startswith(("TCP", "socket")):
            seen += len(named)
            early += sorted(named - durable)
    return seen, early


async def send(client: Client, conversation: int, key: str) -> None:
    """Send one message and wait until it is told as stored."""
    await client.send(conversation, "is it on disk?", key=key)


async def send_messages(server: Kefu, keys: list[str]) -> None:
    """Send from one visitor, a few at a time, so that commits hold several."""
    async with Client(server.url("websocket"), token=server.visitor_token()) as client:
        conversation = await client.open_conversation()
        for start in range(0, len(keys), AT_ONCE):
            async with anyio.create_task_group() as tasks:
                for key in keys[start : start + AT_ONCE]:
                    tasks.start_soon(send, client, conversation, key)


@pytest.mark.timeout(90)
def test_an_acknowledgement_follows_the_sync_of_its_message(tmp_path: Path) -> None:
    if not strace_works():
        pytest.skip("strace is not installed or ptrace is not permitted here")
    trace = tmp_path / "trace"
    # -D: whoever is signalled is the server, and not who watches it.
    strace = ["strace", "-D", "-f", "-yy", "-s", "70000", "-e", f"trace={TRACED}"]
    keys = [f"key-{number:05d}-end" for number in range(MESSAGES)]
    server = Kefu(tmp_path, wrapper=[*strace, "-o", str(trace)])
    with server:
        anyio.run(send_messages, server, keys)
    seen, early = unsynced_acknowledgements(trace.read_text("utf-8", "replace"), keys)
    assert seen == MESSAGES
    assert early == []


def test_the_parser_finds_an_acknowledgement_before_its_sync() -> None:
    wal = "5</data/kefu.db-wal>"
    tcp = "9<TCP:[127.0.0.1:80->127.0.0.1:81]>"
    trace = f"""\
1 pwrite64({wal}, "key-a", 5, 0) = 5
1 fdatasync({wal} <unfinished ...>
1 pwrite64({wal}, "key-b", 5, 5) = 5
1 <... fdatasync resumed>) = 0
2 sendto({tcp}, "key-a", 5, 0) = 5
2 sendto({tcp}, "key-b", 5, 0) = 5
"""
    assert unsynced_acknowledgements(trace, ["key-a", "key-b"]) == (2, ["key-b"])
