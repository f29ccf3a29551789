"""What people see of a run: tables, and the life of the first bad message."""

from collections.abc import Callable

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.judge import Verdict, upper_bound
from benchmarks.mixed import MixedResult
from benchmarks.result import Latency, Messages, Result
from benchmarks.tally import Fairness

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


def show_mixed(console: Console, result: MixedResult) -> None:
    """Print what each transport's people had, and whether all were treated alike."""
    counts = Table(title="Messages, by the transport of their visitor")
    times = Table(title=f"{result.loop.capitalize()} loop, ms: p50 / p95 / p99")
    counts.add_column("")
    for title in Messages.__struct_fields__:
        counts.add_column(title, justify="right")
    for title in ("", "visitors", "until shown", "until known as stored"):
        times.add_column(title, justify="right" if title else "left")
    for name, part in result.by_transport.items():
        counts.add_row(name, *map(str, msgspec.to_builtins(part.messages).values()))
        shown, stored = part.latency_ms, part.acknowledged_ms
        row = [str(part.visitors), _percentiles(shown), _percentiles(stored)]
        times.add_row(name, *row)
    console.print(counts)
    console.print(times)
    asked = f" of {result.due_per_s} that were due" if result.due_per_s else ""
    console.print(
        f"{result.delivered_per_s} messages a second{asked}; "
        f"{_percentiles(result.latency_ms)} ms; "
        f"{result.server_cpu_us_per_message} µs of the server's CPU each."
    )
    for name, fairness in result.fairness.items():
        console.print(f"{name}: {fairness_told(fairness)}", markup=False)
    if result.generator_limited:
        console.print(
            f"The load generator is the limit: {result.generator_limited}.",
            style="yellow",
        )
    for key, detail in result.details.items():
        console.print(f"{key:>32}  {detail}", style="dim", markup=False)


def fairness_told(fairness: Fairness) -> str:
    """Return in a sentence whether some wait much longer than others."""
    said = "no visitor" if fairness.is_met else f"{fairness.above_twice} visitors"
    return (
        f"{said} of {fairness.visitors} had a p99 above twice the median visitor's "
        f"(median {fairness.p99_ms_median} ms, worst {fairness.p99_ms_worst} ms, of "
        f"some {fairness.messages_median:.0f} messages each; by chance alone the worst "
        f"would have up to {fairness.chance_ratio} times the median)"
    )


def _percentiles(latency: Latency) -> str:
    return f"{latency.p50} / {latency.p95} / {latency.p99}"


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
