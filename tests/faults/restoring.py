"""A backup under load, everything lost, and a restore; then the time of a large one.

Run as `python -m tests.faults.restoring`; `--rate 200 --clients 100` is the load, and
`--messages 1000000` the history whose backup and restore are timed (0: none), on
`--url sqlite`, `mysql` or `postgres`.

Everything acknowledged before the backup began must be there under its seq, every
conversation must be 1, 2, 3 …, the audit must find nothing, and those who were
connected must go on in the history that came back.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from rich.console import Console

from benchmarks.crowd import Crowd, generator_count, make_plans
from benchmarks.history import What, read_history
from benchmarks.rows import load_rows
from benchmarks.store.filling import add_people, fill
from benchmarks.store.places import opened
from benchmarks.target import Kefu
from kefu_core.node import monotonic, unix_ms
from kefu_core.store.sql import SqlStore

LOAD_S = 5.0
RESTORE_MAX_S = 300.0
"""For a million messages."""


def kefu(environ: dict[str, str], *arguments: str) -> float:
    """Run one command to its end; returns the seconds it took."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "kefu_server", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"kefu {arguments[0]}: {done.stdout}{done.stderr}")
    return time.monotonic() - started


# -- under load ------------------------------------------------------------------------


def run_under_load(folder: Path, *, clients: int, rate: float) -> tuple[str, list[str]]:
    """Back up, lose and restore a server that works; what was seen, what is wrong."""
    server = Kefu(folder)
    environ, backup = server.environ, str(folder / "all.tar")
    agents = server.add_agents(max(1, clients // 5))
    with server:
        plans = make_plans(
            server,
            folder,
            visitors=clients - len(agents),
            agents=agents,
            rate=rate,
            processes=generator_count(),
        )
        with Crowd(plans, folder) as crowd:
            crowd.hear("ready")
            crowd.say("go")
            time.sleep(LOAD_S)
            began = time.monotonic()
            kefu(environ, "backup", backup, "--with-secrets")
            time.sleep(1.0)
            server.kill()
            shutil.rmtree(folder / "data")
            lost = time.monotonic()
            kefu(environ, "restore", backup)
            server.start()
            time.sleep(LOAD_S)
            crowd.say("stop")
            crowd.hear("done")
        records = [r for path in crowd.histories for r in read_history(path)]
    kefu(environ, "audit", "--read-files")
    rows = load_rows(server.database_url)
    stored = {(row.conversation, row.key): row.seq for row in rows if row.key}
    told = [record for record in records if record.what is What.OK]
    before = [record for record in told if record.at < began]
    missing = [
        record
        for record in before
        if stored.get((record.conversation, record.key)) != record.seq
    ]
    problems = [f"{len(missing)} are gone: {missing[0]}"] if missing else []
    logs: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        logs[row.conversation].append(row.seq)
    if any(sorted(seqs) != list(range(1, len(seqs) + 1)) for seqs in logs.values()):
        problems.append("a conversation has a hole")
    after = {record.process for record in told if record.at > lost}
    if len(after) < len({record.process for record in before}) // 2:
        problems.append(f"only {len(after)} went on")
    seen = (
        f"{len(before)} acknowledged before the backup are there, "
        f"{len(logs)} conversations without a hole, {len(after)} clients went on"
    )
    return seen, problems


# -- a large one -----------------------------------------------------------------------


def run_large(url: str, target: str, folder: Path, messages: int) -> tuple[str, float]:
    """Fill a database, back it up, and restore it into another one."""

    async def make() -> None:
        async with SqlStore(url, now=monotonic, now_ms=unix_ms) as store:
            await add_people(store)
        await fill(url, messages)

    asyncio.run(make())
    environ = {k: v for k, v in os.environ.items() if not k.startswith("KEFU_")}
    times = {}
    path = folder / "large.tar"
    for name, database, arguments in (
        ("backup", url, ("backup", str(path))),
        ("restore", target, ("restore", str(path))),
        ("audit", target, ("audit",)),
    ):
        data = {"KEFU_DATA_DIR": str(folder / name), "KEFU_DATABASE_URL": database}
        times[name] = kefu(environ | data, *arguments)
    shown = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in times.items())
    size = path.stat().st_size / 1e6
    return f"{messages:,} messages, {size:.0f} MB: {shown}", times["restore"]


def main() -> int:
    """Run both; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--url", choices=("sqlite", "mysql", "postgres"))
    given = parser.parse_args()
    console, is_bad = Console(), False
    with tempfile.TemporaryDirectory(prefix="kefu-restore-") as name:
        folder = Path(name)
        seen, problems = run_under_load(folder, clients=given.clients, rate=given.rate)
    console.print(seen)
    for problem in problems:
        is_bad = True
        console.print(f"  WRONG: {problem}", markup=False)
    if given.messages:
        engine = given.url or "sqlite"
        with (
            tempfile.TemporaryDirectory(prefix="kefu-large-") as name,
            opened(engine, Path(name)) as place,
        ):
            source, target = place.url_of(given.messages), place.url_of(0)
            seen, seconds = run_large(source, target, Path(name), given.messages)
        console.print(f"{engine}: {seen}")
        if seconds > RESTORE_MAX_S * max(1.0, given.messages / 1_000_000):
            is_bad = True
            console.print("  WRONG: the restore took too long")
    return int(is_bad)


if __name__ == "__main__":
    sys.exit(main())
