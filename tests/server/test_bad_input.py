"""What stops a start: one sentence, no success, and nothing half made."""

import fcntl
import os
import socket
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kefu_server import accounts, database
from kefu_server.cli import main
from kefu_server.settings import Settings

Broken = Callable[[Path], dict[str, str]]
"""Breaks something; returns what the environment says besides."""


def _toml(text: str) -> Broken:
    def broken(folder: Path) -> dict[str, str]:
        (folder / "kefu.toml").write_text(text)
        return {}

    return broken


def _with_tables(statement: str) -> Broken:
    """Make a database of this version, and then change it."""

    def broken(folder: Path) -> dict[str, str]:
        settings = Settings(data_dir=str(folder / "data"))
        database.upgrade(settings)
        assert accounts.list_agents(settings) == []
        path = folder / "data" / "kefu.db"
        with closing(sqlite3.connect(path)) as opened, opened:
            opened.execute(statement)
        return {}

    return broken


def _secret(mode: int, text: str = "x" * 40) -> Broken:
    def broken(folder: Path) -> dict[str, str]:
        path = folder / "signing"
        path.write_text(text)
        path.chmod(mode)
        return {"KEFU_SECRET_FILE": str(path)}

    return broken


def _no_database(folder: Path) -> dict[str, str]:
    (folder / "data").mkdir()
    (folder / "data" / "kefu.db").write_text("hello " * 500)
    return {}


def _no_lock(folder: Path) -> dict[str, str]:
    (folder / "data" / "kefu.db.lock").mkdir(parents=True)
    return {}


_VERSION = "UPDATE alembic_version SET version_num = '{}'"
_EPOCH = "UPDATE installation SET epoch = '{}'"
BAD: dict[str, tuple[Broken, list[str]]] = {
    "a key that is unknown": (_toml("bindd = 'x'"), ["'bindd'", "mean 'bind'?"]),
    "no TOML": (_toml("bind ="), ["kefu.toml", "not valid TOML"]),
    "a type that is wrong": (_toml("log_level = 5"), ["log_level = 5 is not one of"]),
    "a variable that is unknown": (
        lambda folder: {"KEFU_BINDD": "x"},
        ["KEFU_BINDD", "'KEFU_BIND'"],
    ),
    "two secrets": (
        lambda folder: {"KEFU_SECRET": "x" * 40} | _secret(0o600)(folder),
        ["two secrets", "keep one of them"],
    ),
    "half a bucket's key": (
        _toml("[files]\nbucket = 'b'\naccess_key = 'a'"),
        ["files.secret_key = '' is missing"],
    ),
    "half of TLS": (
        _toml("[tcp]\nbind = '127.0.0.1:0'\ncertificate = 'a.pem'"),
        ["tcp.key = '' is missing"],
    ),
    "a secret that is not there": (
        lambda folder: {"KEFU_SECRET_FILE": str(folder / "none")},
        ["none cannot be used", "No such file"],
    ),
    "a secret for all to read": (_secret(0o644), ["run: chmod 600"]),
    "a secret that is short": (_secret(0o600, "short"), ["5 characters"]),
    "a disk where nothing is made": (
        lambda folder: {"KEFU_DATA_DIR": "/sys/kefu"},
        ["data_dir = '/sys/kefu' cannot be made", "KEFU_DATA_DIR"],
    ),
    "a folder where nothing is written": (_no_lock, ["kefu.db.lock cannot be written"]),
    # How a finished upgrade of a killed one looks: tests/core/store/test_migrations.py
    "an upgrade that went half the way": (
        _with_tables(_VERSION.format("0002")),
        ["schema 0002", "run: kefu db upgrade"],
    ),
    "tables of a later kefu": (
        _with_tables(_VERSION.format("9999")),
        ["schema 9999", "newer"],
    ),
    "half a restore": (_with_tables(_EPOCH.format("restoring-1")), ["restore"]),
    "a file that is no database": (_no_database, ["database"]),
}


def _all_of(folder: Path) -> dict[str, int]:
    """Return every file with its size; SQLite may make its own beside the database."""
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob("*")
        if not path.name.endswith(("-wal", "-shm", ".lock"))
        and not stat.S_ISDIR(path.stat().st_mode)
    }


@pytest.fixture
def serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Try to start a server with this environment; return the one thing it says."""
    for name in [name for name in os.environ if name.startswith("KEFU_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def tried(**environ: str) -> str:
        usual = {"KEFU_DATA_DIR": "data", "KEFU_BIND": "127.0.0.1:0"}
        for name, value in (usual | environ).items():
            monkeypatch.setenv(name, value)
        assert main(["serve"]) in {1, 2}
        said = capsys.readouterr().err.splitlines()
        assert [line[:6] for line in said if " WARNING " not in line] == ["kefu: "]
        return said[-1]

    return tried


@pytest.mark.parametrize(("broken", "parts"), BAD.values(), ids=BAD)
def test_it_is_said_in_one_sentence_and_nothing_is_half_made(
    tmp_path: Path, serve: Callable[..., str], broken: Broken, parts: list[str]
) -> None:
    environ = broken(tmp_path)
    before = _all_of(tmp_path)
    said = serve(**environ)
    assert [part for part in parts if part not in said] == []
    assert "x" * 40 not in said
    # The secret is what a later start finds again.
    assert _all_of(tmp_path).keys() - before.keys() <= {"data/secret"}
    assert {name: _all_of(tmp_path)[name] for name in before} == before


@pytest.mark.parametrize("key", ["bind", "tcp.bind"])
def test_a_port_in_use_is_said_with_the_setting_that_names_it(
    serve: Callable[..., str], key: str
) -> None:
    name = "KEFU_" + key.replace(".", "_").upper()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        bind = f"127.0.0.1:{holder.getsockname()[1]}"
        said = serve(**{name: bind})
    assert bind in said
    assert name in said


def test_a_second_server_on_the_same_file_is_refused(
    tmp_path: Path, serve: Callable[..., str]
) -> None:
    (tmp_path / "data").mkdir()
    lock = os.open(tmp_path / "data" / "kefu.db.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert serve().startswith("kefu: Another kefu serves ")
    finally:
        os.close(lock)
