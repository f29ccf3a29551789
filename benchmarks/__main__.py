"""`python -m benchmarks`: load, crashes and the judge.

Exit status: 0 all is well; 1 a message was lost, doubled, out of order or otherwise
not what was promised; 2 a wrong command line.
"""

import argparse
import asyncio
import resource
import shlex
import signal
import sys
import tempfile
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress

from benchmarks.chat import ChatOptions, run_chat
from benchmarks.crash import CrashOptions, result_of, run_crash
from benchmarks.databases import SERVERS, ServerMissingError
from benchmarks.history import Record, read_history
from benchmarks.idle import compare_idle
from benchmarks.judge import Verdict, judge
from benchmarks.noisy import NoisyOptions, run_noisy
from benchmarks.report import show_result, show_verdict
from benchmarks.result import Result
from benchmarks.rows import load_rows
from benchmarks.store.appending import AppendError
from benchmarks.store.filling import FillError
from benchmarks.store.reading import ReadError
from benchmarks.store.run import MARKS, StoreOptions, run_store
from benchmarks.store.showing import plot_store, show_store
from benchmarks.storm import StormOptions, run_storm
from benchmarks.translated import CHOICES, run_translated
from benchmarks.visitors import VisitorsOptions, run_visitors

console = Console()
TRANSPORTS = ("websocket", "longpoll", "tcp")


def main(arguments: list[str] | None = None) -> int:
    """Run one benchmark; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    raise_file_limit()
    options = _parser().parse_args(arguments)
    options.line = "python -m benchmarks " + shlex.join(arguments)
    status: int = options.run(options)
    return status


def raise_file_limit() -> int:
    """Allow as many open files as may be; processes started later inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    chat = commands.add_parser("chat", help="throughput, latency, cost of a message")
    chat.add_argument("--transport", choices=TRANSPORTS, default="websocket")
    chat.add_argument("--visitors", type=int, default=300)
    chat.add_argument("--agents", type=int, default=30)
    chat.add_argument("--seconds", type=float, default=15.0)
    chat.add_argument(
        "--rate",
        type=float,
        default=0.0,
        help="messages a second, open loop; 0 (default): closed loop to saturation",
    )
    chat.add_argument("--idle", type=int, default=500, help="idle connections, 0: none")
    chat.add_argument("--processes", type=int, default=0, help="generator processes")
    chat.add_argument(
        "--translation",
        choices=CHOICES,
        help="latency with and without a service that answers at once, takes 2 s or "
        "fails, by turns in one run; --rate is then 50 where none is given",
    )
    chat.add_argument("--profile", default="", help="file for py-spy's raw stacks")
    chat.add_argument("--json", type=Path, metavar="FILE")
    chat.set_defaults(run=_chat)

    idle = commands.add_parser("idle", help="memory of a connection at rest")
    idle.add_argument("--transport", choices=TRANSPORTS, default="websocket")
    idle.add_argument("--connections", type=int, default=2_000)
    idle.add_argument("--json", type=Path, metavar="FILE")
    idle.set_defaults(run=_idle)

    storm = commands.add_parser("storm", help="drop everybody at once, see them back")
    storm.add_argument("--transport", choices=TRANSPORTS, default="websocket")
    storm.add_argument("--visitors", type=int, default=1_000)
    storm.add_argument("--agents", type=int, default=30)
    storm.add_argument("--rate", type=float, default=50.0)
    storm.add_argument(
        "--drop",
        choices=("cut", "kill"),
        default="cut",
        help="cut every connection (default), or kill the server and start it again",
    )
    storm.add_argument("--processes", type=int, default=0)
    storm.add_argument("--json", type=Path, metavar="FILE")
    storm.set_defaults(run=_storm)

    _add_visitors(commands.add_parser("visitors", help="a crowd on the sites' pages"))
    _add_noisy(commands.add_parser("noisy", help="one client floods, the others talk"))
    _add_store(commands.add_parser("store", help="a large history: writing, reading"))

    crash = commands.add_parser(
        "crash", help="kill server or database under load, and judge"
    )
    crash.add_argument("--target", choices=("server", "database"), default="server")
    crash.add_argument("--url", choices=("sqlite", *SERVERS), default="sqlite")
    crash.add_argument("--kills", type=int, default=5)
    crash.add_argument("--clients", type=int, default=100)
    crash.add_argument("--rate", type=float, default=300.0)
    crash.add_argument("--transport", choices=TRANSPORTS, default="websocket")
    crash.add_argument("--signal", choices=("kill", "term"), default="kill")
    crash.add_argument("--seed", type=int, default=0)
    crash.add_argument("--keep", default="", help="folder for histories and database")
    crash.add_argument("--json", type=Path, metavar="FILE")
    crash.set_defaults(run=_crash)

    check = commands.add_parser("check", help="judge recorded histories")
    check.add_argument("histories", type=Path, nargs="+", metavar="HISTORY")
    check.add_argument("--db", required=True, metavar="URL", help="SQLAlchemy URL")
    check.add_argument("--kills", type=int, default=0, help="for the bound per kill")
    check.set_defaults(run=_check)
    return parser


