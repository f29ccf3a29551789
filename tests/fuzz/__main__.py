"""Fuzzes for long: `python -m tests.fuzz --minutes 10 [--target NAME]`.

With atheris (`pip install atheris`) inputs are chosen by what code they reach; without
it they are random damage. An input that hurts is written beside the corpus.
"""

import argparse
import hashlib
import importlib.util
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.inputs import CORPUS, mutated, poison, true_inputs
from tests.fuzz.targets import TARGETS

SLOW_S = 0.5


def main() -> int:
    """Run every target for its share of the time."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for all together")
    parser.add_argument("--target", choices=TARGETS, help="one only")
    parser.add_argument("--plain", action="store_true", help="without atheris")
    parser.add_argument("--guided", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = [options.target] if options.target else list(TARGETS)
    seconds = options.minutes * 60 / len(names)
    if options.guided:
        guided(names[0], int(seconds))
    has_atheris = importlib.util.find_spec("atheris") is not None
    failed = 0
    for name in names:
        if has_atheris and not options.plain:
            failed += run_guided(name, seconds)
        else:
            failed += run_plain(name, seconds)
    say(f"{len(names)} targets, {failed} failed")
    return 1 if failed else 0


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run_plain(name: str, seconds: float) -> int:
    """Feed damaged inputs; returns 1 after the first that hurts."""
    seed = random.SystemRandom().getrandbits(32)
    seeds = [*true_inputs(), *(x for x in poison().values() if len(x) < 5_000)]
    started, count, slowest = time.monotonic(), 0, 0.0
    for data in mutated(seeds, random.Random(seed)):
        begun = time.monotonic()
        try:
            TARGETS[name](data)
        except Exception as error:
            say(f"{name}: {error!r}, kept in {keep(name, data)}")
            return 1
        now = time.monotonic()
        count, slowest = count + 1, max(slowest, now - begun)
        if now - started > seconds:
            break
    say(f"{name}: {count} inputs, slowest {slowest * 1000:.0f} ms, none hurts")
    return int(slowest > SLOW_S)


def run_guided(name: str, seconds: float) -> int:
    """Run atheris in a process of its own: it never returns."""
    command = [sys.executable, "-m", "tests.fuzz", "--guided", "--target", name]
    minutes = str(seconds / 60)
    told = subprocess.run(
        [*command, "--minutes", minutes], capture_output=True, text=True
    )
    last = [line for line in told.stderr.splitlines() if line.startswith("Done ")]
    say(f"{name}: {last[0] if last else 'stopped'}, exit {told.returncode}")
    if told.returncode:
        say(told.stdout[-2_000:] + told.stderr[-3_000:])
    return int(told.returncode != 0)


def guided(name: str, seconds: int) -> None:
    """Let atheris choose inputs."""
    import atheris

    with atheris.instrument_imports(include=["kefu_core"]):
        for module in [m for m in sys.modules if m.startswith("kefu_core")]:
            del sys.modules[module]
        for module in ("tests.fuzz.targets", "tests.core.protocol.samples"):
            sys.modules.pop(module, None)
        target = __import__("tests.fuzz.targets", fromlist=["TARGETS"]).TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate([*true_inputs(), *poison().values()]):
            (Path(folder) / f"{number}").write_bytes(data)
        arguments = [
            f"-max_total_time={seconds}",
            "-max_len=65536",
            "-timeout=5",
            f"-artifact_prefix={CORPUS.parent}/hurts-{name}-",
            folder,
        ]
        atheris.Setup(["fuzz", *arguments], target)
        atheris.Fuzz()


def keep(name: str, data: bytes) -> Path:
    """Write an input that hurts; give it a name and put it into the corpus."""
    path = CORPUS.parent / f"hurts-{name}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    sys.exit(main())
