"""`kefu init`: everything or nothing, by flags and by questions."""

import io
import os
import pty
import re
import select
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kefu_server import accounts
from kefu_server.cli import main
from kefu_server.settings import load_settings
from tests.server.process import PASSWORD, environment

FIRST = ("--site", "茶馆", "--origin", "https://shop.example", "--admin", "ana")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("KEFU_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)


def _init(folder: Path, *flags: str, text: str = PASSWORD + "\n") -> int:
    before, sys.stdin = sys.stdin, io.StringIO(text)
    try:
        return main(
            [
                *("--config", str(folder / "kefu.toml"), "init", "--non-interactive"),
                *("--data-dir", str(folder / "data"), "--bind", "127.0.0.1:0"),
                *("--ignore", "user", *flags),
            ]
        )
    finally:
        sys.stdin = before


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_one_command_makes_all_that_a_server_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unit, site = tmp_path / "kefu.service", tmp_path / "nginx.conf"
    done = _init(
        tmp_path,
        *FIRST,
        *("--public-url", "https://chat.example:8443", "--set", "mail.port=465"),
        *("--systemd", str(unit), "--nginx", str(site)),
    )
    said = capsys.readouterr()
    assert (done, said.err) == (0, "")
    settings = load_settings(tmp_path / "kefu.toml", environ={})
    assert settings.public_url == "https://chat.example:8443"
    assert settings.trusted_proxies == ("127.0.0.1",)
    assert settings.mail.port == 465
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "kefu.toml").stat().st_mode & stat.S_IRWXO
    (admin,) = accounts.list_agents(settings)
    assert (admin.login, admin.role) == ("ana", "admin")
    (made,) = accounts.list_sites(settings)
    assert (made.name, made.allowed_origins) == ("茶馆", ("https://shop.example",))
    assert f'data-site="{made.embed_key}"' in said.out
    assert f"ReadWritePaths={tmp_path / 'data'}\n" in unit.read_text()
    assert f"KEFU_CONFIG={tmp_path / 'kefu.toml'}\n" in unit.read_text()
    assert "server_name chat.example;" in site.read_text()
    assert "listen 8443 ssl" in site.read_text()
    assert PASSWORD not in said.out


def test_what_was_there_is_kept_and_its_values_go_on(tmp_path: Path) -> None:
    config = tmp_path / "kefu.toml"
    config.write_text('log_level = "debug"\n[limits]\nstop_s = 7.0\n')
    assert _init(tmp_path) == 0
    settings = load_settings(config, environ={})
    assert (settings.log_level, settings.limits.stop_s) == ("debug", 7.0)
    (backup,) = tmp_path.glob("kefu.toml.*.bak")
    assert backup.read_text().startswith('log_level = "debug"\n[limits]')
    assert _init(tmp_path) == 0, "the same again changes nothing"
    assert len(list(tmp_path.glob("*.bak"))) == 1


def test_a_problem_stops_it_in_one_sentence_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        bind = f"127.0.0.1:{holder.getsockname()[1]}"
        done = _init(tmp_path, *FIRST, "--bind", bind)
    said = capsys.readouterr().err
    assert done == 1
    assert said.startswith("kefu: Nothing was written. Another program listens on ")
    assert (bind in said, said.count("\n")) == (True, 1)
    assert _names(tmp_path) == set()