def _add_noisy(noisy: argparse.ArgumentParser) -> None:
    noisy.add_argument("--transport", choices=TRANSPORTS, default="websocket")
    noisy.add_argument("--visitors", type=int, default=300)
    noisy.add_argument("--agents", type=int, default=30)
    noisy.add_argument("--rate", type=float, default=50.0, help="messages a second")
    noisy.add_argument("--flood", type=float, default=1_000.0, help="frames a second")
    noisy.add_argument(
        "--open",
        type=int,
        default=0,
        metavar="N",
        help="an agent with N open conversations instead of a visitor who floods",
    )
    noisy.add_argument("--seconds", type=float, default=8.0, help="of each window")
    noisy.add_argument("--rounds", type=int, default=3, help="pairs of windows")
    noisy.add_argument(
        "--elsewhere", action="store_true", help="flood another server of this machine"
    )
    noisy.add_argument("--json", type=Path, metavar="FILE")
    noisy.set_defaults(run=_noisy)


def _add_store(store: argparse.ArgumentParser) -> None:
    store.add_argument(
        "--url",
        default="sqlite",
        help="sqlite (files in --data, kept), mysql or postgres (a private server), or "
        "a SQLAlchemy URL of an empty database",
    )
    store.add_argument("--messages", type=int, default=MARKS[-1])
    default = Path(tempfile.gettempdir()) / "kefu-store"
    store.add_argument("--data", type=Path, default=default, metavar="DIR")
    plots = Path("docs/benchmarks")
    store.add_argument("--plots", type=Path, default=plots, metavar="DIR")
    store.add_argument("--json", type=Path, metavar="FILE")
    store.set_defaults(run=_store)


def _store(options: argparse.Namespace) -> int:
    store = StoreOptions(
        url=options.url,
        messages=options.messages,
        data=options.data,
        command=options.line,
    )
    try:
        with Progress(console=console) as progress:
            result = asyncio.run(run_store(store, progress))
    except (FillError, AppendError, ReadError, ServerMissingError) as error:
        console.print(f"A bad run: {error}", style="red", markup=False)
        return 1
    show_store(console, result)
    for path in plot_store(result, options.plots):
        console.print(f"Drawn: {path}")
    if options.json is not None:
        encoded = msgspec.json.encode(result)
        options.json.write_bytes(msgspec.json.format(encoded, indent=2))
    return 1 if result.faults else 0


