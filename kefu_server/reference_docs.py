"""Writes docs/reference/cli.md and docs/reference/python.md from the code.

Run `python -m kefu_server.reference_docs`. What stands there are the sentences of the
parsers and the docstrings; a test says when a page is stale.
"""

import argparse
import ast
import inspect
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

from kefu_server.cli import _parser

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
_MADE = "<!-- Made by `python -m kefu_server.reference_docs`: change {} instead. -->"
_CLI = """\
# The command `kefu`

{}

`kefu COMMAND --help` says the same. Settings are read from `--config FILE`, else from
`KEFU_CONFIG`, else from `kefu.toml` in the current folder; [settings](settings.md) has
them all. Status 0: done; 1: something is in the way, or wrong; 2: a wrong command line
or setting. Where others are used, the command says so.
"""
_PYTHON = """\
# The Python API

{}

What a program that imports kefu may rely on. Names that stand here are public: what
changes about them is in the [changelog](../../CHANGELOG.md). Others are not, though
they can be imported. All of it is typed.
"""
# What an importing program meets, in the order in which it meets it. Modules without
# names are shown whole.
PUBLIC: dict[str, tuple[str, ...]] = {
    "kefu_core.client.client": ("Client",),
    "kefu_core.client.notices": ("ConnectionChanged",),
    "kefu_core.client.answers": ("Rejected",),
    "kefu_core.node": ("Node", "monotonic", "unix_ms"),
    "kefu_core.desk.desk": ("Desk",),
    "kefu_core.limits": ("Limits",),
    "kefu_core.errors": (),
    "kefu_core.model": (),
    "kefu_core.ids": (),
    "kefu_core.store.sql": ("SqlStore",),
    "kefu_core.store.memory": ("MemoryStore",),
    "kefu_core.transports.sockets": ("open_listener",),
    "kefu_core.abc.handler": (),
    "kefu_core.abc.streams": (),
    "kefu_core.abc.transports": (),
    "kefu_core.abc.translator": (),
    "kefu_core.abc.files": (),
    "kefu_core.abc.outgoing": (),
    "kefu_core.abc.tracing": (),
    "kefu_core.abc.store": (),
    "kefu_core.testing.stores": (),
    "kefu_core.testing.transports": (),
}
# Where a program imports from, if that is not where it is written.
IMPORTED_FROM = {
    "kefu_core.client.client": "kefu_core.client",
    "kefu_core.client.notices": "kefu_core.client",
    "kefu_core.client.answers": "kefu_core.client",
    "kefu_core.desk.desk": "kefu_core.desk",
}
_SECTIONS = ("Args", "Returns", "Yields", "Raises", "Cancellation", "Source")
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def cli_page() -> str:
    """Return the whole page of commands."""
    made = _MADE.format("the parsers in `kefu_server/commands`")
    return _CLI.format(made) + "".join(_command(_parser(), "kefu", ""))


def _command(parser: argparse.ArgumentParser, name: str, text: str) -> Iterator[str]:
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    rows = [row for action in parser._actions if (row := _argument(action, parser))]
    if not groups or rows:
        yield f"\n## `{name}`\n"
        said = parser.description or text
        yield f"\n{said[:1].upper()}{said[1:].rstrip('.')}.\n" if said else ""
    if rows:
        yield "\n| argument | |\n|---|---|\n" + "".join(rows)
    for group in groups:
        for choice in group._choices_actions:
            below = group.choices[choice.dest]
            yield from _command(below, f"{name} {choice.dest}", choice.help or "")


