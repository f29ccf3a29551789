"""Every fault, on every transport, with and without a change of it: minutes.

Run as `python -m tests.faults`; `--only TEXT` chooses cells by a part of their name,
`--stopped 30` lets readers stop reading for so many seconds instead.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import anyio
from rich.console import Console
from rich.table import Table

from benchmarks.judge import upper_bound
from tests.faults.cells import CELLS, LIMITS, Cell, Outcome, run_cell
from tests.faults.people import TRANSPORTS, Server
from tests.faults.readers import READER_BYTES_MAX, run_stopped

AT_ONCE = 4


async def run_cells(
    server: Server, cells: list[Cell], console: Console
) -> tuple[list[Outcome], list[str]]:
    """Run a few at a time; a cell that fails does not keep others from running."""
    outcomes: list[Outcome] = []
    failures: list[str] = []
    places = anyio.CapacityLimiter(AT_ONCE)

    async def run(cell: Cell) -> None:
        async with places:
            try:
                outcome = await run_cell(server, cell)
            except Exception as error:
                failures.append(f"{cell.name}: {_first(error)!r}")
                return
            outcomes.append(outcome)
            if not outcome.verdict.passed:
                failures.append(f"{cell.name}: {outcome.verdict.life}")
            console.print(f"{len(outcomes) + len(failures)}/{len(cells)} {cell.name}")

    async with anyio.create_task_group() as tasks:
        for cell in cells:
            tasks.start_soon(run, cell)
    return outcomes, failures


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def show(outcomes: list[Outcome], failures: list[str], console: Console) -> None:
    """Print what happened, and what it excludes."""
    table = Table("cell", "dead link known, s", "whole again, s", "lost links", "told")
    for one in sorted(outcomes, key=lambda one: -one.healed_s):
        noticed = f"{one.noticed_s:.1f}" if one.noticed_s else ""
        told = str(one.verdict.counts.acknowledged)
        row = (one.cell, noticed, f"{one.healed_s:.1f}", str(one.down_count), told)
        table.add_row(*row)
    console.print(table)
    told_count = sum(one.verdict.counts.acknowledged for one in outcomes)
    console.print(
        f"{told_count} acknowledged messages in {len(outcomes)} cells, none lost, "
        f"doubled or out of order: at 95 % fewer than {upper_bound(told_count):.2%}."
        if not failures
        else f"{len(failures)} cells FAILED"
    )
    for failure in failures:
        console.print(failure, style="red")


def stop_readers(seconds: float, console: Console) -> int:
    """Let readers stop reading, on one transport after another."""
    is_good = True
    for transport in TRANSPORTS:
        with tempfile.TemporaryDirectory(prefix="kefu-readers-") as folder:
            outcome = run_stopped(Path(folder), transport, seconds)
        is_good &= outcome.verdict.passed and outcome.bytes_a_reader < READER_BYTES_MAX
        console.print(
            f"{transport}: {outcome.bytes_a_reader / 1024:.0f} KiB a stopped reader, "
            f"{outcome.sent_bytes / 1024:.0f} KiB sent to each; others had everything "
            f"after {outcome.others_s} s, those who came back after {outcome.back_s} s;"
            f" faults: {outcome.verdict.faults}"
        )
    return not is_good


def main() -> int:
    """Run the cells that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--stopped", type=float, default=0.0, metavar="SECONDS")
    arguments = parser.parse_args()
    if arguments.stopped:
        return stop_readers(arguments.stopped, Console())
    only = arguments.only
    cells = [cell for cell in CELLS if only in cell.name]
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="kefu-network-") as folder,
        Server(Path(folder), **LIMITS) as server,
    ):
        outcomes, failures = anyio.run(run_cells, server, cells, console)
        if "fault of ours" in server.log:
            failures.append("the server's log has a fault of ours")
    show(outcomes, failures, console)
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
