"""What people see of a run of `store`: tables, pictures, and the aims."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from benchmarks.store.reading import Times
from benchmarks.store.run import StoreResult

APPEND_AIM = 2.0
GROWTH_AIM = 1.5
SEARCH_AIM_MS = 200.0
_GROWING = ("page", "list_first", "list_deep")
_OURS, _BARE = "#1f6feb", "#9aa4b2"
_BELOW: dict[str, Any] = {
    "frameon": False,
    "fontsize": 8,
    "loc": "upper center",
    "bbox_to_anchor": (0.5, -0.18),
}
"""Where a legend hides no line."""


def show_store(console: Console, result: StoreResult) -> None:
    """Print the figures, what was aimed at, and what was wrong."""
    console.print(_appending(result))
    console.print(_latencies(result))
    sizes = Table(title="Room")
    for title in ("messages", "bytes each", "index, bytes each", "filled/s", "index/s"):
        sizes.add_column(title, justify="right")
    for mark in result.marks:
        sizes.add_row(
            f"{mark.messages:,}",
            f"{mark.bytes_per_message}",
            f"{mark.index_bytes_per_message}",
            _number(mark.filled_per_s),
            _number(mark.indexed_per_s),
        )
    console.print(sizes)
    for aim, is_met in aims(result).items():
        console.print(f"{'met   ' if is_met else 'MISSED'} {aim}", markup=False)
    for fault in result.faults:
        console.print(fault, style="red", markup=False)


def aims(result: StoreResult) -> dict[str, bool]:
    """Return each aim that this run can speak of, and whether it was met."""
    found = {
        f"appender, {line.senders} senders: {line.cpu_ratio} of the bare insert's CPU "
        f"(aim {APPEND_AIM})": line.cpu_ratio <= APPEND_AIM
        for line in result.append
    }
    for kind in _GROWING if len(result.marks) > 1 else ():
        first, *_, last = result.latency_ms[kind]
        growth = round(max(last.p50 / first.p50, last.p95 / first.p95), 2)
        met = growth <= GROWTH_AIM
        found[f"{kind}: {growth} of the smallest's (aim {GROWTH_AIM})"] = met
    for kind, times in result.latency_ms.items():
        if kind.startswith("search_"):
            p95 = times[-1].p95
            found[f"{kind}: p95 {p95} ms (aim {SEARCH_AIM_MS})"] = p95 < SEARCH_AIM_MS
    return found


def _appending(result: StoreResult) -> Table:
    table = Table(title=f"Append, {result.engine}")
    for title in ("senders", "batch", "", "a second", "client µs", "server µs", "×"):
        table.add_column(title, justify="right")
    for line in result.append:
        for name, cost in (("appender", line.appender), ("bare", line.bare)):
            is_ours = name == "appender"
            table.add_row(
                str(line.senders) if is_ours else "",
                str(line.batch) if is_ours else "",
                name,
                f"{cost.per_s:,.0f}",
                f"{cost.client_cpu_us}",
                _number(cost.server_cpu_us),
                f"{line.cpu_ratio}" if is_ours else "",
            )
    return table


def _latencies(result: StoreResult) -> Table:
    table = Table(title="Milliseconds, p50 / p95")
    table.add_column("")
    for mark in result.marks:
        table.add_column(f"{mark.messages:,}", justify="right")
    for kind, sizes in result.latency_ms.items():
        table.add_row(kind, *(f"{times.p50} / {times.p95}" for times in sizes))
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,}"


# -- pictures --------------------------------------------------------------------------


def plot_store(result: StoreResult, folder: Path) -> list[Path]:
    """Draw the figures into PNG files named after the engine."""
    mpl.use("Agg")
    engine = result.engine.partition(" ")[0]
    if "MariaDB" in result.engine:
        engine = "mariadb"
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _save(draw(), folder / f"store-{engine}-{name}.png")
        for name, draw in figures_of(result).items()
    ]


def figures_of(result: StoreResult) -> dict[str, Callable[[], Figure]]:
    """Return what draws each picture, by its name."""
    return {
        "append": partial(_draw_append, result),
        "latency": partial(_draw_latency, result),
        "size": partial(_draw_room, result),
    }


def _save(figure: Figure, path: Path) -> Path:
    # Without the date and the program's version equal figures are equal files.
    figure.savefig(path, dpi=110, metadata={"Software": None})
    return path


def _figure(width: float, parts: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, 3.6), layout="constrained")
    axes = [figure.add_subplot(1, parts, 1 + place) for place in range(parts)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", alpha=0.25)
    return figure, axes


def _draw_append(result: StoreResult) -> Figure:
    figure, (cpu, pace) = _figure(9, 2)
    names = [str(line.senders) for line in result.append]
    places = range(len(names))
    for axis, title, of in (
        (cpu, "CPU µs a message, client and server", _cpu_us),
        (pace, "messages a second", lambda cost: cost.per_s),
    ):
        ours = [of(line.appender) for line in result.append]
        bare = [of(line.bare) for line in result.append]
        axis.bar([p - 0.2 for p in places], ours, 0.38, label="appender", color=_OURS)
        axis.bar([p + 0.2 for p in places], bare, 0.38, label="bare", color=_BARE)
        axis.set_xticks(list(places), names)
        axis.set_xlabel("concurrent senders")
        axis.set_title(title, fontsize=10)
        axis.legend(**_BELOW, ncols=2)
    for place, line in zip(places, result.append, strict=True):
        height = max(_cpu_us(line.appender), _cpu_us(line.bare))
        cpu.annotate(f"{line.cpu_ratio}×", (place, height), ha="center", va="bottom")
    figure.suptitle(result.engine, fontsize=11)
    return figure


def _cpu_us(cost: object) -> float:
    return getattr(cost, "client_cpu_us", 0.0) + (
        getattr(cost, "server_cpu_us", None) or 0.0
    )


def _draw_latency(result: StoreResult) -> Figure:
    figure, (reads, searches) = _figure(9, 2)
    sizes = [mark.messages for mark in result.marks]
    for kind, times in result.latency_ms.items():
        axis = searches if kind.startswith("search_") else reads
        _line(axis, kind, sizes, times)
    searches.axhline(SEARCH_AIM_MS, color="#d1242f", linestyle=":", linewidth=1)
    for axis, title in ((reads, "pages and lists, ms"), (searches, "searches, ms")):
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("messages stored")
        axis.set_title(f"{title}: p50, dashed p95", fontsize=10)
        axis.legend(**_BELOW, ncols=4)
    figure.suptitle(result.engine, fontsize=11)
    return figure


def _line(axis: Axes, kind: str, sizes: list[int], times: list[Times]) -> None:
    (drawn,) = axis.plot(sizes, [t.p50 for t in times], marker="o", label=kind)
    p95 = [t.p95 for t in times]
    axis.plot(sizes, p95, marker=".", linestyle="--", color=drawn.get_color())


def _draw_room(result: StoreResult) -> Figure:
    figure, (axis,) = _figure(5)
    names = [f"{mark.messages:,}" for mark in result.marks]
    rest = [mark.bytes_per_message for mark in result.marks]
    index = [mark.index_bytes_per_message for mark in result.marks]
    axis.bar(names, rest, 0.5, label="log and rows", color=_OURS)
    axis.bar(names, index, 0.5, bottom=rest, label="search index", color=_BARE)
    axis.set_title(f"bytes a message, {result.engine}", fontsize=10)
    axis.set_xlabel("messages stored")
    axis.legend(**_BELOW, ncols=2)
    return figure
