"""`kefu export` as an operator uses it."""

import json
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from kefu_core.abc.archive import ConversationFilter
from kefu_core.model import Agent, MessageKind, Person, Role, Site
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import draft
from kefu_core.types import ConversationId, ParticipantId, UnixMs
from kefu_server.export import ExportFormat, file_name
from tests.server.process import environment, kefu

DAY_MS = 86_400_000
NOON = 1_790_000_000_000


def fill(folder: Path, *, conversations: int = 3, messages: int = 4) -> list[int]:
    """Make a database with one conversation a day, the second assigned to li."""
    at = NOON
    ids: list[int] = []

    async def run() -> None:
        nonlocal at
        (folder / "data").mkdir(exist_ok=True)
        url = f"sqlite+aiosqlite:///{folder}/data/kefu.db"
        async with SqlStore(url, now=time.monotonic, now_ms=lambda: at) as store:
            await store.put_site(Site(id=1, name="茶馆", embed_key="tea"))
            await store.put_agent(
                Agent(id=7, login="li", name="安娜", password_hash="x")
            )
            for number in range(1, conversations + 1):
                at = NOON + number * DAY_MS
                who = ParticipantId(f"v{number}")
                person = Person(id=who, name=f"访客{number}", role=Role.VISITOR)
                row = await store.open_conversation(1, person)
                ids.append(row.id)
                async with anyio.create_task_group() as tasks:
                    for place in range(messages):
                        one = draft(row.id, place, sender=who, body=f"第{place}条")
                        tasks.start_soon(store.append, one)
            await store.append(
                draft(
                    ConversationId(ids[1]),
                    key="assign",
                    sender="a7",
                    kind=MessageKind.ASSIGNMENT,
                    data={"assignee": "a7"},
                )
            )

    anyio.run(run)
    return ids


def _conversations(path: Path) -> list[int]:
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [record["id"] for record in records if record["t"] == "conversation"]


def test_an_export_is_whole_private_and_says_what_it_wrote(tmp_path: Path) -> None:
    ids = fill(tmp_path)
    done = kefu(tmp_path, "export", "--out", "all.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Wrote 3 conversations with 13 messages to all.jsonl.\n"
    assert _conversations(tmp_path / "all.jsonl") == ids
    assert stat.S_IMODE((tmp_path / "all.jsonl").stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["all.jsonl", "data"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--visitor", "v1"], [0]),
        (["--visitor", "3"], [2]),
        (["--agent", "LI"], [1]),
        (["--site", "tea", "--status", "queued"], [0, 2]),
        (["--label", "none"], []),
        (["--zone", "UTC", "--from", "2026-09-23"], [1, 2]),
        (["--zone", "UTC", "--before", "2026-09-23"], [0]),
    ],
)
def test_filters_narrow_an_export(
    tmp_path: Path, arguments: list[str], expected: list[int]
) -> None:
    ids = fill(tmp_path)
    done = kefu(tmp_path, "export", "--out", "some.jsonl", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert _conversations(tmp_path / "some.jsonl") == [ids[n] for n in expected]


def test_one_conversation_goes_to_a_pipe_as_a_table(tmp_path: Path) -> None:
    ids = fill(tmp_path)
    done = kefu(
        tmp_path,
        *("export", "--format", "csv", "--conversation", f"#{ids[0]}", "--out", "-"),
        *("--zone", "Asia/Shanghai"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = done.stdout.splitlines()
    assert len(rows) == 5
    assert rows[1].startswith(
        f"#{ids[0]},茶馆,访客1,1,2026-09-22 22:13:20,UTC+08:00,v1"
    )


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--site", "no"], "kefu site list"),
        (["--agent", "no"], "kefu agent list"),
        (["--visitor", "ana"], "such as v12"),
        (["--conversation", "x"], "not the id"),
        (["--conversation", "5"], "no conversation 5"),
        (["--conversation", "5", "--label", "x"], "not both"),
        (["--zone", "Mars/Base"], "Asia/Shanghai"),
        (["--zone", "../../etc/passwd"], "Asia/Shanghai"),
        (["--from", "yesterday"], "2026-11-25"),
        (["--out", "no/such/folder/x"], "cannot be written"),
        (["--out", "data"], "cannot be written"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence_and_leaves_no_file(
    tmp_path: Path, arguments: list[str], part: str
) -> None:
    fill(tmp_path)
    done = kefu(tmp_path, "export", "--out", "x.jsonl", *arguments)
    assert done.returncode == 1
    assert part in done.stderr
    assert done.stderr.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_an_interrupted_export_leaves_what_was_there_before(tmp_path: Path) -> None:
    fill(tmp_path)
    kept = tmp_path / "all.csv"
    kept.write_text("before")
    child = subprocess.Popen(
        [sys.executable, "-m", "kefu_server", "export", "--out", "all.csv"],
        cwd=tmp_path,
        env=environment(tmp_path),
    )
    with child:
        while child.poll() is None and not (tmp_path / "all.csv.part").exists():
            time.sleep(0.001)
        child.send_signal(signal.SIGINT)
    # It may have been done before the signal: whole or untouched, nothing between.
    if child.returncode == 130:
        assert kept.read_text() == "before"
    else:
        assert len(_conversations(kept)) == 3
    assert sorted(p.name for p in tmp_path.iterdir()) == ["all.csv", "data"]


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    fill(tmp_path, messages=2_000)
    child = subprocess.Popen(
        [sys.executable, "-m", "kefu_server", "export", "--out", "-"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert b"header" in child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 0


def test_a_files_name_has_no_letter_that_a_header_or_a_folder_means() -> None:
    at = UnixMs(NOON)
    hostile = ConversationFilter(label='../"退货\r\nX-Evil: 1')
    assert file_name(hostile, ExportFormat.CSV, at) == (
        "kefu-conversations-X-Evil-1-20260921-141320.csv"
    )
    assert file_name(ConversationId(12), ExportFormat.HTML, at) == (
        "kefu-conversation-12-20260921-141320.html"
    )
