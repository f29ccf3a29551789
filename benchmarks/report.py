"""What people see of a run: tables, and the life of the first bad message."""

from collections.abc import Callable

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.judge import Verdict, upper_bound
from benchmarks.result import Result

LIFE_LINES_MAX = 40
PROBLEMS_SHOWN_MAX = 10


def show_result(console: Console, result: Result) -> None:
    """Print the figures as a table."""
    table = Table(title="Result", show_header=False)
    table.add_column(justify="right")
    table.add_column()
    for key, value in msgspec.to_builtins(result).items():
        if key in ("machine", "versions", "details", "command"):
            continue
        if isinstance(value, dict):
            value = ", ".join(f"{name} {number}" for name, number in value.items())
        table.add_row(key, "not measured" if value is None else str(value))
    for key, detail in result.details.items():
        table.add_row(key, str(detail), style="dim")
    console.print(table)


def show_verdict(console: Console, verdict: Verdict, *, kills: int = 0) -> None:
    """Print what the judge found, each zero with what it is worth."""
    counts = verdict.counts
    message_bound = upper_bound(counts.acknowledged)
    table = Table(title="Judge")
    table.add_column("fault")
    table.add_column("found", justify="right")
    table.add_column("95 % bound", justify="right")
    for fault, count in verdict.faults.items():
        worth = f"< {message_bound:.2g} a message" if not count else "–"
        if not count and kills:
            worth += f", < {upper_bound(kills):.2g} a kill"
        table.add_row(fault, str(count), worth, style="red" if count else "")
    console.print(table)
    console.print(
        f"{counts.sent} sent, {counts.acknowledged} acknowledged, {counts.stored} "
        f"stored, {counts.shown} shown to {counts.readers} readers of "
        f"{counts.conversations} conversations; {counts.refused} refused; of "
        f"{counts.unknown} with unknown outcome {counts.unknown_stored} are stored."
    )
    if not verdict.passed:
        _show_problems(console.print, verdict)


def _show_problems(show: Callable[..., None], verdict: Verdict) -> None:
    for problem in verdict.problems[:PROBLEMS_SHOWN_MAX]:
        show(
            f"{problem.fault} in {problem.conversation}, seq {problem.seq}, "
            f"key {problem.key}: {problem.text}",
            style="red",
            markup=False,
        )
    show("The life of the first one:")
    for line in verdict.life[:LIFE_LINES_MAX]:
        show("  " + line, markup=False, soft_wrap=True)