def _chat(options: argparse.Namespace) -> int:
    chat = ChatOptions(
        transport=options.transport,
        visitors=options.visitors,
        agents=options.agents,
        seconds=options.seconds,
        rate=options.rate,
        idle=options.idle,
        processes=options.processes,
        profile=options.profile,
        command=options.line,
    )
    if options.translation:
        with Progress(console=console) as progress:
            found, verdict = run_translated(chat, options.translation, progress)
        show_verdict(console, verdict)
        return _show(found, options.json, passed=verdict.passed)
    with Progress(console=console) as progress:
        result, verdict = run_chat(chat, progress)
    return _finish(result, verdict, options.json)


def _noisy(options: argparse.Namespace) -> int:
    noisy = NoisyOptions(
        transport=options.transport,
        visitors=options.visitors,
        agents=options.agents,
        rate=options.rate,
        flood=options.flood,
        open=options.open,
        seconds=options.seconds,
        rounds=options.rounds,
        is_elsewhere=options.elsewhere,
    )
    with Progress(console=console) as progress:
        found, verdict = run_noisy(noisy, progress)
    show_verdict(console, verdict)
    shown = found | {"command": options.line}
    return _show(shown, options.json, passed=verdict.passed)


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
        seed=options.seed,
        keep=options.keep,
        command=options.line,
    )
    with Progress(console=console) as progress:
        outcome = run_crash(crash, progress)
    result = result_of(crash, outcome)
    status = _finish(result, outcome.verdict, options.json, kills=options.kills)
    for line in outcome.audit:
        console.print(f"kefu audit: {line}", markup=False)
    return status or int(bool(outcome.audit))


def _idle(options: argparse.Namespace) -> int:
    found = compare_idle(options.transport, options.connections)
    return _show(found | {"command": options.line}, options.json, passed=True)


def _storm(options: argparse.Namespace) -> int:
    storm = StormOptions(
        transport=options.transport,
        visitors=options.visitors,
        agents=options.agents,
        rate=options.rate,
        drop=options.drop,
        processes=options.processes,
    )
    with Progress(console=console) as progress:
        found, verdict = run_storm(storm, progress)
    show_verdict(console, verdict, kills=int(storm.drop == "kill"))
    shown = found | {"command": options.line}
    return _show(shown, options.json, passed=verdict.passed)


def _add_visitors(visitors: argparse.ArgumentParser) -> None:
    visitors.add_argument("--visitors", type=int, default=1_000)
    visitors.add_argument("--page-s", type=float, default=5.0)
    visitors.add_argument("--agents", type=int, default=3)
    visitors.add_argument("--seconds", type=float, default=15.0)
    visitors.add_argument(
        "--chromium", default="", help="a browser that shows them: counts its frames"
    )
    visitors.add_argument("--json", type=Path, metavar="FILE")
    visitors.set_defaults(run=_visitors)


def _visitors(options: argparse.Namespace) -> int:
    visitors = VisitorsOptions(
        visitors=options.visitors,
        page_s=options.page_s,
        agents=options.agents,
        seconds=options.seconds,
        chromium=options.chromium,
    )
    with Progress(console=console) as progress:
        found = run_visitors(visitors, progress)
    return _show(found | {"command": options.line}, options.json, passed=True)


def _show(found: dict[str, object], path: Path | None, *, passed: bool) -> int:
    for key, value in found.items():
        console.print(f"{key:>32}  {value}", markup=False)
    if path is not None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))
    return 0 if passed else 1


def _check(options: argparse.Namespace) -> int:
    records: list[Record] = []
    for path in options.histories:
        records += read_history(path)
    verdict = judge(records, load_rows(options.db))
    show_verdict(console, verdict, kills=options.kills)
    return 0 if verdict.passed else 1


def _finish(
    result: Result, verdict: Verdict, path: Path | None, *, kills: int = 0
) -> int:
    show_result(console, result)
    show_verdict(console, verdict, kills=kills)
    if path is not None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))
        console.print(f"Written to {path}.")
    return 0 if verdict.passed else 1


def _end(number: int, frame: object) -> None:
    """Leave as by Control-C: servers that were started are stopped."""
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
