"""The examples, run as a reader would run them, against a real server."""

import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.server.process import LOGIN, PASSWORD, ServerProcess, kefu

EXAMPLES = Path(__file__).parents[2] / "examples"
WAIT_S = 20.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path) as process:
        yield process


@pytest.fixture
def site(server: ServerProcess) -> str:
    """The key of a site, as the operator sees it."""
    origin = ("--origin", "https://shop.example")
    line = kefu(server.folder, "site", "add", "Tea", *origin).stdout
    found = re.search(r'data-site="([^"]+)"', line)
    assert found, line
    return found.group(1)


class Example:
    """One example in its own process; killed at the end of the block."""

    def __init__(self, name: str, *arguments: str, token: str = "") -> None:
        self.lines: list[str] = []
        self._unread = b""
        self._token = {"KEFU_BOT_TOKEN": token} if token else {}
        self._command = [sys.executable, str(EXAMPLES / name), *arguments]

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"KEFU_BOT_PASSWORD": PASSWORD} | self._token,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def write(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def prints(self, count: int) -> list[str]:
        """Wait for so many lines of the conversation; return all there are."""
        pipe = self.process.stdout
        assert pipe is not None
        while len(self.lines) < count:
            ready, _, _ = select.select([pipe], [], [], WAIT_S)
            chunk = os.read(pipe.fileno(), 65_536) if ready else b""
            assert chunk, f"only {self.lines}"
            *whole, self._unread = (self._unread + chunk).split(b"\n")
            texts = [line.decode() for line in whole]
            self.lines += [text for text in texts if not text.startswith("(")]
        return self.lines

    def finish(self) -> tuple[str, int]:
        """Close its input and wait for its end; return the errors and the status."""
        _, errors = self.process.communicate(timeout=WAIT_S)
        return errors.decode(), self.process.returncode


def terminal(server: ServerProcess, site: str) -> Example:
    return Example("terminal_client.py", server.url, site)


def bot(server: ServerProcess, login: str = LOGIN) -> Example:
    return Example("echo_bot.py", server.url, login)


def said(lines: list[str]) -> list[tuple[bool, str]]:
    """Return whether it was the visitor, and the text."""
    parts = [line.partition(": ") for line in lines]
    return [(who == "me", text) for who, _, text in parts]


def test_the_bot_answers_what_is_typed_in_a_terminal(
    server: ServerProcess, site: str
) -> None:
    with terminal(server, site) as visitor, bot(server):
        visitor.write("在吗?\n")
        assert said(visitor.prints(2)) == [(True, "在吗?"), (False, "在吗?")]
        visitor.write("one\n")
        visitor.prints(4)
        visitor.write("two\x1b[31m\n")
        expected = [(True, "two [31m"), (False, "two [31m")]
        assert said(visitor.prints(6))[4:] == expected
        assert visitor.finish() == ("", 0)


def test_what_was_written_before_the_bot_came_is_answered_then(
    server: ServerProcess, site: str
) -> None:
    with terminal(server, site) as visitor:
        visitor.write("one\ntwo\n")
        visitor.prints(2)
        with bot(server):
            answered = said(visitor.prints(4))
        assert answered[2:] == [(False, "one"), (False, "two")]


def test_a_bot_that_is_killed_and_comes_back_doubles_nothing(
    server: ServerProcess, site: str
) -> None:
    with terminal(server, site) as visitor:
        with bot(server):
            visitor.write("one\n")
            visitor.prints(2)
        visitor.write("two\n")
        visitor.prints(3)
        with bot(server):
            visitor.prints(4)
            visitor.write("three\n")
            answers = [text for is_me, text in said(visitor.prints(6)) if not is_me]
    assert answers == ["one", "two", "three"]


def test_a_bot_answers_first_hands_over_and_leaves_people_alone(
    server: ServerProcess, site: str
) -> None:
    token = ("token", "create", "robot", "--agent", LOGIN)
    scopes = ("--scope", "conversations:read", "--scope", "messages:write")
    secret = kefu(server.folder, *token, *scopes).stdout.strip()
    first = Example("bot.py", server.url, token=secret)
    with terminal(server, site) as visitor:
        visitor.write("什么时候发货?\n")
        visitor.prints(1)
        with first:
            assert "24 小时" in visitor.prints(2)[1]
            visitor.write("转人工\n")
            assert "colleague" in visitor.prints(4)[3]
            visitor.write("退货?\n")
            visitor.prints(5)
        # The person is the echo bot: it repeats what nobody has answered yet.
        again = Example("bot.py", server.url, token=secret)
        with again, bot(server):
            assert said(visitor.prints(6))[5] == (False, "退货?")
            visitor.write("人工\n")
            answers = said(visitor.prints(8))
            assert answers[6:] == [(True, "人工"), (False, "人工")]
        assert len(visitor.lines) == 8


def test_what_was_typed_is_stored_when_the_terminal_ends(
    server: ServerProcess, site: str
) -> None:
    with terminal(server, site) as visitor:
        visitor.write("one\ntwo without an end of line")
        assert visitor.finish() == ("", 0)
    with bot(server), terminal(server, site) as other:
        other.write("mine\n")
        assert said(other.prints(2)) == [(True, "mine"), (False, "mine")]


def test_a_bot_whose_account_is_deactivated_ends_and_says_why(
    server: ServerProcess, site: str
) -> None:
    with terminal(server, site) as visitor, bot(server) as ended:
        visitor.write("one\n")
        visitor.prints(2)
        assert kefu(server.folder, "agent", "deactivate", LOGIN).returncode == 0
        assert ended.finish() == ("The login has ended.\n", 1)


def test_a_wrong_site_or_login_is_one_sentence(
    server: ServerProcess, site: str
) -> None:
    for example, text in (
        (terminal(server, "none"), "No token: There is no site with this key.\n"),
        (bot(server, "nobody"), "No login: The login or the password is wrong.\n"),
    ):
        with example:
            assert example.finish() == (text, 1)


def test_both_survive_the_servers_death(server: ServerProcess, site: str) -> None:
    with terminal(server, site) as visitor, bot(server):
        visitor.write("one\n")
        visitor.prints(2)
        server.kill()
        visitor.write("two\n")
        server.start_again()
        assert said(visitor.prints(4))[2:] == [(True, "two"), (False, "two")]


def test_a_translator_of_ones_own_is_found_by_its_entry_point(tmp_path: Path) -> None:
    # What an installed package leaves behind, so that nothing has to be installed.
    package = tmp_path / "site" / "phrases-1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: phrases\n")
    points = "[kefu.translators]\nphrases = own_translator:TRANSLATOR\n"
    (package / "entry_points.txt").write_text(points)
    (tmp_path / "services.toml").write_text('[phrases]\nfile = "phrases.json"\n')
    (tmp_path / "phrases.json").write_text('{"zh-CN": {"olá": "你好"}}', "utf-8")
    more = {
        "PYTHONPATH": os.pathsep.join(
            [str(package.parent), str(EXAMPLES), os.environ.get("PYTHONPATH", "")]
        ),
        "KEFU_TRANSLATION_FILE": "services.toml",
    }
    found = kefu(tmp_path, "translate", " Olá", "--to", "zh", **more)
    assert (found.stdout, found.stderr) == ("phrases: ? -> zh: 你好\n", "")
    unknown = kefu(tmp_path, "translate", "frete?", "--to", "zh", **more)
    assert unknown.returncode == 1
    assert "phrases: failed (text)" in unknown.stdout
    (tmp_path / "phrases.json").write_text("[]")
    broken = kefu(tmp_path, "translate", "olá", "--to", "zh", **more)
    assert "phrases.json" in broken.stderr
    assert "Traceback" not in broken.stderr


@pytest.mark.parametrize("name", ["bot.py", "echo_bot.py", "terminal_client.py"])
def test_without_arguments_an_example_says_how_to_run_it(name: str) -> None:
    with Example(name) as example:
        errors, status = example.finish()
    assert status == 1
    assert f"python examples/{name} http://127.0.0.1:8080" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.name)
def test_an_example_is_short_enough_to_read(path: Path) -> None:
    # A transport is both of its ends; everything else is about using what is there.
    lines = 400 if path.name == "sse_transport.py" else 100
    assert path.read_text("utf-8").count("\n") <= lines
