"""`kefu backup` and `kefu restore` as an operator uses them."""

import contextlib
import hashlib
import random
import shutil
import sqlite3
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from kefu_core.client import Client
from kefu_core.errors import KefuError
from kefu_core.protocol.events import HistoryReplaced
from kefu_core.protocol.frames import MessageFrame
from tests.faults.people import Server
from tests.server.process import kefu
from tests.server.test_exporting import fill

AT_ONCE = 20
FILE = b"%PDF-1.4 invoice" * 20_000


def rows_of(folder: Path, query: str, *values: Any) -> list[Any]:
    with contextlib.closing(sqlite3.connect(folder / "data" / "kefu.db")) as database:
        return database.execute(query, values).fetchall()


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small backup, with a file in it."""
    folder = tmp_path_factory.mktemp("backed")
    ids = fill(folder)
    kept = folder / "data" / "files" / "ab" / "cd"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(FILE)
    digest = hashlib.sha256(FILE).hexdigest()
    with sqlite3.connect(folder / "data" / "kefu.db") as database:
        for number, key in ((1, "ab/cd"), (2, "no/where")):
            database.execute(
                "INSERT INTO attachment VALUES (?, 1, ?, 'v1', ?, 'a.pdf', "
                "'application/pdf', ?, 0, 0, ?, ?, '', 'linked', 0)",
                (number, ids[0], f"k{number}", len(FILE), digest, key),
            )
    database.close()
    done = kefu(folder, "backup", "all.tar")
    assert done.returncode == 3
    assert done.stderr == "kefu: file no/where was not there\n"
    assert done.stdout.startswith(
        "Wrote 3 conversations with 13 messages and 1 files to all.tar.\n"
    )
    assert stat.S_IMODE((folder / "all.tar").stat().st_mode) == 0o600
    return folder / "all.tar"


def test_a_backup_comes_back_whole(backup: Path, tmp_path: Path) -> None:
    checked = kefu(tmp_path, "restore", "--check", str(backup))
    assert (checked.returncode, list(tmp_path.iterdir())) == (0, [])
    done = kefu(tmp_path, "restore", str(backup))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "Restored 3 conversations with 13 messages and 1 files, as they were at "
    )
    assert "every visitor becomes a new one" in done.stdout
    audit = kefu(tmp_path, "audit", "--read-files")
    assert audit.stdout == "3 conversations, 13 messages, 1 files: sound\n"
    assert (tmp_path / "data" / "files" / "ab" / "cd").read_bytes() == FILE
    # What was not there is given up, so that it is cleared away like any other.
    assert rows_of(tmp_path, "SELECT id, status FROM attachment ORDER BY id") == [
        (1, "linked"),
        (2, "dropped"),
    ]
    again = kefu(tmp_path, "restore", str(backup))
    assert (again.returncode, "--replace" in again.stderr) == (1, True)
    before = rows_of(tmp_path, "SELECT epoch FROM installation")
    replaced = kefu(tmp_path, "restore", "--replace", str(backup))
    assert (replaced.returncode, replaced.stderr) == (0, "")
    assert "What was there before is now" in replaced.stdout
    assert rows_of(tmp_path, "SELECT epoch FROM installation") != before
    assert len(list((tmp_path / "data").glob("*.before-*"))) >= 2


def test_a_backup_comes_back_where_only_the_database_is_there(
    backup: Path, tmp_path: Path
) -> None:
    # In this process: a command costs a second.
    from kefu_server.backups.restoring import restore_backup
    from kefu_server.settings import Secret, Settings

    settings = Settings(
        data_dir=str(tmp_path / "new" / "data"),
        database_url=Secret(f"sqlite+aiosqlite:///{tmp_path / 'kefu.db'}"),
    )
    report = anyio.run(lambda: restore_backup(settings, backup, replaces=False))
    assert report.files == 1
    assert (tmp_path / "new" / "data" / "files" / "ab" / "cd").read_bytes() == FILE


def _damages(content: bytes) -> Iterator[tuple[str, bytes]]:
    rng = random.Random(5)
    for share in (0.2, 0.5, 0.9):
        yield f"cut at {share}", content[: int(len(content) * share)]
    yield "cut at its seal", content[: content.index(b"manifest.sha256") - 1]
    yield "empty", b""
    yield "something else", b"hello" * 1_000
    for place in ("rows/", "files/ab/cd", "manifest.json"):
        at = content.index(place.encode())
        for offset in (0, 148, 600):
            changed = bytearray(content)
            changed[at + offset] ^= 1 << rng.randrange(7)
            yield f"a bit of {place} + {offset}", bytes(changed)


def test_a_damaged_backup_is_refused_in_one_sentence_and_changes_nothing(
    backup: Path, tmp_path: Path
) -> None:
    content = backup.read_bytes()
    damaged = tmp_path / "damaged.tar"
    # In this process: a command each would take a minute.
    from kefu_server.backups.restoring import restore_backup
    from kefu_server.settings import Settings

    settings = Settings(data_dir=str(tmp_path / "data"))
    for name, bytes_ in _damages(content):
        damaged.write_bytes(bytes_)
        with pytest.raises(KefuError) as refused:
            anyio.run(lambda: restore_backup(settings, damaged, replaces=False))
        text = str(refused.value)
        assert text.startswith(str(damaged)), (name, text)
        assert text.count("\n") == 0, name
        assert not (tmp_path / "data").exists(), name
    done = kefu(tmp_path, "restore", "damaged.tar")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_secrets_are_in_it_only_when_asked(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "data" / "secret").write_text("s" * 40)
    (tmp_path / "data" / "secret").chmod(0o600)
    more = {"KEFU_MAIL_HOST": "mail.example", "KEFU_MAIL_PASSWORD": "hunter22"}
    more |= {"KEFU_MAIL_SENDER": "a@shop.example"}
    texts = {}
    for name, options in (("plain", []), ("secret", ["--with-secrets"])):
        path = tmp_path / f"{name}.tar"
        done = kefu(tmp_path, "backup", path.name, *options, **more)
        assert done.returncode == 0, done.stderr
        with tarfile.open(path) as tar:
            read = [(m.name, tar.extractfile(m)) for m in tar]
            texts = {n: source.read() for n, source in read if source is not None}
        is_in = any(b"hunter22" in text or b"s" * 40 in text for text in texts.values())
        assert is_in is (name == "secret")
        assert b'host = "mail.example"' in texts["settings.toml"]
    shutil.rmtree(tmp_path / "data")
    done = kefu(tmp_path, "restore", "secret.tar")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "data" / "secret").read_text().strip() == "s" * 40
    assert "becomes a new one" not in done.stdout


@pytest.mark.timeout(150)
def test_a_backup_under_load_has_all_that_was_acknowledged_before(
    tmp_path: Path,
) -> None:
    with Server(tmp_path) as server:
        anyio.run(_load_and_lose, server, tmp_path)


async def _load_and_lose(server: Server, folder: Path) -> None:
    acknowledged: dict[str, int] = {}
    token = server.visitor()
    replaced = anyio.Event()
    shown: list[int] = []

    async with Client(f"{server.url}", token=token, transport="websocket") as client:
        conversation = await client.open_conversation()

        async def send(key: str) -> None:
            sent = await client.send(conversation, f"body of {key}", key=key)
            acknowledged[key] = sent.seq

        async def write() -> None:
            for start in range(0, 100_000, AT_ONCE):
                async with anyio.create_task_group() as batch:
                    for number in range(start, start + AT_ONCE):
                        batch.start_soon(send, f"key-{number}")

        async def listen() -> None:
            async for event in client.events():
                if isinstance(event, HistoryReplaced):
                    replaced.set()
                    shown.clear()
                elif isinstance(event, MessageFrame):
                    shown.append(event.seq)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            async with anyio.create_task_group() as writing:
                writing.start_soon(write)
                async with httpx.AsyncClient(base_url=server.url) as http:
                    put = await http.put(
                        f"/api/conversations/{conversation}/files/f1",
                        params={"name": "invoice.pdf"},
                        content=FILE,
                        headers={
                            "authorization": f"Bearer {token}",
                            "content-type": "application/octet-stream",
                        },
                    )
                assert put.status_code == 200, put.text
                await anyio.sleep(0.3)
                before = dict(acknowledged)
                done = await anyio.to_thread.run_sync(
                    lambda: kefu(folder, "backup", "all.tar", "--with-secrets")
                )
                assert done.returncode == 0, done.stderr
                await anyio.sleep(0.2)
                writing.cancel_scope.cancel()
            assert len(acknowledged) > len(before) > 0
            server.kill()
            shutil.rmtree(folder / "data")
            done = await anyio.to_thread.run_sync(
                lambda: kefu(folder, "restore", "all.tar")
            )
            assert (done.returncode, done.stderr) == (0, "")
            rows = rows_of(
                folder, "SELECT seq, key, body FROM message WHERE kind = 'text'"
            )
            kept = {row[1]: row[0] for row in rows}
            assert before.items() <= kept.items()
            # What was acknowledged later is gone or the same; none is another.
            assert {k: s for k, s in acknowledged.items() if k in kept}.items() <= (
                kept.items()
            )
            assert all(row[2] == f"body of {row[1]}" for row in rows)
            seqs = rows_of(folder, "SELECT seq FROM message ORDER BY seq")
            head = len(seqs)
            assert [seq for (seq,) in seqs] == list(range(1, head + 1))
            audit = await anyio.to_thread.run_sync(
                lambda: kefu(folder, "audit", "--read-files")
            )
            assert audit.stdout.endswith(" 1 files: sound\n"), audit.stdout
            await anyio.to_thread.run_sync(server.start_again)
            with anyio.fail_after(20):
                await replaced.wait()
                after = await client.send(conversation, "and on", key="after")
            assert after.seq > head
            tasks.cancel_scope.cancel()
