"""`kefu doctor` finds what is broken, and names the way out."""

import fcntl
import json
import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from kefu_core.limits import Limits
from kefu_core.model import Agent, Role, Site
from kefu_core.node import unix_ms
from kefu_core.records import DeliveryStatus, Mail, Webhook
from kefu_core.store.sql import SqlStore
from kefu_core.testing.stores import draft
from kefu_core.types import ParticipantId, UnixMs
from kefu_server.checks import Check, databases
from kefu_server.checks.everything import Options, check_settings, examine
from kefu_server.checks.machine import (
    Descriptors,
    Room,
    check_clock,
    check_descriptors,
    check_disk,
)
from kefu_server.checks.proxies import check_certificate, check_public, judge_seen
from kefu_server.routes.health import Seen
from kefu_server.settings import (
    Settings,
    TranslationSettings,
    load_secret,
)
from kefu_server.words import languages, load_words
from tests.core.upkeep.world import guest
from tests.faults.nginx import Nginx, needs_nginx
from tests.faults.people import Server
from tests.server.process import kefu

GIB = 1 << 30
ADMIN = Agent(id=7, login="li", name="Li", password_hash="x", role=Role.ADMIN)
SHOP = Site(id=1, name="Shop", embed_key="tea")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def make(folder: Path, *, ahead_ms: int = 0, **records: Any) -> Settings:
    """Make an installation in which all is well but that no server runs."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    settings = Settings(data_dir=str(data), bind=f"127.0.0.1:{free_port()}")
    load_secret(settings)

    async def run() -> None:
        now_ms = lambda: unix_ms() + ahead_ms  # noqa: E731
        url = settings.database
        async with SqlStore(url, now=time.monotonic, now_ms=now_ms) as store:
            await store.put_site(SHOP)
            await store.put_agent(ADMIN)
            row = await store.open_conversation(SHOP.id, guest(1))
            await store.append(draft(row.id, sender=ParticipantId("v1")))
            await store.put_records(*records.get("kept", ()))

    anyio.run(run)
    return settings


def found(settings: Settings, *, is_offline: bool = True) -> dict[str, Check]:
    """Return all that is not well, by `subject.finding`; each has a way out."""
    told: list[Check] = []
    options = Options(is_offline=is_offline)
    checks = anyio.run(examine, settings, options, told.append)
    assert checks == told
    for language in languages():
        words = load_words(language)
        for check in checks:
            assert check.title(words)
            assert check.says(words)
            assert bool(check.mend(words)) is (check.verdict != "ok")
    return {f"{c.subject}.{c.finding}": c for c in checks if c.verdict != "ok"}


USUAL = {"server.stopped", "clock.alone", "descriptors.low", "disk.low"}
"""What this machine or the lack of a server may add."""


def sql(settings: Settings, statement: str) -> None:
    path = Path(settings.data_dir) / "kefu.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)


def secret_file(settings: Settings) -> Path:
    return Path(settings.data_dir) / "secret"


def test_a_sound_installation_has_nothing_wrong(tmp_path: Path) -> None:
    assert set(found(make(tmp_path))) <= USUAL


Break = Callable[[Settings], object]
BROKEN: list[tuple[str, Break]] = [
    ("data.open", lambda s: Path(s.data_dir).chmod(0o755)),
    ("secret.readable", lambda s: secret_file(s).chmod(0o644)),
    ("secret.short", lambda s: secret_file(s).write_text("short")),
    ("secret.lost", lambda s: secret_file(s).unlink()),
    ("installation.agents", lambda s: sql(s, "UPDATE agent SET is_active = 0")),
    ("installation.admins", lambda s: sql(s, "UPDATE agent SET role = 'agent'")),
    ("installation.unopened", lambda s: sql(s, _EPOCH.format("restoring-1"))),
    ("installation.unopened", lambda s: sql(s, _EPOCH.format("copying-1"))),
    ("database.older", lambda s: sql(s, _VERSION.format("0001"))),
    ("database.newer", lambda s: sql(s, _VERSION.format("9999"))),
    ("database.foreign", lambda s: _write(s, b"hello" * 1_000)),
    ("database.damaged", lambda s: _spoil(s)),
]
_EPOCH = "UPDATE installation SET epoch = '{}'"
_VERSION = "UPDATE alembic_version SET version_num = '{}'"


def _write(settings: Settings, content: bytes) -> None:
    path = Path(settings.data_dir) / "kefu.db"
    for each in path.parent.glob("kefu.db*"):
        each.unlink()
    path.write_bytes(content)


def _spoil(settings: Settings) -> None:
    path = Path(settings.data_dir) / "kefu.db"
    content = bytearray(path.read_bytes())
    content[100:1_000] = b"\xff" * 900
    _write(settings, bytes(content))


@pytest.mark.parametrize(
    ("finding", "spoil"),
    [pytest.param(*each, id=f"{n} {each[0]}") for n, each in enumerate(BROKEN)],
)
def test_each_broken_installation_is_named(
    tmp_path: Path, finding: str, spoil: Break
) -> None:
    settings = make(tmp_path)
    spoil(settings)
    assert finding in found(settings)


def test_an_installation_without_anything_says_what_to_run(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path / "new"), bind=f"127.0.0.1:{free_port()}")
    assert {"data.missing"} <= set(found(settings)) <= USUAL | {"data.missing"}
    assert not (tmp_path / "new").exists()
    (tmp_path / "new").write_text("a file")
    assert "data.unwritable" in found(settings)


def test_a_database_on_a_network_file_system_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/export {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(databases, "_MOUNTS", mounts)
    settings = Settings(data_dir=str(tmp_path / "new"), bind=f"127.0.0.1:{free_port()}")
    assert "nfs4" in found(settings)["database.url"].facts["why"]


def test_what_has_failed_lately_is_told(tmp_path: Path) -> None:
    mail = Mail(
        id=1,
        recipient="a@b.example",
        status=DeliveryStatus.FAILED,
        created_at=UnixMs(unix_ms()),
        error="550 no such mailbox",
    )
    hook = Webhook(
        id=2, url="https://crm.example/secret-path", secret="s", failing_since=UnixMs(9)
    )
    settings = make(tmp_path, ahead_ms=-3_600_000, kept=[mail, hook])
    told = found(settings)
    assert told["mail.failed"].facts["why"] == "550 no such mailbox"
    assert told["webhook.failing"].facts == {"url": "crm.example"}
    assert told["queue.waiting"].facts == {"messages": "1"}


def test_a_clock_that_went_back_is_a_problem(tmp_path: Path) -> None:
    assert "clock.behind" in found(make(tmp_path, ahead_ms=3_600_000))
    assert check_clock(5, 1_000, 0).finding == "alone"
    assert check_clock(0, 1_000, 0).finding == "right"


def room(free: int, inodes: int = 10**6) -> Room:
    return Room(
        free_bytes=free, total_bytes=100 * GIB, free_inodes=inodes, inodes=10**7
    )


@pytest.mark.parametrize(
    ("left", "finding"),
    [
        (room(50 * GIB), "room"),
        (room(3 * GIB), "low"),
        (room(GIB // 10), "full"),
        (room(50 * GIB, inodes=10), "inodes"),
    ],
)
def test_a_disk_is_judged_by_room_and_by_names(left: Room, finding: str) -> None:
    assert check_disk(Path("/data"), left).finding == finding


@pytest.mark.parametrize(
    ("limit", "used", "finding"),
    [(65_536, 900, "enough"), (1_024, 30, "low"), (1_024, 900, "used")],
)
def test_open_files_are_judged(limit: int, used: int, finding: str) -> None:
    seen = Descriptors(limit=limit, used=used, pid=1)
    assert check_descriptors(seen, Limits()).finding == finding


def test_settings_that_cannot_be_read_are_a_finding_of_the_command(
    tmp_path: Path,
) -> None:
    (tmp_path / "kefu.toml").write_text("bindd = 'x'\n")
    done = kefu(tmp_path, "doctor", "--json", "--offline", "--language", "en")
    assert (done.returncode, done.stderr) == (1, "")
    [told] = json.loads(done.stdout)["checks"]
    assert (told["subject"], told["finding"]) == ("settings", "refused")
    assert "did you mean 'bind'" in told["says"]
    check, settings = check_settings(tmp_path / "kefu.toml")
    assert (check.is_problem, settings) == (True, None)


def test_the_command_tells_people_in_their_language(tmp_path: Path) -> None:
    make(tmp_path)
    bind = f"127.0.0.1:{free_port()}"
    done = kefu(tmp_path, "doctor", "--offline", KEFU_BIND=bind, LC_ALL="zh_CN.UTF-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"! 服务器: 服务器没有运行；{bind} 可用。\n    请启动" in done.stdout
    assert "0 个问题" in done.stdout


# -- other processes -------------------------------------------------------------------


def test_a_second_server_on_the_same_file_is_named(tmp_path: Path) -> None:
    settings = make(tmp_path)
    lock = os.open(f"{settings.data_dir}/kefu.db.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "server.elsewhere" in found(settings)
    finally:
        os.close(lock)


@contextmanager
def answering(status: int, body: str, **headers: str) -> Iterator[str]:
    """Serve one answer to everything; yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code = 503 if (status, self.path) == (200, "/readyz") else status
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_answers_at_the_port_is_told_apart(tmp_path: Path) -> None:
    settings = make(tmp_path)
    with answering(200, '{"status":"ok"}') as url:
        at = settings.with_bind(url.removeprefix("http://"))
        assert "server.unready" in found(at)
    with answering(404, "hello") as url:
        at = settings.with_bind(url.removeprefix("http://"))
        assert "port.taken" in found(at)


