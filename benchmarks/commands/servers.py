"""`servers`: its options, and what it shows."""

import argparse
from pathlib import Path

from rich.progress import Progress
from rich.table import Table

from benchmarks.chat import ChatOptions
from benchmarks.commands.shared import Commands, console, write
from benchmarks.servers import FIGURES, ServersOptions, ServersResult, run_servers
from benchmarks.target import TRANSPORTS
from kefu_server.servers import SERVERS


def add_parser(commands: Commands) -> None:
    """Add the command."""
    text = "the same talk on each ASGI server, by turns"
    servers = commands.add_parser("servers", help=text)
    servers.add_argument(
        "--servers", type=_names, default=SERVERS, metavar=",".join(SERVERS)
    )
    servers.add_argument("--transport", choices=TRANSPORTS[:2], default="websocket")
    servers.add_argument("--visitors", type=int, default=300)
    servers.add_argument("--agents", type=int, default=30)
    servers.add_argument("--seconds", type=float, default=8.0)
    servers.add_argument("--rate", type=float, default=0.0, help="0: to saturation")
    servers.add_argument("--idle", type=int, default=500, help="idle connections")
    servers.add_argument("--rounds", type=int, default=3)
    servers.add_argument("--json", type=Path, metavar="FILE")
    servers.set_defaults(run=_servers)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in SERVERS:
            known = ", ".join(SERVERS)
            raise argparse.ArgumentTypeError(f"{name!r} is none of {known}")
    return names


def _servers(options: argparse.Namespace) -> int:
    asked = ServersOptions(
        servers=options.servers,
        rounds=options.rounds,
        chat=ChatOptions(
            transport=options.transport,
            visitors=options.visitors,
            agents=options.agents,
            seconds=options.seconds,
            rate=options.rate,
            idle=options.idle,
            command=options.line,
        ),
    )
    with Progress(console=console) as progress:
        result = run_servers(asked, progress)
    console.print(_table(result))
    for name, faults in result.faults.items():
        console.print(f"{name}: {faults}", style="red", markup=False)
    if result.generator_limited:
        limited = ", ".join(result.generator_limited)
        console.print(f"The load generator was the limit: {limited}.", style="yellow")
    write(result, options.json)
    return 1 if result.faults else 0


def _table(result: ServersResult) -> Table:
    load = result.machine["load_1min_before"]
    table = Table(title=f"Medians; load of the machine before: {load}")
    table.add_column("")
    for name in result.servers:
        table.add_column(name, justify="right")
    for key, title in FIGURES.items():
        values = [figures[key] for figures in result.servers.values()]
        table.add_row(title, *("–" if each is None else str(each) for each in values))
    table.add_row("messages judged", *map(str, result.messages.values()))
    return table
