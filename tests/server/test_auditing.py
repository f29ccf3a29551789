"""`kefu audit` as an operator uses it."""

import json
import sqlite3
from pathlib import Path

from tests.server.process import kefu
from tests.server.test_exporting import fill


def test_a_sound_installation_is_one_line_and_status_0(tmp_path: Path) -> None:
    fill(tmp_path)
    done = kefu(tmp_path, "audit")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "3 conversations, 13 messages: sound\n"


def test_each_fault_is_a_line_without_anybodys_text_and_status_1(
    tmp_path: Path,
) -> None:
    ids = fill(tmp_path)
    with sqlite3.connect(tmp_path / "data" / "kefu.db") as database:
        database.execute(
            "UPDATE message SET body = '\x1b[31mmine' WHERE conversation_id = ? "
            "AND seq = 2",
            (ids[0],),
        )
        database.execute("UPDATE message SET digest = NULL WHERE seq = 1")
        database.execute(
            "UPDATE message SET sender = '\x1b]0;x', digest = NULL "
            "WHERE conversation_id = ? AND seq = 3",
            (ids[2],),
        )
    database.close()
    done = kefu(tmp_path, "audit")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        f"digest in conversation {ids[0]} at seq 2: is not what was stored\n"
        f"sender in conversation {ids[2]} at seq 3: its sender is no participant\n"
        "digest: 1\nsender: 1\n"
        "3 conversations, 13 messages (4 older than digests): 2 faults\n"
    )


def test_programs_read_all_of_it_as_json(tmp_path: Path) -> None:
    fill(tmp_path)
    stray = tmp_path / "data" / "files" / "ab" / "cd"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"x")
    done = kefu(tmp_path, "audit", "--json", "--late", "60")
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(done.stdout)
    late = told.pop("late")
    assert told == {
        "is_sound": False,
        "conversations": 3,
        "messages": 13,
        "without_digest": 0,
        "files": 0,
        "file_bytes": 0,
        "faults": [
            {
                "kind": "stray",
                "text": "ab/cd is kept, and nothing names it",
                "conversation": None,
                "seq": None,
            }
        ],
        "counts": {"stray": 1},
        "late_s": 60.0,
        "names": {"a7": "li"},
    }
    assert [(each["whose"], each["messages"]) for each in late] == [
        (None, 8),
        ("a7", 4),
    ]


def test_what_waits_too_long_is_a_status_of_its_own(tmp_path: Path) -> None:
    fill(tmp_path)
    done = kefu(tmp_path, "audit", "--late", "60", "--no-files")
    assert (done.returncode, done.stderr) == (3, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("late: 8 messages for nobody yet, in the queue (2 conv")
    assert lines[1].startswith("late: 4 messages for li (1 conversations, the oldest ")
    assert lines[2:] == [
        "12 messages have waited longer than 60 s",
        "3 conversations, 13 messages: sound",
    ]