# -- the way in ------------------------------------------------------------------------


def public(url: str, **changes: Any) -> dict[str, Check]:
    settings = Settings(public_url=url, **changes)
    checks = anyio.run(lambda: check_public(settings, b"s" * 40))
    return {f"{check.subject}.{check.finding}": check for check in checks}


@pytest.mark.parametrize(
    ("status", "body", "headers", "finding"),
    [
        (502, "", {}, "public.gateway"),
        (200, "<h1>hello</h1>", {}, "public.foreign"),
        (302, "", {"location": "https://www.shop.example/"}, "public.redirected"),
        (200, '{"status":"ok"}', {}, "proxy.unknown"),
    ],
)
def test_what_answers_at_the_public_url_is_told_apart(
    status: int, body: str, headers: dict[str, str], finding: str
) -> None:
    with answering(status, body, **headers) as url:
        assert finding in public(url)


def test_a_public_url_that_leads_nowhere_is_named() -> None:
    assert "public.unreachable" in public(f"http://127.0.0.1:{free_port()}")
    nowhere = public("https://chat.invalid")
    assert "public.unnamed" in nowhere
    assert public("http://chat.invalid").keys() >= {"public.plain"}


SEEN = Seen(peer="10.0.0.2", address="203.0.113.9", is_forwarded=True)