@pytest.mark.parametrize(
    ("flags", "text", "part"),
    [
        (FIRST, "short\n", "5 characters"),
        (("--admin", "a b"), PASSWORD, "'a b'"),
        (("--set", "mail.hots=x"), "", "'mail.hots' names no setting"),
        (("--bind", "0.0.0.0:0"), "", "public_url must be set"),
        (("--nginx",), "", "add --public-url"),
        (("--systemd", "/proc/kefu.service"), "", "/proc"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing_behind(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    text: str,
    part: str,
) -> None:
    assert _init(tmp_path, *flags, text=text) in {1, 2}
    said = capsys.readouterr().err
    assert said.startswith("kefu: ")
    assert (part in said, said.count("\n")) == (True, 1)
    assert _names(tmp_path) == set()


def test_secrets_stand_apart_when_that_is_wanted_and_on_no_screen(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KEFU_MAIL_PASSWORD", "ca'na\"ry $x")
    apart = tmp_path / "kefu.env"
    flags = ("--environment-file", str(apart), "--language", "zh-CN")
    assert _init(tmp_path, *flags, "--dry-run") == 0
    assert _names(tmp_path) == set()
    shown = capsys.readouterr().out
    assert ("将写入" in shown, "ca'na" in shown, "***" in shown) == (True, False, True)
    assert _init(tmp_path, *flags) == 0
    assert "ca'na" not in (tmp_path / "kefu.toml").read_text()
    assert apart.stat().st_mode & 0o777 == 0o600
    monkeypatch.delenv("KEFU_MAIL_PASSWORD")
    command = f'. {apart}; printf %s "$KEFU_MAIL_PASSWORD"'
    read = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert read.stdout == "ca'na\"ry $x"


@pytest.mark.parametrize("fresh_database_url", ["mysql"], indirect=True)
def test_it_sets_up_on_a_database_server(
    tmp_path: Path, fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEFU_DATABASE_URL", fresh_database_url)
    assert _init(tmp_path, *FIRST) == 0
    monkeypatch.delenv("KEFU_DATABASE_URL")
    settings = load_settings(tmp_path / "kefu.toml", environ={})
    assert settings.database == fresh_database_url
    assert [each.login for each in accounts.list_agents(settings)] == ["ana"]
    # A second time the login is taken, and the site is not made twice.
    assert _init(tmp_path, *FIRST) == 1
    assert len(accounts.list_sites(settings)) == 1


def test_the_wizard_explains_tries_and_writes(tmp_path: Path) -> None:
    answers = [
        ("settings go", str(tmp_path / "kefu.toml")),
        ("before kefu", "4"),
        ("listen on", "127.0.0.1"),  # refused in a sentence, and asked again
        ("write an address and a port", None),
        ("listen on", "127.0.0.1:0"),
        ("is free", None),
        ("Folder of data", str(tmp_path / "data")),
        ("Which database", "sqlite"),
        ("SQLite will make", None),
        ("bucket?", ""),
        ("mail server", ""),
        ("translation service", ""),
        ("Make a site", ""),
        ("Its name", "Tea"),
        ("Origins", "https://shop.example"),
        ("Language", "en"),
        ("Make an admin", ""),
        ("Login", ""),
        ("Name", "Ana"),
        ("Password", ""),
        ("will be made", None),
        ("unit for systemd", "n"),
        ("Write all of this", ""),
        ("data-site=", None),
    ]
    assert _converse(tmp_path, "en", answers)[0] == 0
    settings = load_settings(tmp_path / "kefu.toml", environ={})
    assert settings.data_dir == str(tmp_path / "data")
    (admin,) = accounts.list_agents(settings)
    assert (admin.login, admin.name) == ("admin", "Ana")


def test_a_chinese_terminal_is_refused_and_asked_again_in_chinese(
    tmp_path: Path,
) -> None:
    config = tmp_path / "kefu.toml"
    config.write_text('log_level = "debug"\n')
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = f"127.0.0.1:{holder.getsockname()[1]}"
        answers = [
            ("设置文件放在哪里", str(config)),
            ("原文件会备份", None),
            ("前面是什么", "9"),
            ("前面是什么", "4"),
            ("监听的地址", "0.0.0.0:80"),
            ("✗", None),
            ("监听的地址", taken),
            ("✗", None),
            ("怎么办", "2"),
            ("✗", None),
            ("怎么办", "1"),
            ("监听的地址", "127.0.0.1:0"),
            ("数据文件夹", str(config / "data")),
            ("✗", None),
            ("怎么办", "1"),
            ("数据文件夹", str(tmp_path / "data")),
            ("哪种数据库", "sqlite"),
            ("存储桶中吗", "也许"),
            ("请回答", ""),
            ("邮件服务器吗", "y"),
            ("邮件服务器，例如", "127.0.0.1"),
            ("如何加密", "3"),
            ("端口", "99999"),
            ("✗", None),
            ("端口", "1"),
            ("账号", ""),
            ("发件地址", "nobody"),
            ("✗", None),
            ("发件地址", "kefu@shop.example"),
            ("✗", None),
            ("怎么办", "3"),
            ("翻译服务吗", ""),
            ("创建站点吗", ""),
            ("站点名称", "茶馆"),
            ("网页的来源", "https://Shop.example/"),
            ("✗", None),
            ("网页的来源", "https://shop.example"),
            ("访客的语言", "1"),
            ("创建管理员吗", ""),
            ("登录名", "a b"),
            ("✗", None),
            ("登录名", "boss"),
            ("名字", "老板"),
            ("密码", "short"),
            ("✗", None),
            ("密码", PASSWORD),
            ("再输入一次", "other"),
            ("两次输入不一致", None),
            ("密码", PASSWORD),
            ("再输入一次", PASSWORD),
            ("systemd", "n"),
            ("全部写入吗", ""),
            ("原内容备份为", None),
        ]
        status, said = _converse(tmp_path, "zh-CN", answers)
    assert status == 0, said
    refusals = [line for line in said.splitlines() if line.startswith("✗")]
    assert len(refusals) >= 10
    chinese = re.compile("[\u4e00-\u9fff]{2}")
    assert [line for line in refusals if not chinese.search(line)] == []
    (backup,) = tmp_path.glob("kefu.toml.*.bak")
    assert backup.read_text() == 'log_level = "debug"\n'
    settings = load_settings(config, environ={})
    assert (settings.log_level, settings.mail.port) == ("debug", 1)
    assert [each.login for each in accounts.list_agents(settings)] == ["boss"]


def test_who_leaves_the_wizard_leaves_nothing_behind(tmp_path: Path) -> None:
    answers = [
        ("settings go", ""),
        ("before kefu", "4"),
        ("listen on", "127.0.0.1:0"),
        ("Folder of data", str(tmp_path / "data")),
        ("Which database", "sqlite"),
        ("bucket?", ""),
        # The whole question: while it is still being printed nobody can answer.
        ("Set a mail server up?", "\x03"),
    ]
    status, said = _converse(tmp_path, "en", answers)
    assert status == 130
    assert said.rstrip().endswith("kefu: Nothing was written.")
    assert _names(tmp_path) == set()


def _converse(
    folder: Path, language: str, answers: list[tuple[str, str | None]]
) -> tuple[int, str]:
    """Answer the wizard's questions on a terminal; return its status and all it said.

    Each answer belongs to what is said first; None: to nothing, it was a remark.
    """
    process, terminal = pty.fork()
    if process == 0:
        # As a terminal begins it, whatever these tests were begun by ignores.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.chdir(folder)
        command = [sys.executable, "-m", "kefu_server", "init", "--language", language]
        more = {"NO_COLOR": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
        os.execve(sys.executable, command, environment(folder) | more)
    heard, at = bytearray(), 0
    for expected, answer in answers:
        wanted = expected.encode()
        while wanted not in heard[at:]:
            assert _hear(terminal, heard), f"never said {expected!r}: {heard.decode()}"
        at = heard.index(wanted, at) + len(wanted)
        if answer is not None:
            end = "" if answer == "\x03" else "\n"
            os.write(terminal, f"{answer}{end}".encode())
    while _hear(terminal, heard):
        pass
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    os.close(terminal)
    return status, heard.decode().replace("\r", "")


def _hear(terminal: int, heard: bytearray) -> bool:
    """Wait for more; False at the end, or when nothing comes for a minute."""
    if not select.select([terminal], [], [], 60)[0]:
        return False
    try:
        heard += os.read(terminal, 65_536)
    except OSError:
        return False
    return True
