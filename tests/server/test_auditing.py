"""`kefu audit` as an operator uses it."""

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