@pytest.mark.parametrize(
    ("trusted", "changes", "finding"),
    [
        (("10.0.0.0/8",), {}, "trusted"),
        ((), {}, "distrusted"),
        (("10.0.0.2",), {"is_forwarded": False}, "silent"),
        (("0.0.0.0/0",), {}, "everybody"),
        ((), {"is_forwarded": False}, "none"),
        (("10.0.0.2",), {"peer": "::ffff:10.0.0.2"}, "trusted"),
    ],
)
def test_what_a_proxy_does_is_judged_by_what_the_server_saw(
    trusted: tuple[str, ...], changes: dict[str, Any], finding: str
) -> None:
    settings = Settings(public_url="https://chat.example", trusted_proxies=trusted)
    seen = msgspec.structs.replace(SEEN, **changes)
    assert judge_seen(seen, settings).finding == finding


@needs_nginx
@pytest.mark.timeout(60)
def test_through_nginx_the_doctor_sees_what_browsers_meet(tmp_path: Path) -> None:
    with Server(tmp_path, proxies="127.0.0.1") as server:
        secret = load_secret(server.settings)

        def looked(url: str, trusted: tuple[str, ...]) -> set[str]:
            settings = Settings(public_url=url, trusted_proxies=trusted)
            checks = anyio.run(lambda: check_public(settings, secret, poll_wait_s=0.2))
            return {f"{check.subject}.{check.finding}" for check in checks}

        well = {"public.reached", "websocket.open", "longpoll.waits"}
        mine = ("127.0.0.1",)
        with Nginx(tmp_path, server.port) as nginx:
            assert looked(nginx.url, mine) == well | {"proxy.trusted"}
            assert looked(nginx.url, ()) == well | {"proxy.distrusted"}
        with Nginx(tmp_path, server.port, "defaults") as nginx:
            found = looked(nginx.url, mine)
            assert found >= {"websocket.blocked", "proxy.silent"}
        with Nginx(tmp_path, server.port, "no upgrades") as nginx:
            assert "websocket.blocked" in looked(nginx.url, mine)
        # Only the operator is told what the server sees.
        with Nginx(tmp_path / "data", server.port) as nginx:
            settings = Settings(public_url=nginx.url, trusted_proxies=mine)
            checks = anyio.run(lambda: check_public(settings, b"another" * 8))
            assert "unknown" in [check.finding for check in checks]


# -- certificates ----------------------------------------------------------------------


@contextmanager
def speaking_tls(folder: Path, *, days: int, name: str) -> Iterator[tuple[int, Path]]:
    """Serve a certificate that ends in so many days; yields port and certificate."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is missing, so no certificate was looked at")
    key, path = folder / "key.pem", folder / "chain.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    command += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", str(days)]
    command += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    command += ["-keyout", str(key), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(raw, server_side=True).close()
            except OSError:
                raw.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(listener.getsockname()[1]), path
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize(
    ("days", "name", "finding"),
    [(90, "localhost", "valid"), (10, "localhost", "soon"), (90, "shop", "untrusted")],
)
def test_a_certificate_is_looked_at_as_by_a_browser(
    tmp_path: Path, days: int, name: str, finding: str
) -> None:
    with speaking_tls(tmp_path, days=days, name=name) as (port, path):
        context = ssl.create_default_context(cafile=str(path))
        found = check_certificate("localhost", port, context)
        assert found.finding == finding
        assert check_certificate("localhost", port).finding == "untrusted"
    assert check_certificate("localhost", free_port()).finding == "unreachable"


# -- services of others ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mode", "finding"),
    [
        ("[deepl", 0o600, "translation.file"),
        ("[nobody]\nkey = 'x'\n", 0o600, "translation.file"),
        ("", 0o600, "translation.empty"),
        ("[deepl]\nkey = 'abcdefgh:fx'\n", 0o644, "translation.readable"),
    ],
)
def test_the_file_of_translation_keys_is_read(
    tmp_path: Path, text: str, mode: int, finding: str
) -> None:
    path = tmp_path / "translation.toml"
    path.write_text(text)
    path.chmod(mode)
    settings = msgspec.structs.replace(
        make(tmp_path), translation=TranslationSettings(file=str(path))
    )
    assert finding in found(settings)
