"""The `kefu` command as an operator uses it."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kefu_core.records import SecondFactor
from kefu_core.types import UnixMs
from kefu_server import accounts
from kefu_server.settings import load_settings
from tests.server.process import PASSWORD, environment, kefu


def test_version_and_help_need_no_settings(tmp_path: Path) -> None:
    assert kefu(tmp_path, "--version").stdout.startswith("kefu ")
    done = kefu(tmp_path, "--help")
    assert done.returncode == 0
    for command in ("serve", "demo", "agent", "site", "db"):
        assert command in done.stdout


def test_an_agent_is_added_once_listed_and_given_a_new_password(tmp_path: Path) -> None:
    added = kefu(tmp_path, "agent", "add", "ana", "--name", "安", text=PASSWORD + "\n")
    assert (added.returncode, added.stderr) == (0, "")
    again = kefu(tmp_path, "agent", "add", "ANA", text=PASSWORD + "\n")
    assert again.returncode == 1
    assert "already an agent" in again.stderr
    listed = kefu(tmp_path, "agent", "list").stdout
    assert listed == "ana\tagent\t安\n"
    changed = kefu(tmp_path, "agent", "password", "ana", text="x" + PASSWORD + "\n")
    assert changed.returncode == 0
    missing = kefu(tmp_path, "agent", "password", "bo", text=PASSWORD + "\n")
    assert missing.returncode == 1
    assert "no agent with the login bo" in missing.stderr
    for done in (added, again, changed, missing):
        assert PASSWORD not in done.stdout + done.stderr


def test_a_lost_password_and_a_lost_app_are_made_good_and_written_down(
    tmp_path: Path,
) -> None:
    kefu(tmp_path, "agent", "add", "ana", text=PASSWORD + "\n")
    once = kefu(tmp_path, "agent", "password", "ana", "--once")
    assert once.returncode == 0
    password = once.stdout.strip()
    assert len(password) >= 20
    none = kefu(tmp_path, "agent", "factor", "ana", "--off")
    assert "has no two-factor login" in none.stdout
    settings = load_settings(environ=environment(tmp_path))
    agent = accounts.find_agent(settings, "ana")
    assert agent is not None
    assert agent.is_one_time
    factor = SecondFactor(id=agent.id, nonce="n", confirmed_at=UnixMs(1))
    accounts.in_store(settings, lambda store: store.put_records(factor))
    off = kefu(tmp_path, "agent", "factor", "ana", "--off")
    assert "by the password alone" in off.stdout
    journal = kefu(tmp_path, "journal").stdout
    told = [line.split("\t")[1:5] for line in journal.splitlines()]
    assert told == [
        ["cli", "-", action, f"agent {agent.id} ana"]
        for action in ("agent.add", "agent.password", "factor.off")
    ]
    assert password not in journal
    one = kefu(tmp_path, "journal", "--action", "factor.off", "--limit", "5").stdout
    assert one == journal.splitlines(keepends=True)[-1]


def test_an_account_is_deactivated_listed_as_such_and_activated_again(
    tmp_path: Path,
) -> None:
    kefu(tmp_path, "agent", "add", "ana", text=PASSWORD + "\n")
    gone = kefu(tmp_path, "agent", "deactivate", "ANA")
    assert (gone.returncode, gone.stderr) == (0, "")
    assert gone.stdout == "Deactivated ana; all logins of it have ended.\n"
    listed = kefu(tmp_path, "agent", "list").stdout
    assert listed == "ana\tagent\tana (inactive)\n"
    back = kefu(tmp_path, "agent", "activate", "ana")
    assert (back.returncode, back.stderr) == (0, "")
    assert kefu(tmp_path, "agent", "list").stdout == "ana\tagent\tana\n"


def test_what_an_account_reads_is_said_at_once_or_later_and_taken_back(
    tmp_path: Path,
) -> None:
    add = ("agent", "add", "ana", "--language")
    bad = kefu(tmp_path, *add, "Portuguese", text=PASSWORD + "\n")
    assert (bad.returncode, "such as pt-BR" in bad.stderr) == (1, True)
    assert kefu(tmp_path, *add, "pt_br", text=PASSWORD + "\n").returncode == 0
    assert kefu(tmp_path, "agent", "list").stdout == "ana\tagent\tana\tpt-BR\n"
    shown = kefu(tmp_path, "agent", "language", "ana")
    assert shown.stdout == "ana reads and writes pt-BR.\n"
    changed = kefu(tmp_path, "agent", "language", "ana", "en")
    assert changed.stdout == "ana reads and writes en.\n"
    assert kefu(tmp_path, "agent", "language", "ana", "English").returncode == 1
    none = kefu(tmp_path, "agent", "language", "ana", "")
    assert none.stdout == "ana reads and writes what its sites say.\n"
    assert kefu(tmp_path, "agent", "list").stdout == "ana\tagent\tana\n"
    journal = kefu(tmp_path, "journal", "--action", "agent.put").stdout
    assert journal.count('{"changed":["language"]}') == 2


@pytest.mark.parametrize("command", ["activate", "deactivate", "language"])
def test_an_unknown_login_is_one_sentence_that_says_where_to_look(
    tmp_path: Path, command: str
) -> None:
    missing = kefu(tmp_path, "agent", command, "bo")
    assert missing.returncode == 1
    assert missing.stderr == (
        "kefu: There is no agent with the login bo; see: kefu agent list\n"
    )


@pytest.mark.parametrize(
    ("arguments", "text", "part"),
    [
        (["agent", "add", "ana"], "short\n", "5 characters"),
        (["agent", "add", "ana"], "aaaaaaaaaaaaaaaaaaaa\n", "repeats"),
        (["agent", "add", "ana"], "ana likes long horses\n", "contains the login"),
        (["agent", "add", "a b"], PASSWORD + "\n", "'a b'"),
        (["site", "add", "x", "--origin", "https://S.example/"], "", "lower case"),
        (["site", "add", "\x1b[31m", "--origin", "https://s.example"], "", "printable"),
    ],
)
def test_what_will_not_do_is_refused_with_one_sentence(
    tmp_path: Path, arguments: list[str], text: str, part: str
) -> None:
    done = kefu(tmp_path, *arguments, text=text)
    assert done.returncode == 1
    assert done.stderr.startswith("kefu: ")
    assert part in done.stderr
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr


def test_a_site_is_added_with_the_line_to_embed(tmp_path: Path) -> None:
    done = kefu(
        tmp_path,
        *("site", "add", "Tea", "--origin", "https://a.example"),
        *("--origin", "https://b.example", "--locale", "en"),
    )
    line = done.stdout.splitlines()[-1]
    key = line.split('data-site="')[1].split('"')[0]
    assert line.startswith('<script async src="http://127.0.0.1')
    assert kefu(tmp_path, "site", "list").stdout == (
        f"{key}\tTea\ten\thttps://a.example https://b.example\n"
    )


def test_a_wrong_setting_stops_every_command_with_status_2(tmp_path: Path) -> None:
    done = kefu(tmp_path, "agent", "list", KEFU_LOG_LEVEL="loud")
    assert done.returncode == 2
    assert done.stderr.startswith("kefu: log_level = 'loud'")


def test_the_database_commands_say_where_it_stands(tmp_path: Path) -> None:
    before = kefu(tmp_path, "db", "current")
    assert before.returncode == 1
    assert "kefu db upgrade" in before.stdout
    assert kefu(tmp_path, "db", "upgrade").returncode == 0
    assert kefu(tmp_path, "db", "current").returncode == 0
    check = kefu(tmp_path, "db", "check")
    assert (check.returncode, check.stderr) == (0, "")


def test_a_database_that_cannot_be_reached_is_one_sentence_without_the_password(
    tmp_path: Path,
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/none/kefu.db?password=canary"
    done = kefu(tmp_path, "agent", "list", KEFU_DATABASE_URL=url)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("kefu: ")
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr


def test_the_data_is_the_owners_alone(tmp_path: Path) -> None:
    kefu(tmp_path, "agent", "add", "ana", text=PASSWORD + "\n")
    mode = stat.S_IMODE((tmp_path / "data").stat().st_mode)
    assert mode & 0o077 == 0


def test_a_token_is_created_listed_without_its_secret_and_revoked(
    tmp_path: Path,
) -> None:
    kefu(tmp_path, "agent", "add", "ana", text=PASSWORD + "\n")
    asked = ("token", "create", "robot", "--agent", "ana", "--scope")
    wrong = kefu(tmp_path, *asked, "everything")
    assert wrong.returncode == 1
    assert "there are: bans:read, " in wrong.stderr
    made = kefu(tmp_path, *asked, "conversations:read", "--days", "30")
    assert (made.returncode, made.stderr) == (0, "")
    secret = made.stdout.strip()
    assert secret.startswith("kefu_")
    listed = kefu(tmp_path, "token", "list").stdout
    assert "robot\tana\tconversations:read\tnever used\tends 2" in listed
    assert secret not in listed
    revoked = kefu(tmp_path, "token", "revoke", listed.partition("\t")[0])
    assert revoked.returncode == 0
    assert kefu(tmp_path, "token", "list").stdout == ""
    again = kefu(tmp_path, "token", "revoke", "5")
    assert again.stderr == "kefu: There is no token 5; see: kefu token list\n"


def test_a_reader_that_has_enough_is_no_fault(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "kefu_server", "audit"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(tmp_path),
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "")