def _argument(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
        return ""
    names = ", ".join(action.option_strings)
    if action.nargs != 0:
        choices = ",".join(map(str, action.choices or ()))
        shown = action.metavar or (f"{{{choices}}}" if choices else action.dest.upper())
        value = str(shown)
        value = f"[{value}]" if action.nargs in ("?", "*") else value
        names = f"{names} {value}".strip()
    text = (action.help or "") % (vars(action) | {"prog": parser.prog})
    return f"| `{_cell(names)}` | {_cell(text)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def python_page() -> str:
    """Return the whole page of public names."""
    parts = [_PYTHON.format(_MADE.format("the docstrings of `kefu_core`"))]
    shown = ""
    for name, only in PUBLIC.items():
        module = import_module(name)
        before, shown = shown, IMPORTED_FROM.get(name, name)
        if shown != before:
            text = (inspect.getdoc(module) or "").partition("\n\n")[0]
            parts.append(f"\n## `{shown}`\n\n{text}\n")
        for definition in _definitions(module, only):
            parts += _definition(definition)
    return "".join(parts)


def _definitions(module: ModuleType, only: tuple[str, ...]) -> Iterator[Definition]:
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, Definition) and (
            node.name in only if only else not node.name.startswith("_")
        ):
            yield node


def _definition(node: Definition) -> Iterator[str]:
    yield f"\n### `{node.name}`\n"
    if not isinstance(node, ast.ClassDef):
        yield f"\n{_signature(node)}\n{_docstring(node)}"
        return
    bases = ", ".join(map(ast.unparse, node.bases))
    yield f"\nBased on `{bases}`.\n" if bases and bases != "Protocol" else ""
    yield _docstring(node)
    yield from _fields(node)
    for each in node.body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            text = _docstring(each)
            is_shown = not each.name.startswith("_") or each.name == "__init__"
            if is_shown and text and not each.name.startswith("test_"):
                yield f"\n#### `{node.name}.{each.name}`\n"
                yield f"\n{_signature(each)}\n{text}"
    methods = (e for e in node.body if isinstance(e, Definition))
    claims = [each.name for each in methods if each.name.startswith("test_")]
    if claims:
        yield "\nWhat it claims:\n\n"
        yield "".join(f"- {name[5:].replace('_', ' ')}\n" for name in claims)


def _fields(node: ast.ClassDef) -> Iterator[str]:
    rows = []
    for field, text in zip(node.body, [*node.body[1:], ast.Pass()], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            shown = f"{field.target.id}: {ast.unparse(field.annotation)}"
            shown += f" = {ast.unparse(field.value)}" if field.value else ""
        elif isinstance(field, ast.Assign) and isinstance(field.targets[0], ast.Name):
            shown = f"{field.targets[0].id} = {ast.unparse(field.value)}"
        else:
            continue
        said = ""
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            said = " ".join(str(text.value.value).split())
        if not shown.startswith("_"):
            rows.append(f"| `{_cell(shown)}` | {_cell(said)} |\n")
    if rows:
        yield "\n| field | |\n|---|---|\n" + "".join(rows)


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    if any(ast.unparse(each) == "property" for each in node.decorator_list):
        return (
            f"```text\n{node.name}: {ast.unparse(node.returns or ast.Name('Any'))}\n```"
        )
    given = ast.unparse(node.args).removeprefix("self").removeprefix(", ")
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    to = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{kind} {node.name}({given}){to}"
    if len(line) > 88:
        arguments = re.sub(r", (?=\*|\w+: |\w+=)", ",\n    ", given)
        line = f"{kind} {node.name}(\n    {arguments},\n){to}"
    return f"```text\n{line}\n```"


def _docstring(node: Definition) -> str:
    """Return a docstring as Markdown: its sections become lists."""
    text = ast.get_docstring(node) or ""
    titled = re.sub(rf"(?m)^({'|'.join(_SECTIONS)}):[ \n]", r"**\1**\n", text)
    # The first line of an entry becomes an item, what is indented deeper goes on.
    listed = re.sub(r"(?m)^ {4}(?! )([*\w]+): ", r"- `\1`: ", titled)
    listed = re.sub(r"(?m)^ {4}(?! )", "", listed)
    listed = re.sub(r"(?m)^ {8}", "  ", listed)
    spaced = re.sub(r"(?m)^(\*\*\w+\*\*)\n", r"\1\n\n", listed)
    return f"\n{spaced}\n" if spaced else ""


PAGES = {"cli.md": cli_page, "python.md": python_page}


def main() -> None:
    """Write both pages."""
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), "utf-8")
        sys.stdout.write(f"wrote {REFERENCE / name}\n")


if __name__ == "__main__":
    main()
