"""`kefu audit` as an operator uses it."""

import json
import sqlite3
import time
from pathlib import Path

import anyio

from kefu_core.model import Agent, Arrival, Cursor, MessageKind, Person, Role, Site
from kefu_core.node import unix_ms
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import draft
from kefu_core.types import ParticipantId, Seq, UnixMs
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
        "late_days": 1.0,
        "late_deliveries": [],
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
        "0 messages came after more than 60 s, 0 of them while connected (1 days)",
        "3 conversations, 13 messages: sound",
    ]


async def _deliver_late(url: str, heard_at: UnixMs) -> int:
    """Have li, who was there for 71 s, get a message that is 95 s old."""
    sent_at, li = heard_at - 95_000, ParticipantId("a7")
    async with SqlStore(url, now=time.monotonic, now_ms=lambda: sent_at) as store:
        await store.put_site(Site(id=1, name="茶馆", embed_key="tea"))
        await store.put_agent(Agent(id=7, login="li", name="安娜", password_hash="x"))
        visitor = Person(id=ParticipantId("v1"), name="", role=Role.VISITOR)
        row = (await store.open_conversation(1, visitor)).id
        taken = {"kind": MessageKind.ASSIGNMENT, "data": {"assignee": li}}
        await store.append(draft(row, 1, sender=li, **taken))
        await store.append(draft(row, 2))
        arrival = Arrival(
            conversation=row,
            participant=li,
            heard_at=heard_at,
            here_since=UnixMs(heard_at - 71_000),
        )
        cursor = Cursor(conversation=row, participant=li, delivered=Seq(2))
        await store.advance_cursors([cursor], [arrival])
    return row


def test_what_came_late_is_told_for_as_many_days_as_are_asked_for(
    tmp_path: Path,
) -> None:
    (tmp_path / "data").mkdir()
    url = f"sqlite+aiosqlite:///{tmp_path}/data/kefu.db"
    row = anyio.run(_deliver_late, url, UnixMs(unix_ms() - 2 * 86_400_000))
    asked = ("audit", "--no-files", "--late")
    done = kefu(tmp_path, *asked, "60", "--days", "3")
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout == (
        "delivered late: 1 messages for li (1 conversations, the longest 95 s; "
        f"1 of them while connected, the longest 71 s): {row}\n"
        "0 messages have waited longer than 60 s\n"
        "1 messages came after more than 60 s, 1 of them while connected (3 days)\n"
        "1 conversations, 2 messages: sound\n"
    )
    done = kefu(tmp_path, *asked, "80", "--days", "3")
    assert done.returncode == 3
    assert "none of them while connected" in done.stdout
    for rest in (("60",), ("95", "--days", "3")):
        assert kefu(tmp_path, *asked, *rest).returncode == 0
    refused = kefu(tmp_path, *asked, "60", "--days", "0")
    assert refused.returncode == 1
    assert "--days takes days" in refused.stderr
