"""Samples on every page: programs compile and import, settings load, commands exist."""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from kefu_server.cli import _parser
from kefu_server.reference_docs import cli_page
from kefu_server.settings import load_settings
from tests.docs.pages import PAGES, ROOT, text_of


def blocks(language: str, pages: Iterable[Path] = PAGES) -> Iterator[tuple[str, str]]:
    """Yield where each block of a language stands, and what is in it."""
    for page in pages:
        text = page.read_text("utf-8")
        for found in re.finditer(
            rf"^( *)```{language}\b[^\n]*\n(.*?)^ *```", text, re.S | re.M
        ):
            line = text[: found.start()].count("\n") + 1
            yield f"{page.relative_to(ROOT)}:{line}", found[2]


PYTHON = dict(blocks("python"))
TOML = dict(blocks("toml"))


@pytest.mark.parametrize("where", PYTHON)
def test_a_program_compiles_and_what_it_imports_is_there(where: str) -> None:
    tree = ast.parse(PYTHON[where], where)
    imports = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), where, "exec"), {})


@pytest.mark.parametrize("where", TOML)
def test_settings_are_settings(where: str, tmp_path: Path) -> None:
    text = TOML[where].replace("…", "x" * 20)
    told = tomllib.loads(text)
    if "project" in told or "deepl" in told:
        return  # a package's file, or that of translation keys
    (tmp_path / "kefu.toml").write_text(text, "utf-8")
    secrets = {"KEFU_FILES_SECRET_KEY": "x"} if "files" in told else {}
    load_settings(tmp_path / "kefu.toml", environ=secrets)


TYPED = re.compile(r"(?:^|\| )(?:[A-Z_]+=\S+ )?(?:\S*/)?kefu ([^|#]*)")


def test_a_command_in_a_block_is_understood() -> None:
    count = 0
    for where, block in blocks("sh"):
        for line in block.replace("\\\n", " ").splitlines():
            if typed := TYPED.search(line):
                count += 1
                try:
                    _parser().parse_args(shlex.split(typed[1]))
                except SystemExit:
                    pytest.fail(f"{where}: {line}")
    assert count > 60


COMMANDS: dict[str, str] = dict(
    re.findall(r"^## `([^`]+)`\n(.*?)(?=^## |\Z)", cli_page(), re.S | re.M)
)


def is_known(command: str) -> bool:
    """Whether there is such a command, or group of them, with these options."""
    words = command.split()
    if any(name.startswith(command + " ") for name in COMMANDS):
        return True
    named = max((c for c in COMMANDS if words[: len(c.split())] == c.split()), key=len)
    options = {word for word in words if word.startswith("--")} - {"--help"}
    return named != "kefu" and options <= {*re.findall(r"--[a-z-]+", COMMANDS[named])}


def test_a_command_in_a_sentence_exists_with_its_options() -> None:
    named = [
        (str(page.relative_to(ROOT)), command)
        for page in PAGES
        for command in re.findall(r"`(kefu [^`\n]+)`", text_of(page))
        if not command.startswith("kefu COMMAND")
    ]
    assert len(named) > 60
    assert [each for each in named if not is_known(each[1])] == []
    assert not is_known("kefu agnet list")
    assert not is_known("kefu audit --latte 600")
