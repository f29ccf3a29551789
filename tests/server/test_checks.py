"""Each check says what it found, and how to mend it."""

import asyncio
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from sqlalchemy.engine import make_url

from benchmarks.databases import PrivateServer
from kefu_core.node import unix_ms
from kefu_core.store import schema
from kefu_server.checks import Check, Verdict
from kefu_server.checks.certificates import check_certificate
from kefu_server.checks.databases import check_database
from kefu_server.checks.folders import check_files, check_folder
from kefu_server.checks.mail import check_mail
from kefu_server.checks.ports import check_port
from kefu_server.checks.users import check_user
from kefu_server.sections import FileSettings, MailSettings, Secret
from kefu_server.settings import Settings
from kefu_server.setup.trial import examine_services
from kefu_server.words import _read, languages, load_words
from tests.buckets import ACCESS_KEY, SECRET_KEY, Bucket, bucket, bucket_service

__all__ = ["bucket", "bucket_service"]


def test_every_finding_has_a_title_and_sentences() -> None:
    keys = [key.split(".") for key in _read("en") if key.startswith("check.")]
    subjects = {parts[1] for parts in keys if parts[1] != "verdict"}
    titled = {parts[1] for parts in keys if parts[2:] == ["title"]}
    assert subjects == titled
    findings = {tuple(parts[1:3]) for parts in keys if len(parts) == 4}
    assert findings == {tuple(p[1:3]) for p in keys if p[3:] == ["says"]}
    assert {parts[2] for parts in keys if parts[1] == "verdict"} == set(Verdict)


@pytest.mark.parametrize("language", languages())
def test_a_port_in_use_is_a_problem_with_a_way_out(language: str) -> None:
    words = load_words(language)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        bind = f"127.0.0.1:{holder.getsockname()[1]}"
        found = check_port(bind)
    assert (found.finding, found.is_problem) == ("taken", True)
    assert bind in found.says(words)
    assert "ss -ltnp" in found.mend(words)
    assert check_port(bind) == Check(
        subject="port", finding="free", verdict=Verdict.OK, facts={"bind": bind}
    )
    assert check_port(bind).mend(words) == ""


def test_an_address_of_another_machine_is_a_problem() -> None:
    assert check_port("203.0.113.9:8080").finding == "elsewhere"


def _look(url: str, *, tries_rights: bool = True) -> Check:
    async def run() -> Check:
        return (await check_database(url, tries_rights=tries_rights))[0]

    return anyio.run(run)


def test_a_database_file_to_be_is_looked_at_and_not_made(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/new/kefu.db"
    assert _look(url).finding == "new"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "kefu.db").write_text("hello " * 500)
    found = _look(f"sqlite+aiosqlite:///{tmp_path}/kefu.db")
    assert (found.finding, found.is_problem) == ("foreign", True)


@pytest.mark.parametrize("database_url", ["mysql", "postgres"], indirect=True)
def test_a_database_is_empty_and_then_current(database_url: str) -> None:
    anyio.run(schema.upgrade, database_url)
    found = _look(database_url)
    assert (found.finding, found.verdict) == ("current", Verdict.OK)
    wrong = _look(database_url.rpartition("/")[0] + "/nowhere")
    assert wrong.finding == "missing"
    assert "CREATE DATABASE nowhere" in wrong.mend(load_words("en"))


def test_rights_are_tried_and_what_was_made_is_gone(
    mysql_server: PrivateServer,
) -> None:
    name = "rights_probe"
    mysql_server.create(name)
    grants = "CREATE, SELECT, INSERT, UPDATE, DELETE, DROP"
    mysql_server.run_sql(
        "CREATE USER 'narrow'@'%' IDENTIFIED BY 'a-narrow-one'; "
        f"GRANT {grants} ON {name}.* TO 'narrow'@'%';",
        name,
    )
    root = make_url(mysql_server.url(name))
    narrow = root.set(username="narrow", password="a-narrow-one")
    found = _look(narrow.render_as_string(hide_password=False))
    assert (found.finding, found.facts["missing"]) == ("rights", "INDEX, ALTER")
    assert "a-narrow-one" not in found.says(load_words("en"))
    wrong = narrow.set(password="another").render_as_string(hide_password=False)
    assert _look(wrong).finding == "login"
    assert mysql_server.run_sql("SHOW TABLES", name).strip() == ""
    mysql_server.run_sql("DROP USER 'narrow'@'%';", name)
    mysql_server.drop(name)


def test_a_server_that_is_not_there_cannot_be_reached() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        found = _look(f"mysql+asyncmy://u:hidden@127.0.0.1:{port}/kefu")
    assert found.finding == "unreachable"
    assert "hidden" not in str(found)


