"""The tutorials, done as they are written."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from benchmarks.__main__ import _parser as benchmarks_parser
from benchmarks.ports import free_port
from kefu_core.client import Client
from kefu_core.testing.sim.__main__ import parse as parse_simulation
from kefu_server.cli import main
from tests.docs.pages import ROOT

TUTORIALS = ROOT / "docs" / "tutorial"
WAIT_S = 30.0


def blocks(page: str, language: str) -> list[str]:
    text = (TUTORIALS / page).read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(page: str) -> Iterator[list[str]]:
    """Yield each line that a reader types, in words."""
    for block in blocks(page, "sh"):
        typed = re.sub(r"(?ms)<<EOF$.*?^EOF$", "", block).replace("\\\n", " ")
        yield from map(shlex.split, typed.splitlines())


def test_the_developers_program_says_what_the_page_prints(tmp_path: Path) -> None:
    (code,) = blocks("developer.md", "python")
    assert "PORT = 7440" in code
    program = code.replace("PORT = 7440", f"PORT = {free_port()}")
    (tmp_path / "chat.py").write_text(program, "utf-8")
    printed = []
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, "chat.py"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            timeout=WAIT_S,
        )
        assert ran.returncode == 0, ran.stderr
        printed.append(ran.stdout)
    assert printed[0] == blocks("developer.md", "text")[0]
    assert printed[1].endswith("\n3: 在吗?\n4: 什么时候发货?\n")


@contextmanager
def serving(url: str) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-m", "kefu_server", "serve"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    ) as server:
        try:
            assert server.stderr is not None
            assert any(f"url={url} ".encode() in line for line in server.stderr)
            yield
        finally:
            server.terminate()
    assert server.returncode == 0


def write_one_message(url: str, key: str) -> None:
    headers = {"Content-Type": "application/json", "Origin": url}
    body = json.dumps({"site": key}).encode()
    ask = urllib.request.Request(url + "/api/visitor/token", body, headers)
    with urllib.request.urlopen(ask, timeout=WAIT_S) as answer:
        token = json.load(answer)["token"]

    async def write() -> None:
        with anyio.fail_after(WAIT_S):
            async with Client(url, token=token) as client:
                number = await client.open_conversation()
                await client.send(number, "在吗?")

    anyio.run(write)


def test_the_operators_way_leads_from_init_to_a_restored_conversation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANG", "C.UTF-8")
    bind = f"127.0.0.1:{free_port()}"
    done, said = [], ""
    for words in commands("operator.md"):
        match words:
            case ["kefu", "init", *rest]:
                assert main(["init", *rest, "--bind", bind]) == 0
                key = re.findall(r'data-site="(\w+)"', capsys.readouterr().out)[0]
            case ["kefu", "serve"] if "init" in done[-1]:
                with serving(f"http://{bind}"):
                    write_one_message(f"http://{bind}", key)
            case ["kefu", "serve"]:
                pass  # a start costs a second, and the first has shown it
            case ["kefu", *rest]:
                globbed = [
                    str(next(tmp_path.glob(word))) if "*" in word else word
                    for word in rest
                ]
                assert main(globbed) == 0, rest
                said = capsys.readouterr().out
            case ["mkdir", "backups"]:
                (tmp_path / "backups").mkdir()
            case ["mv", source, target]:
                shutil.move(source, target)
        if words[:2] == ["kefu", "audit"]:
            assert said == "1 conversations, 1 messages: sound\n"
        done.append(" ".join(words))
    steps = [line.split()[1] for line in done if line.startswith("kefu")]
    assert " ".join(steps) == (
        "init serve doctor backup restore restore audit serve backup db doctor serve"
    )


def test_the_contributors_commands_are_understood() -> None:
    programs = {
        "benchmarks": benchmarks_parser().parse_args,
        "kefu_core.testing.sim": parse_simulation,
    }
    lines = [
        words
        for words in commands("contributor.md")
        if words[:2] == ["python", "-m"] and words[2] in programs
    ]
    assert len(lines) == 6
    for _, _, program, *arguments in lines:
        programs[program](arguments)
