"""`noisy`: its options, and what it shows."""

import argparse
from pathlib import Path

from rich.progress import Progress

from benchmarks.commands.shared import Commands, console, show
from benchmarks.noisy import NoisyOptions, run_noisy
from benchmarks.report import show_verdict
from benchmarks.target import TRANSPORTS


def add_parser(commands: Commands) -> None:
    """Add the command."""
    noisy = commands.add_parser("noisy", help="one client floods, the others talk")
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
        "--opening",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long after its beginning the loud window is measured",
    )
    noisy.add_argument(
        "--elsewhere", action="store_true", help="flood another server of this machine"
    )
    noisy.add_argument("--json", type=Path, metavar="FILE")
    noisy.set_defaults(run=_noisy)


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
        opening_s=options.opening,
    )
    with Progress(console=console) as progress:
        found, verdict = run_noisy(noisy, progress)
    show_verdict(console, verdict)
    shown = found | {"command": options.line}
    return show(shown, options.json, passed=verdict.passed)