def _certificate(folder: Path, name: str, days: int = 90) -> tuple[str, str]:
    paths = (str(folder / "cert.pem"), str(folder / "key.pem"))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-batch"]
    command += ["-days", str(days), "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName=DNS:{name}"]
    command += ["-out", paths[0], "-keyout", paths[1]]
    subprocess.run(command, check=True, capture_output=True)
    return paths


def test_a_certificate_is_judged_as_browsers_do(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    paths = _certificate(tmp_path, "chat.example")
    found = check_certificate(*paths, "chat.example")
    assert (found.finding, found.facts["days"]) == ("valid", "89")
    assert check_certificate(*paths, "other.example").finding == "name"
    soon = check_certificate(
        *paths, "chat.example", now_ms=lambda: unix_ms() + 80 * 86_400_000
    )
    assert (soon.finding, soon.verdict) == ("soon", Verdict.WARNING)
    assert check_certificate(paths[0], paths[0], "x").finding == "pair"
    assert check_certificate(str(tmp_path / "no"), paths[1], "x").finding == "unread"


def test_a_folder_to_be_is_looked_at_and_not_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert check_folder(tmp_path / "a" / "b").finding in {"writable", "little"}
    assert check_folder(tmp_path / "file" / "b").finding == "other"
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


# -- mail, a bucket, translation -------------------------------------------------------


class Doorkeeper:
    """Takes mail from one sender only."""

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, sender: str, _: Any
    ) -> str:
        if sender != "kefu@shop.example":
            return "553 5.7.1 not your address"
        envelope.mail_from = sender
        return "250 OK"


def _wrong_password(*_: object) -> AuthResult:
    return AuthResult(success=False, handled=False)


def _mailed(sender: str = "kefu@shop.example", login: str = "", **door: Any) -> Check:
    """Try a mail server that keeps its door like this."""

    async def run() -> Check:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(Doorkeeper(), loop=loop, auth_require_tls=False, **door),
            "127.0.0.1",
        )
        async with server:
            mail = MailSettings(
                host="127.0.0.1",
                port=server.sockets[0].getsockname()[1],
                tls="none",
                login=login,
                password=Secret("canary-password"),
                sender=sender,
            )
            return await check_mail(Settings(mail=mail))

    return anyio.run(run)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_mail_server_is_asked_as_far_as_the_sender() -> None:
    taken = _mailed()
    assert (taken.finding, taken.verdict) == ("accepted", Verdict.OK)
    refused = _mailed("other@shop.example")
    assert (refused.finding, refused.is_problem) == ("refused", True)
    assert "553 5.7.1 not your address" in refused.says(load_words("en"))
    for login in ("", "kefu"):
        closed = _mailed(login=login, auth_required=True, authenticator=_wrong_password)
        assert (closed.finding, closed.is_problem) == ("login", True)
        assert "授权码" in closed.mend(load_words("zh-CN"))
        assert "canary-password" not in str(closed)


def test_no_mail_server_and_one_that_is_not_there_are_told_apart() -> None:
    def look(mail: MailSettings) -> Check:
        return anyio.run(check_mail, Settings(mail=mail))

    assert look(MailSettings()).finding == "none"
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        away = look(MailSettings(host="127.0.0.1", port=port, sender="a@b.example"))
    assert (away.finding, away.facts["tls"]) == ("unreachable", "starttls")


def test_a_bucket_is_written_read_and_left_as_it_was(bucket: Bucket) -> None:
    def look(name: str) -> Check:
        files = FileSettings(
            bucket=name,
            endpoint=bucket.service.url,
            access_key=ACCESS_KEY,
            secret_key=Secret(SECRET_KEY),
        )
        return anyio.run(check_files, Settings(files=files))

    assert look(bucket.name).finding == "bucket"
    assert bucket.keys() == []
    missing = look("nowhere")
    assert (missing.finding, missing.is_problem) == ("refused", True)
    assert SECRET_KEY not in str(missing)


@contextmanager
def _translating(key: str) -> Iterator[str]:
    """Serve what LibreTranslate answers to who has the key; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            is_known = asked.get("api_key") == key
            said = {"translatedText": ["早上好"]} if is_known else {"error": "no"}
            self.send_response(200 if is_known else 403)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

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


def test_a_translation_key_is_tried_with_two_words() -> None:
    with _translating("right-key") as url:
        for key, finding in (("right-key", "works"), ("wrong-key", "failed")):
            services = {"libretranslate": {"url": url, "key": key}}
            (found,) = anyio.run(examine_services, services)
            assert found.finding == finding
            assert key not in str(found)
            says = found.says(load_words("zh-CN"))
            assert ("早上好" in says) is (finding == "works")


def test_who_may_run_the_server_is_looked_up() -> None:
    assert check_user("root").finding == "known"
    assert check_user("no-such-user").is_problem
