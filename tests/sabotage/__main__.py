"""Break the code in thirteen ways; each must make its check fail: minutes.

Run as `python -m tests.sabotage`; `--only WORD` those whose name has it. Each is tried
in a copy of this tree, in which all checks pass first. Exit status: 0 all were caught.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.sabotage.sabotages import SABOTAGES, Sabotage

ROOT = Path(__file__).parents[2]
COPIED = ("kefu_core", "kefu_server", "benchmarks", "tests", "docs", "tools", "deploy")
FAILED = 1
"""pytest's status where tests ran and some failed; others are faults of the run."""


def make_copy(target: Path) -> None:
    """Copy what the checks need."""
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    for path in [*ROOT.glob("*.toml"), *ROOT.glob("*.md"), *ROOT.glob("Makefile")]:
        shutil.copy(path, target)


def run(root: Path, check: str) -> "subprocess.CompletedProcess[str]":
    """Run one check on the code below a folder."""
    command = [sys.executable, "-m", "pytest", "-n0", "-q", "-x", "--tb=line", check]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def sounds(folder: Path, sabotages: list[Sabotage], console: Console) -> bool:
    """Whether every check passes while nothing is broken."""
    whole = folder / "whole"
    make_copy(whole)
    good = True
    for check in sorted({each.check for each in sabotages}):
        done = run(whole, check)
        if done.returncode:
            good = False
            console.print(f"fails without any sabotage: {check}", markup=False)
            console.print(done.stdout[-2_000:], markup=False)
    return good


def is_caught(folder: Path, number: int, sabotage: Sabotage, console: Console) -> bool:
    """Break a copy and say whether its check failed."""
    root = folder / f"broken{number}"
    make_copy(root)
    sabotage.apply(root)
    started = time.monotonic()
    done = run(root, sabotage.check)
    shutil.rmtree(root)
    seconds = time.monotonic() - started
    if done.returncode == FAILED:
        lines = done.stdout.splitlines()
        seen = next((line for line in lines if line.startswith("FAILED")), "")
        console.print(f"{number:2} caught in {seconds:4.0f} s: {sabotage.name}")
        console.print(f"     {seen.removeprefix('FAILED ')[:160]}", markup=False)
        return True
    console.print(f"{number:2} NOT CAUGHT by {sabotage.check}: {sabotage.name}")
    console.print(done.stdout[-2_000:], markup=False)
    return False


def main() -> int:
    """Try them; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="WORD")
    parser.add_argument("--trust", action="store_true", help="no run of whole code")
    given = parser.parse_args()
    console = Console()
    chosen = [each for each in SABOTAGES if given.only in each.name]
    with tempfile.TemporaryDirectory(prefix="kefu-sabotage-") as name:
        folder = Path(name)
        if not given.trust and not sounds(folder, chosen, console):
            return 1
        caught = sum(
            is_caught(folder, number, sabotage, console)
            for number, sabotage in enumerate(chosen, 1)
        )
    console.print(f"{caught} of {len(chosen)} were caught.")
    return int(caught < len(chosen))


if __name__ == "__main__":
    sys.exit(main())
