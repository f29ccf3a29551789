"""`store`: its options, and what it shows."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from rich.progress import Progress

from benchmarks.commands.shared import Commands, console, write
from benchmarks.databases import ServerMissingError
from benchmarks.store.appending import AppendError
from benchmarks.store.filling import FillError
from benchmarks.store.reading import ReadError
from benchmarks.store.run import MARKS, StoreOptions, run_store
from benchmarks.store.showing import plot_store, show_store


def add_parser(commands: Commands) -> None:
    """Add the command."""
    store = commands.add_parser("store", help="a large history: writing, reading")
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
    write(result, options.json)
    return 1 if result.faults else 0
