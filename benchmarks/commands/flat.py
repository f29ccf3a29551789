"""`flat`: its options, and what it shows."""

import argparse
import tempfile
from pathlib import Path

from rich.progress import Progress
from rich.table import Table

from benchmarks.commands.shared import Commands, console, fail, write
from benchmarks.flat import Cost, FlatOptions, FlatResult, run_flat
from benchmarks.mixed import BadRunError
from benchmarks.store.filling import FillError
from benchmarks.target import TRANSPORTS

COLUMNS = (
    *("visitors", "messages before", "µs a message", "times the first"),
    *("a second", "a commit", "server", "generator"),
)


def add_parser(commands: Commands) -> None:
    """Add the command."""
    text = "whether a message costs the same with more visitors, and more history"
    flat = commands.add_parser("flat", help=text)
    flat.add_argument("--transport", choices=TRANSPORTS, default="websocket")
    flat.add_argument(
        "--visitors", type=_numbers, default=(30, 100, 300, 1_000), metavar="N,N,…"
    )
    flat.add_argument(
        "--messages",
        type=int,
        default=500_000,
        help="in the database in the end; 0: only visitors grow",
    )
    flat.add_argument("--crowd", type=int, default=300, help="visitors meanwhile")
    flat.add_argument(
        "--rate", type=float, default=200.0, help="messages a second where paced"
    )
    flat.add_argument("--seconds", type=float, default=8.0, help="of each window")
    flat.add_argument("--rounds", type=int, default=5)
    default = Path(tempfile.gettempdir()) / "kefu-store"
    flat.add_argument("--data", type=Path, default=default, metavar="DIR")
    flat.add_argument("--json", type=Path, metavar="FILE")
    flat.set_defaults(run=_flat)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 30,100,300")
    return numbers


def sizes_of(messages: int) -> tuple[int, ...]:
    """Return the sizes up to one: empty, a tenth, and all."""
    return tuple(sorted({0, messages // 10, messages})) if messages else ()


def _flat(options: argparse.Namespace) -> int:
    asked = FlatOptions(
        transport=options.transport,
        visitors=options.visitors,
        messages=sizes_of(options.messages),
        crowd=options.crowd,
        rate=options.rate,
        seconds=options.seconds,
        rounds=options.rounds,
        data=options.data,
        command=options.line,
    )
    try:
        with Progress(console=console) as progress:
            result = run_flat(asked, progress)
    except BadRunError as bad:
        return fail(bad.reasons, options)
    except FillError as error:
        return fail([str(error)], options)
    show_flat(result)
    write(result, options.json)
    return 0


def show_flat(result: FlatResult) -> None:
    """Print a table for each row of stations and load, and what it says."""
    for name, verdict in result.verdicts.items():
        table = Table(title=f"{name}: {verdict}")
        for title in COLUMNS:
            table.add_column(title, justify="right")
        for cost in result.costs:
            if f"{cost.by}, {cost.load}" == name:
                table.add_row(*_cells(cost))
        console.print(table, style="red" if verdict == "dearer" else "")
    for name, rest in result.rest_ms_per_s.items():
        console.print(f"{name}, nobody talks: {rest} ms of CPU a second", style="dim")
    found = ", ".join(f"{count} {fault}" for fault, count in result.faults.items())
    worth = result.bounds_95["per_message"]
    console.print(
        f"{result.acknowledged} messages stored: {found} (95 %: each below {worth:.2g} "
        "a message).",
        markup=False,
    )


def _cells(cost: Cost) -> list[str]:
    return [
        f"{cost.visitors:,}",
        f"{cost.messages:,}",
        f"{cost.us_per_message:.0f} ({cost.us_least:.0f}–{cost.us_most:.0f})",
        f"{cost.ratio:.2f} ({cost.ratio_least:.2f}–{cost.ratio_most:.2f})",
        f"{cost.per_s:,.0f}",
        f"{cost.messages_per_commit}",
        f"{cost.server_share}",
        f"{cost.generator_share}",
    ]
