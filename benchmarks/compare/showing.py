"""What people see of a comparison: tables, and what did not come off."""

from rich.console import Console
from rich.table import Table

from benchmarks.compare.figures import NOWHERE, Comparison, Row, Spread


def show_comparison(console: Console, found: Comparison) -> None:
    """Print what was found; each figure is a median, with the least and the most."""
    _show_rows(console, found.rows)
    _show_ratios(console, found)
    if found.idle_kib_per_connection:
        table = Table("target", "KiB of an idle connection", title="Memory at rest")
        for target, spread in found.idle_kib_per_connection.items():
            table.add_row(target, _say(spread))
        console.print(table)
    if found.cuts:
        _show_cuts(console, found)
    for what, why in found.failed.items():
        console.print(f"FAILED, so without figures: {what}: {why}", markup=False)
    for what, how in found.missing.items():
        console.print(f"Not compared, not installed: {what}: {how}", markup=False)
    limited = [f"{r.target} on {r.database}" for r in found.rows if r.generator_limited]
    if limited:
        console.print(
            "The generator was the limit, so that messages a second say nothing: "
            + ", ".join(limited)
        )


def _say(spread: Spread) -> str:
    if spread.low == spread.high:
        return f"{spread.median:,}"
    return f"{spread.median:,} ({spread.low:,} – {spread.high:,})"


def _show_rows(console: Console, rows: list[Row]) -> None:
    table = Table(title="A message, saturated: median (least – most)")
    for name in ("target", "database", "durable a second"):
        table.add_column(name)
    for name in ("server, µs", "database, µs", "both, µs", "p50, ms", "p99, ms"):
        table.add_column(name, justify="right")
    for name in ("server's share", "generator's"):
        table.add_column(name, justify="right")
    for row in rows:
        rate = row.durable_per_s
        table.add_row(
            row.target,
            "stores nothing" if row.database == NOWHERE else row.database,
            _say(rate) if rate else f"none; {_say(row.delivered_per_s)}",
            _say(row.server_us),
            _say(row.database_us),
            _say(row.total_us),
            _say(row.p50_ms),
            _say(row.p99_ms),
            _say(row.server_share),
            _say(row.generator_share) + (" !" if row.generator_limited else ""),
        )
    console.print(table)


def _show_ratios(console: Console, found: Comparison) -> None:
    table = Table("kefu on", "beside", "counted", "times kefu's CPU", "goal", "")
    for ratio in found.ratios:
        table.add_row(
            ratio.database,
            ratio.target,
            "the servers" if ratio.counts == "server" else "server and database",
            _say(ratio.times),
            "" if ratio.goal is None else str(ratio.goal),
            "" if ratio.goal is None else "met" if ratio.is_met else "NOT MET",
        )
    table.title = "What a message of another costs, in messages of kefu"
    console.print(table)


def _show_cuts(console: Console, found: Comparison) -> None:
    table = Table(title="Cut off while messages flow")
    for name in ("target", "database", "who comes back"):
        table.add_column(name)
    for name in ("cuts", "acknowledged", "lost", "doubled", "unanswered"):
        table.add_column(name, justify="right")
    for cut in found.cuts:
        table.add_row(
            cut.target,
            "stores nothing" if cut.database == NOWHERE else cut.database,
            "asks for what was missed" if cut.keeps else "enters the room again",
            *(str(n) for n in (cut.cuts, cut.acknowledged, cut.lost, cut.doubled)),
            str(cut.unanswered),
        )
    console.print(table)
