"""`crash`: its options, and what it shows."""

import argparse
from pathlib import Path

from rich.progress import Progress

from benchmarks.commands.shared import Commands, add_way, console, finish
from benchmarks.crash import CrashOptions, result_of, run_crash
from benchmarks.databases import SERVERS


def add_parser(commands: Commands) -> None:
    """Add the command."""
    crash = commands.add_parser(
        "crash", help="kill server or database under load, and judge"
    )
    crash.add_argument("--target", choices=("server", "database"), default="server")
    crash.add_argument("--url", choices=("sqlite", *SERVERS), default="sqlite")
    crash.add_argument("--kills", type=int, default=5)
    crash.add_argument("--clients", type=int, default=100)
    crash.add_argument("--rate", type=float, default=300.0)
    add_way(crash, mix="visitors connect in these proportions")
    crash.add_argument("--signal", choices=("kill", "term"), default="kill")
    crash.add_argument("--seed", type=int, default=0)
    crash.add_argument("--keep", default="", help="folder for histories and database")
    crash.add_argument("--json", type=Path, metavar="FILE")
    crash.set_defaults(run=_crash)


def _crash(options: argparse.Namespace) -> int:
    if options.target == "database" and options.url == "sqlite":
        console.print("SQLite has no server to kill; add --url mysql or postgres.")
        return 2
    crash = CrashOptions(
        target=options.target,
        url=options.url,
        kills=options.kills,
        clients=options.clients,
        rate=options.rate,
        signal=options.signal,
        transport=options.transport,
        mix=options.mix,
        server=options.server,
        seed=options.seed,
        keep=options.keep,
        command=options.line,
    )
    with Progress(console=console) as progress:
        outcome = run_crash(crash, progress)
    result = result_of(crash, outcome)
    status = finish(result, outcome.verdict, options.json, kills=options.kills)
    for line in outcome.audit:
        console.print(f"kefu audit: {line}", markup=False)
    return status or int(bool(outcome.audit))
