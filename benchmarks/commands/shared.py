"""What the commands have in common: options, the terminal, and files of JSON."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console

from benchmarks.judge import Verdict
from benchmarks.mix import parse_mix
from benchmarks.report import show_result, show_verdict
from benchmarks.result import Result, machine, versions
from benchmarks.target import TRANSPORTS
from kefu_server.servers import SERVERS

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = object  # It has no public name, and no parameters when it runs.

console = Console()


def add_way(parser: argparse.ArgumentParser, *, mix: str = "") -> None:
    """Add how clients connect, and to what.

    Args:
        parser: Gets `--transport` and `--server`.
        mix: What `--mix` does; empty: there is none.
    """
    parser.add_argument("--transport", choices=TRANSPORTS, default="websocket")
    parser.add_argument("--server", choices=SERVERS, default=SERVERS[0])
    if mix:
        parser.add_argument(
            "--mix",
            type=parse_mix,
            default={},
            metavar="websocket=60,longpoll=30,tcp=10",
            help=mix,
        )


def add_talk(parser: argparse.ArgumentParser) -> None:
    """Add who talks, for how long and how fast."""
    parser.add_argument("--visitors", type=int, default=300)
    parser.add_argument("--agents", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument(
        "--rate",
        type=float,
        default=0.0,
        help="messages a second, open loop; 0 (default): closed loop to saturation",
    )
    parser.add_argument("--processes", type=int, default=0, help="generator processes")


def talk_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `add_talk` asked for, and the server, as fields of options."""
    return {
        "server": options.server,
        "visitors": options.visitors,
        "agents": options.agents,
        "seconds": options.seconds,
        "rate": options.rate,
        "processes": options.processes,
        "command": options.line,
    }


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
