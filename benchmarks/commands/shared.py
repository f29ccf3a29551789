"""What the commands have in common: the terminal, and files of JSON."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from benchmarks.judge import Verdict
from benchmarks.report import show_result, show_verdict
from benchmarks.result import Result, machine, versions

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = object  # It has no public name, and no parameters when it runs.

console = Console()


def write(found: object, path: Path | None) -> None:
    """Write a run's figures where they were asked for."""
    if path is not None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))
        console.print(f"Written to {path}.")


def show(found: dict[str, object], path: Path | None, *, passed: bool) -> int:
    """Print and write figures without a form of their own; return the exit status."""
    for key, value in found.items():
        console.print(f"{key:>32}  {value}", markup=False)
    write(found, path)
    return 0 if passed else 1


def finish(
    result: Result, verdict: Verdict, path: Path | None, *, kills: int = 0
) -> int:
    """Print and write a result and its verdict; return the exit status."""
    show_result(console, result)
    show_verdict(console, verdict, kills=kills)
    write(result, path)
    return 0 if verdict.passed else 1


def fail(reasons: Sequence[str], options: argparse.Namespace) -> int:
    """Say why a run has no figures, and write just that; return the exit status."""
    for reason in reasons:
        console.print(f"A bad run: {reason}", style="red", markup=False)
    failed = {"failed": reasons, "command": options.line, "machine": machine()}
    write(failed | {"versions": versions()}, options.json)
    return 1
