"""Six of the cells of `python -m tests.faults`, all at once against one server."""

import anyio
import pytest

from tests.faults.cells import CELLS, Cell, Outcome, run_cell
from tests.faults.people import Server

pytestmark = pytest.mark.alone

CHOSEN = (
    "cut by RST, websocket to longpoll",
    "silence up, longpoll",
    "half-open, tcp to websocket",
    "address change, websocket",
    "16 kbit/s, longpoll to tcp",
    "duplicate, tcp",
)


async def run_all(server: Server, cells: list[Cell]) -> list[Outcome]:
    outcomes: list[Outcome] = []

    async def run(cell: Cell) -> None:
        outcomes.append(await run_cell(server, cell))

    async with anyio.create_task_group() as tasks:
        for cell in cells:
            tasks.start_soon(run, cell)
    return outcomes


@pytest.mark.timeout(60)
def test_nothing_acknowledged_is_lost_doubled_or_out_of_order(server: Server) -> None:
    """A dead link is known at both ends, and everybody catches up after it healed."""
    cells = [cell for cell in CELLS if cell.name in CHOSEN]
    assert len(cells) == len(CHOSEN)
    for outcome in anyio.run(run_all, server, cells):
        verdict = outcome.verdict
        assert verdict.passed, (outcome.cell, verdict.faults, verdict.life)
        assert verdict.counts.acknowledged == verdict.counts.sent >= 50
        assert verdict.counts.readers == 3
    assert "fault of ours" not in server.log
